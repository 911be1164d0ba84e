"""Simulated providers, judged by the official clients of the real ones."""
