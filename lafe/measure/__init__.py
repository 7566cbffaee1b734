"""What a checkpoint and its maps are worth, and how fast it all is."""
