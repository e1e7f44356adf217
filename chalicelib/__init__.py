"""Tarmac's application: everything that runs in Lambda. Imported by app.py and by the tools in tarmac/."""
