"""fal's adapter."""
