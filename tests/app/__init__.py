"""The use cases on memory adapters and a manual clock."""
