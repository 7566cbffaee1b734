"""The shipped model of PartBirds on pictures drawn here: it knows what it should look at."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lafe import Switches, evidence, load, prepare
from lafe.branches import PRESETS
from lafe.checkpoints.trained import Trained
from lafe.data.partbirds import CLASSES, Sketch, differing, examples, species_of, varied
from lafe.explain.prepare import Prepared
from lafe.measure.faithfulness.curves import at_size

SCENE = 4321  # of no training picture: these have larger numbers


@pytest.fixture(scope="module")
def model() -> Trained:
    return load("partbirds")


def looked_at(model: Trained, sketch: Sketch) -> Prepared:
    return prepare(model, Image.fromarray(sketch.draw(model.card.resize).image))


def test_it_names_whole_birds(model: Trained) -> None:
    assert model.card.classes == [bird.name for bird in CLASSES]
    right = [
        int(looked_at(model, Sketch.of(bird.parts, SCENE + i)).logits(Switches.all()).argmax()) == i
        for i, bird in enumerate(CLASSES)
    ]
    assert sum(right) >= 0.9 * len(CLASSES)


def test_the_part_that_sets_two_species_apart_carries_the_evidence_and_is_missed(
    model: Trained,
) -> None:
    """For each genus and each part that varies in it, alone: where the evidence is, and without."""
    inside, area, leads, without = [], [], [], []
    for genus in dict.fromkeys(bird.genus for bird in CLASSES):
        four = species_of(genus)
        for part in varied(genus):
            other = next(bird for bird in four[1:] if differing(four[0], bird) == (part,))
            sketch = Sketch.of(four[0].parts, SCENE)
            photo = looked_at(model, sketch)
            target, versus = CLASSES.index(four[0]), CLASSES.index(other)
            found = evidence(photo, target=target, versus=versus)
            heat = np.clip(at_size(found.total.numpy(), model.input_size), 0, None)
            mask = sketch.draw(model.card.resize).mask(part)
            inside.append(heat[mask].sum() / heat.sum())
            area.append(mask.mean())
            leads.append(found.logit)
            less = looked_at(model, sketch.less(part)).logits(Switches.all())
            without.append(float(less[target] - less[versus]))
    assert np.mean(inside) > 2 * np.mean(area)
    assert np.mean(leads) > 5
    assert abs(np.mean(without)) < 0.3 * np.mean(leads)


def test_the_example_that_hangs_on_c_does(model: Trained) -> None:
    example = next(e for e in examples() if "hangs on C" in e.title)
    photo = prepare(model, Image.fromarray(example.draw().image))
    full, without = (
        int(photo.logits(on).argmax()) for on in (Switches.all(), PRESETS["no confusable"])
    )
    assert CLASSES[full] == example.bird
    assert without != full
