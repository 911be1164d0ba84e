"""Reelgate: one gRPC service in front of every video-generation provider."""
