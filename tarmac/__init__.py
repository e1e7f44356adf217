"""Tarmac on your machine: the command line, the packer, the embedded AWS. Never imported by Lambda's code."""
