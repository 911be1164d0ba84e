"""Seeded runs with faults."""
