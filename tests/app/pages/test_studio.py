"""The page "Studio": what it says of a bird is what the model says of that drawing."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from tiny import tiny_model
from visiting import app, goes_to, ranges, said

from app.widgets.parts import plain
from lafe import Switches, load, prepare
from lafe.checkpoints import store
from lafe.data.partbirds import CLASSES, GENERA, Sketch, species_of, varied
from lafe.render.text import percent

pytestmark = pytest.mark.usefixtures("only_these")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    model = tiny_model(classes=len(CLASSES))
    model.classifier.weight.data.mul_(3)
    store.save(model, folder / "partbirds", [bird.name for bird in CLASSES], title="PartBirds")
    store.save(tiny_model(), folder / "others", list("abcde"), title="Others")
    return folder


@pytest.fixture
def page() -> AppTest:
    at = goes_to(app(), "studio")
    assert not at.exception
    return at


def answers(at: AppTest) -> list[str]:
    """What the four pictures say, in their order."""
    (cells,) = (h.value for h in at.html if 'class="studio"' in h.value)
    return [text.split("<")[0] for text in cells.split('class="answer">')[1:]]


def expected(folder: Path, sketch: Sketch, switches: Switches) -> str:
    model = load(folder / "partbirds")
    photo = prepare(model, Image.fromarray(sketch.draw().image))
    best = int(photo.logits(switches).argmax())
    return f"{CLASSES[best].name} {percent(float(photo.probabilities(switches)[best]))}"


def test_four_pictures_a_part_more_or_less_and_branches_on_or_off(
    page: AppTest, folder: Path
) -> None:
    bird = species_of(GENERA[0])[0]
    whole = Sketch.of(bird.parts, 0)
    assert f"**{plain(bird.name)}**" in said(page)
    no_con = Switches.all().without("r_con", "c_con")
    for gone in ("crown", "beak"):
        page.selectbox(key=f"studio-gone-{GENERA[0]}").set_value(gone).run()
        assert not page.exception
        assert answers(page) == [
            expected(folder, sketch, on)
            for sketch in (whole, whole.less(gone))
            for on in (Switches.all(), no_con)
        ]
    assert len(ranges(page)) == 1  # one scale for all four


def test_a_part_of_another_look_is_another_species(page: AppTest, folder: Path) -> None:
    genus = GENERA[0]
    first, other = species_of(genus)[0], species_of(genus)[2]
    part = next(p for p in varied(genus) if first.parts[p] != other.parts[p])
    page.segmented_control(key=f"studio-{genus}-{part}").set_value(other.parts[part]).run()
    assert f"**{plain(other.name)}**" in said(page)
    assert answers(page)[0] == expected(folder, Sketch.of(other.parts, 0), Switches.all())
    # What sets the two apart is named, and it is that part alone.
    page.selectbox(key=f"studio-versus-{other.name}").set_value(first.name).run()
    assert not page.exception
    assert f"what sets them apart, if it is there: {part}." in said(page)
    page.segmented_control(key="studio-outline").set_value(False).run()
    assert "what sets them apart" not in said(page)
    # A look of another genus makes it a bird of no species.
    look = species_of(GENERA[1])[0].parts["eye"]
    page.selectbox(key=f"studio-{genus}-eye").set_value(look).run()
    assert not page.exception
    assert "no species that the model knows" in said(page)


def test_another_scene_is_another_picture_of_the_same_bird(page: AppTest, folder: Path) -> None:
    bird = species_of(GENERA[0])[0]
    next(b for b in page.button if b.label == "Another scene").click().run()
    assert not page.exception
    assert f"**{plain(bird.name)}**" in said(page)
    assert answers(page)[0] == expected(folder, Sketch.of(bird.parts, 1), Switches.all())
    page.selectbox(key="studio-genus").set_value(GENERA[3]).run()
    assert f"**{plain(species_of(GENERA[3])[0].name)}**" in said(page)


def test_without_a_model_of_these_birds_it_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store.save(tiny_model(), tmp_path / "others", list("abcde"), title="Others")
    monkeypatch.setattr(store, "folders", lambda: [tmp_path])
    assert "train the recipe `partbirds`" in said(goes_to(app(), "studio"))
