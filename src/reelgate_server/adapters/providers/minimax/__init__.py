"""The `Provider` over MiniMax's video API v1: the Hailuo models."""
