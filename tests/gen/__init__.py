"""The generated code."""
