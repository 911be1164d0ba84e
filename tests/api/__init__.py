"""The gRPC surface: a real server on a free port over memory adapters."""
