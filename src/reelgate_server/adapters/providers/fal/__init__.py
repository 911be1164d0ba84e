"""fal's queue: many video models behind one protocol."""
