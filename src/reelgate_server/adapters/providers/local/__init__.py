"""The local renderer: storyboard videos made on this machine, without keys and without a network."""
