"""Where jobs, accounts and the ledger are kept: in memory, or in SQLite."""
