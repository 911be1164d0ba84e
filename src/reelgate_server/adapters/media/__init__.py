"""Media stores."""
