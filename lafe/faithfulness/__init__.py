"""What an explanation is worth, next to chance.

Curves: does the score fall when what the map names is taken away, and rise when it comes back?
Places: does the map lie on the object and its parts?  Stability: does it depend on the weights, as
it must, and not on noise, as it must not?  Maps count at the size of the input, upsampled as
:mod:`lafe.overlay` shows them.
"""

from lafe.faithfulness.curves import Curves, curves, probability, random_map
from lafe.faithfulness.places import (
    PARTS,
    View,
    centred_blob,
    energy,
    gini,
    pointing,
)
from lafe.faithfulness.stability import Sanity, randomised, repeatability, sanity, similarity

__all__ = [
    "PARTS",
    "Curves",
    "Sanity",
    "View",
    "centred_blob",
    "curves",
    "energy",
    "gini",
    "pointing",
    "probability",
    "random_map",
    "randomised",
    "repeatability",
    "sanity",
    "similarity",
]
