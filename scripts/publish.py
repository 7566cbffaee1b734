"""Put a training run into checkpoints/: python scripts/publish.py RUN NAME

Adds what must be said of the photos that this repository's checkpoints were trained on, which are
not the full data sets: no recipe can know it.  Measure it afterwards (lafe evaluate NAME).
"""

import sys
from dataclasses import replace
from pathlib import Path

from lafe.checkpoints.reading import read

ROOT = Path(__file__).parents[1]
LIMITS = {
    "birds": (
        "Knows the first 50 of the 200 birds of CUB-200-2011, and nothing else.",
        "Tested on three quarters of the official test photos of these 50.",
    ),
    "partbirds": (),
    "cars": (
        "The split is our own, made from the official training photos: accuracies do not compare "
        "with published ones.",
    ),
    "aircraft": (
        "47 types: 17 airliners and 30 aircraft of the 1930s and 1940s.",
        "Not the official photos or split: accuracies do not compare with published ones.",
        "Some training photos of old aircraft are drawings or models.",
    ),
}


def publish(run: Path, name: str) -> Path:
    """Copy a run's checkpoint to ``checkpoints/<name>``; returns that folder."""
    stored = read(run)
    card = replace(stored.card, name=name, limits=[*LIMITS[name], *stored.card.limits])
    return replace(stored, card=card).write(ROOT / "checkpoints" / name)


if __name__ == "__main__":
    print(publish(Path(sys.argv[1]), sys.argv[2]))
