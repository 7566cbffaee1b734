"""What a visitor chose, and what was computed for it."""
