"""Envoy: its configuration, its filter, and golden cases through a real one to a scripted server."""
