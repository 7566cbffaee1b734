"""The paper, equation by equation, in pure torch; and what records any forward pass."""
