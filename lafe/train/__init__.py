"""Recipes, objectives and the training loop."""
