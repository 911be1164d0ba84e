"""What the application needs from the world, as Protocols. Each has one contract suite in `tests/contract`."""
