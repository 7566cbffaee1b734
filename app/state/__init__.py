"""The choices of a visitor, and the results for them."""
