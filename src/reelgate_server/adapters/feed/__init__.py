"""Feeds of hints."""
