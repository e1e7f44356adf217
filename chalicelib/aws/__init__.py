"""Adapters: the only rooms, with bootstrap, that know boto3. Built by chalicelib.bootstrap."""
