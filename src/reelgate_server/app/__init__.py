"""The use cases: what Reelgate does, in terms of its ports."""
