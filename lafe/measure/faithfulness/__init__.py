"""Measures of an explanation, next to chance.

Curves: does the score fall when what the map names is taken away, and rise when it comes back?
Places: does the map lie on the object and its parts?  Stability: does it depend on the weights, as
it must, and not on noise, as it must not?  Maps count at the size of the input, upsampled as
:mod:`lafe.render.overlay` shows them.
"""
