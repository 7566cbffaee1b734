"""Find birds whose answer flips without the confusable branches: python scripts/flips.py [SECONDS]

One part that its genus varies is missing, so the species is a guess; D and C may guess apart.  The
example of lafe/data/partbirds/gallery.py was found so.
"""

import sys
import time

from PIL import Image

from lafe import Switches, load, prepare
from lafe.branches import PRESETS
from lafe.data.partbirds import CLASSES, draw, varied

FIRST_SCENE = 300


def main(seconds: float) -> None:
    model, began = load("partbirds"), time.monotonic()
    scene = FIRST_SCENE
    while time.monotonic() - began < seconds:
        label = scene % len(CLASSES)
        bird = CLASSES[label]
        for part in varied(bird.genus):
            picture = Image.fromarray(draw(bird, scene, size=448, without=[part]).image)
            photo = prepare(model, picture)
            settings = (Switches.all(), PRESETS["no confusable"])
            full, without = (photo.logits(on).argmax().item() for on in settings)
            if full == label != without:
                sure = [float(photo.probabilities(on).max()) for on in settings]
                print(
                    f"scene {scene}, {bird.name} without its {part}: right, {sure[0]:.2f}; "
                    f"without C {CLASSES[int(without)].name}, {sure[1]:.2f}"
                )
        scene += 1


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
