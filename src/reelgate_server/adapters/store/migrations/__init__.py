"""The schema of the SQLite store, one numbered step a file; `migrate.py` applies them."""
