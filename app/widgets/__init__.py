"""Pieces that the pages are made of, and that visitors use."""
