"""Facts read from the contract."""
