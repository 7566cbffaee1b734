"""PartBirds: drawn birds of which it is known what sets two species apart, and what they share.

Source: the idea is that of FunnyBirds (Hesse, Schaub-Meyer, Roth: *FunnyBirds: a synthetic vision
dataset for a part-based analysis of explainable AI methods*, ICCV 2023); the birds are drawn here.
"""

from lafe.data.partbirds.classes import CLASSES, BirdClass, differing, shared
from lafe.data.partbirds.folder import Shot, shots, write
from lafe.data.partbirds.gallery import Example, examples
from lafe.data.partbirds.looks import COLOURS, PARTS, PATTERNS, SHAPES, Look
from lafe.data.partbirds.picture import LAYERS, Picture, draw
from lafe.data.partbirds.sketch import GENERA, Sketch, looks_of, species_of, varied

__all__ = [
    "CLASSES",
    "COLOURS",
    "GENERA",
    "LAYERS",
    "PARTS",
    "PATTERNS",
    "SHAPES",
    "BirdClass",
    "Example",
    "Look",
    "Picture",
    "Shot",
    "Sketch",
    "differing",
    "draw",
    "examples",
    "looks_of",
    "shared",
    "shots",
    "species_of",
    "varied",
    "write",
]
