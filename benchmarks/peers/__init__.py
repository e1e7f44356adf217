"""Whom the model server is measured against, each as it is meant to run: `python -m benchmarks.peers` installs them."""
