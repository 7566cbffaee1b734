"""Weights with a card: find, load, save and export them.  Nothing is ever unpickled."""
