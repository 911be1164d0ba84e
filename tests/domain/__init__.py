"""The rules, by tables and properties. No I/O, no doubles."""
