"""Measures of a checkpoint, of its maps, and of speed; ``report`` alone reads and writes them."""
