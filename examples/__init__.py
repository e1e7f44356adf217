"""Tiny real models, built from scratch and offline in seconds: for the demo, the tests and the benchmarks."""
