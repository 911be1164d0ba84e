"""The command `reelgate`."""
