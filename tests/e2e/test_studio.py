"""Studio in a real browser: each choice changes what the model says, and what is seen."""

from __future__ import annotations

import re
from functools import cache

import pytest
from PIL import Image

import lafe
from lafe import PRESETS, Switches, prepare
from lafe.checkpoints import store
from lafe.checkpoints.trained import Trained
from lafe.data.partbirds import CLASSES, GENERA, Sketch, species_of, varied

pytest.importorskip("playwright", reason="These tests need Playwright: pip install playwright.")
from playwright.sync_api import expect
from visitor import Visitor

MODEL = "partbirds"
SETTINGS = (Switches.all(), PRESETS["no confusable"])


@cache
def model() -> Trained:
    return lafe.load(MODEL)


def says(sketch: Sketch, switches: Switches) -> re.Pattern[str]:
    """The answer to a drawn bird, computed without the app."""
    photo = prepare(model(), Image.fromarray(sketch.draw().image))
    p = photo.probabilities(switches)
    share = 100 * float(p.max())
    shares = "|".join(re.escape(f"{share + off:.1f}%") for off in (-0.04, 0, 0.04))
    return re.compile(f"^{CLASSES[int(p.argmax())].name} ({shares}|>99.9%)$")


@pytest.mark.parametrize("size", [(1440, 900), (800, 900), (390, 844)])
def test_a_choice_changes_the_answer_and_the_picture(
    visitor: Visitor, size: tuple[int, int]
) -> None:
    if MODEL not in store.available():
        pytest.skip(f"This test needs the checkpoint {MODEL!r}.")
    page = visitor.page
    visitor.opens()
    visitor.goes_to("Studio")
    answers, pictures = page.locator(".studio .answer"), page.locator(".studio img")

    def shows(sketch: Sketch, gone: str) -> list[str]:
        """The bird with all its parts and without one, each with and without the branches."""
        for i, one in enumerate((sketch, sketch.less(gone))):
            for j, switches in enumerate(SETTINGS):
                expect(answers.nth(2 * i + j)).to_have_text(says(one, switches))
        expect(pictures).to_have_count(4)
        return [str(pictures.nth(i).get_attribute("src")) for i in range(4)]

    bird = species_of(GENERA[0])[0]
    before = shows(Sketch.of(bird.parts, 0), varied(GENERA[0])[0])
    box = pictures.first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= size[1]  # on the first screen

    genus = GENERA[1]
    visitor.waits()
    visitor.chooses(page.get_by_role("combobox", name="Genus"), genus)
    bird, gone = species_of(genus)[0], varied(genus)[0]
    after = shows(Sketch.of(bird.parts, 0), gone)
    assert not set(before) & set(after)

    other = next(b for b in species_of(genus) if b.parts[gone] != bird.parts[gone])
    visitor.waits()
    page.get_by_role("radio", name=str(other.parts[gone]), exact=True).click()
    sketch = Sketch.of({**bird.parts, gone: other.parts[gone]}, 0)
    changed = shows(sketch, gone)
    assert not set(after[:2]) & set(changed[:2])

    visitor.waits()
    visitor.chooses(page.get_by_role("combobox", name="Take away"), "Wing")
    taken = shows(sketch, "wing")
    assert not set(changed[2:]) & set(taken[2:])
