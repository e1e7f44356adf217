"""The parts of Tarmac's inference handler: `inference.py` and `serve.py`, one folder up, put them together."""
