"""Those who render."""
