"""The protocol ``parts`` against brute force, on pictures that are made here."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import SIZE, tiny_model

import lafe
from lafe import Switches
from lafe.branches import EVERY_BRANCH
from lafe.checkpoints.store import save
from lafe.checkpoints.trained import Trained
from lafe.data.partbirds import CLASSES, PARTS
from lafe.measure.bootstrap import Mean
from lafe.measure.faithfulness import part_rows, part_words
from lafe.measure.faithfulness.interventions import Answers, partbirds
from lafe.measure.faithfulness.part_rows import PictureRow, Scores, Shares
from lafe.measure.faithfulness.part_scores import PartBench, measure
from lafe.measure.faithfulness.parts import THRESHOLDS, summarise
from lafe.measure.faithfulness.registry import FaithfulnessError, Order
from lafe.measure.protocols import ClaimMap, PartsSettings, PlaceShare
from lafe.measure.provenance import Provenance

NAMES = [bird.name for bird in CLASSES]
SETTINGS = PartsSettings("0" * 64, ("D", "evidence"), "PartBirds", bfloat16=False)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    model = tiny_model(classes=len(CLASSES))
    save(
        model, folder, NAMES, name="tiny", title="Tiny", resize=SIZE, data={"name": "partbirds"},
        licence="none", limits=[], recipe={"data": "partbirds"}, training={},
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> Trained:
    return lafe.load(checkpoint)


class Square:
    """A grey picture with two coloured squares and one thing, which can be taken away."""

    name, label, parts, things = "square.png", 3, ("beak", "eye"), ("twig",)

    def __init__(self, absent: str = "") -> None:
        places = {"beak": slice(10, 30), "eye": slice(40, 60), "twig": slice(70, 90)}
        self.places = {name: place for name, place in places.items() if name != absent}
        self.colours = {"beak": (255, 0, 0), "eye": (0, 255, 0), "twig": (0, 0, 255)}

    def photo(self, without: Collection[str] = ()) -> Image.Image:
        pixels = np.full((SIZE, SIZE, 3), 128, dtype=np.uint8)
        for name, place in self.places.items():
            if name not in without:
                pixels[place, place] = self.colours[name]
        return Image.fromarray(pixels)

    def masks(self) -> Mapping[str, np.ndarray]:
        found = {}
        for name, place in self.places.items():
            found[name] = np.zeros((SIZE, SIZE), dtype=bool)
            found[name][place, place] = True
        return found


def test_answers_are_those_of_the_pictures_without_parts(model: Trained) -> None:
    answers = Answers(model, Square())
    for without in (frozenset[str](), frozenset({"eye"}), frozenset({"eye", "beak", "twig"})):
        x = model.preprocess(Square().photo(without))
        with torch.no_grad():
            expected = model(x, Switches.all())[0]
        torch.testing.assert_close(answers.logits(without), expected, atol=1e-4, rtol=1e-4)
        assert answers.predict(without) == int(expected.argmax())


def test_masks_and_the_model_see_the_same_places(model: Trained) -> None:
    answers = Answers(model, Square())
    seen, bare = (answers.input(w)[0] for w in ((), ("eye",)))
    changed = (seen != bare).any(0).numpy()
    np.testing.assert_array_equal(changed, answers.masks()["eye"])


def test_what_branches_read_adds_up_to_what_they_do_on_all_parts(model: Trained) -> None:
    """Efficiency, twice: what all branches do with the parts less what they do without them."""
    directions = torch.eye(len(CLASSES), dtype=torch.float64)[:, [3, 5]]
    found = Answers(model, Square()).reads(directions)
    assert found.shape == (2, len(EVERY_BRANCH), 2)

    def done(without: Collection[str]) -> torch.Tensor:
        photo = lafe.prepare(model, Square().photo(without))
        return (photo.logits(Switches.all()) - photo.logits(Switches.none()))[[3, 5]].double()

    expected = done(()) - done(("beak", "eye"))
    torch.testing.assert_close(found.sum((1, 2)), expected, atol=1e-4, rtol=1e-4)
    # A part that the picture never held is read by nobody.
    blind = Answers(model, Square(absent="eye")).reads(directions)
    torch.testing.assert_close(blind[:, :, 1], torch.zeros_like(blind[:, :, 1]), atol=1e-9, rtol=0)
    assert blind[:, :, 0].abs().max() > 1e-3


def test_test_pictures_come_genus_by_genus(model: Trained) -> None:
    found = partbirds(50, 32)
    assert len(found.pictures) == 50
    labels = [found.pictures[i].label for i in range(50)]
    assert len({CLASSES[label].genus for label in labels[:6]}) == 6
    assert set(labels[:24]) == set(labels[24:48]) == set(range(24))
    assert len({found.pictures[i].name for i in range(50)}) == 50


def test_a_pictures_figures_are_those_of_its_maps(model: Trained) -> None:
    benchmark = replace(partbirds(1, SIZE), pictures=[partbirds(1, SIZE).pictures[0]])
    picture = benchmark.pictures[0]
    row = PartBench(model, SETTINGS, benchmark).picture(picture, reads=False)
    answers = Answers(model, picture)
    whole = answers.logits()
    assert row.right == (int(whole.argmax()) == picture.label)
    assert row.things == len(picture.things)
    assert set(row.scores) == {"D", "evidence", "random", "centre"}
    # The first threshold that nothing reaches names no part: all are removed, none is deleted.
    nothing = frozenset(PARTS)
    for one in row.scores.values():
        assert len(one.preservation) == len(one.deletion) == len(THRESHOLDS)
        assert set(one.preservation) | set(one.deletion) <= {0.0, 1.0}
    kept = float(answers.predict(nothing) == int(whole.argmax()))
    centre = row.scores["centre"]  # a blob: no part holds half of it
    assert (centre.preservation[-1], centre.deletion[-1]) == (kept, 0.0)
    assert centre.target_sensitivity in (None, 0.0)  # the same map, whatever is asked
    for shares in row.claim.values():
        assert shares.among is None or 0 <= shares.among <= 1
    area = row.claim["area"]
    assert area.differing is not None
    masks = answers.masks()
    # Of species 0 of a genus, the others differ in one part, in the other, and in both.
    assert {"crown", "tail"} <= set(masks)
    one, two = (masks[p].mean() for p in ("crown", "tail"))
    assert area.differing == pytest.approx((one + two + one + two) / 3)


def row(seed: int) -> PictureRow:
    rng = np.random.default_rng(seed)
    K = len(THRESHOLDS)

    def scores() -> Scores:
        csdc, keep, lose, off = (tuple(rng.random(K).tolist()) for _ in range(4))
        return Scores(csdc if seed % 3 else None, keep, lose, off, rng.random(), rng.random())

    shares = {name: Shares(*rng.random(3).tolist()) for name in ("evidence-dis", "area")}
    reads = {str(b): {"beak": rng.random()} for b in EVERY_BRANCH} if seed < 2 else {}
    return PictureRow(
        f"{seed}.png", bool(seed % 3), 4, seed % 2, {"D": scores()}, shares, reads, reads, 2.0
    )


def test_the_summary_is_funnybirds_of_all_pictures() -> None:
    rows = [row(seed) for seed in range(9)]
    found = part_rows.of(rows, Provenance("lafe faithfulness", "2026-01-01"), SETTINGS, {})
    expected = summarise([part_rows._picture(r, "D") for r in rows])
    one = found.maps["D"]
    assert one.threshold == expected.threshold
    for name in part_rows.SCORES + part_rows.DIMENSIONS:
        figure = getattr(one, name)
        assert figure.mean == pytest.approx(getattr(expected, name)), name
        assert figure.low <= figure.mean <= figure.high
    assert one.csdc is not None
    assert one.csdc.photos == sum(r.right for r in rows)
    claim = found.claim["evidence-dis"].differing
    assert claim is not None
    pairs = [(r.claim["evidence-dis"].differing, r.claim["area"].differing) for r in rows]
    assert claim.more.mean == pytest.approx(np.mean([a - b for a, b in pairs if a and b]))
    assert found.reads is not None
    assert found.reads.pictures == 2
    assert found.hours == pytest.approx(9 * 2 / 3600)


def test_the_published_row_is_last_and_says_that_its_data_differ() -> None:
    rows = [row(seed) for seed in range(4)]
    found = part_rows.of(rows, Provenance("lafe faithfulness", "2026-01-01"), SETTINGS, {})
    table = part_words.scores(found)
    assert len({len(column) for column in table.values()}) == 1
    assert "other data" in table["Map"][-1]
    assert [column[-1] for column in table.values()][1:] == [
        ".998", ".735", ".602", ".532", ".544", ".998", ".546", ".806", ".65"
    ]  # fmt: skip
    said = part_words.findings(found)
    assert any("parts that differ" in question for question, _ in said.answers)


def test_the_command_writes_its_place_of_the_report_and_resumes(
    checkpoint: Path, tmp_path: Path
) -> None:
    order = Order(
        checkpoint, photos=1, methods=("D", "evidence"), runs=tmp_path, out=tmp_path / "out"
    )
    lines = tmp_path / "parts-tiny.jsonl"
    measure(order)
    values = json.loads((tmp_path / "out" / "report.json").read_text())
    maps = values["faithfulness"]["protocols"]["parts"]["maps"]
    assert set(maps) == {"D", "evidence", "random", "centre"}
    assert {
        *("accuracy", "csdc", "preservation", "deletion", "distractibility", "background"),
        *("single_deletion", "target_sensitivity"),
        *("completeness", "correctness", "contrastivity", "mean"),
    } <= set(maps["D"])
    assert len(lines.read_text().splitlines()) == 2
    assert '"logit": {}' in lines.read_text()  # only one picture in 41 is taken apart as a whole
    other = replace(order, methods=("D",))
    with pytest.raises(FaithfulnessError, match="figures of other settings"):
        measure(other)


def test_photos_of_which_no_part_can_be_taken_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    save(
        tiny_model(), folder, list("abcde"), name="photos", title="", resize=SIZE,
        data={"name": "folder"}, licence="none", limits=[], recipe={"data": "folder"}, training={},
    )  # fmt: skip
    with pytest.raises(FaithfulnessError, match="no part can be taken out of a photo"):
        measure(Order(folder))


def share(mean: float, *, area: float = 0.1, spread: float = 0.02) -> PlaceShare:
    def around(value: float) -> Mean:
        return Mean(value, value - spread, value + spread, 100)

    return PlaceShare(around(mean), Mean(area, area, area, 100), around(mean - area))


@pytest.mark.parametrize(
    ("own", "backbone", "centre", "said"),
    [
        (0.05, 0.3, 0.2, "No, less than by area"),
        (0.11, 0.3, 0.2, "No, as much as by area"),
        (0.30, 0.1, 0.29, "No: more than by area, but no more than the control “Centred blob”"),
        (0.30, 0.29, 0.2, "No more than the backbone's evidence does, though more than by area"),
        (0.30, 0.20, 0.2, "Yes, more than by area, and more than the backbone's evidence"),
    ],
)
def test_a_claim_holds_only_beside_the_backbone_and_what_knows_no_model(
    own: float, backbone: float, centre: float, said: str
) -> None:
    rivals = {"evidence-backbone": share(backbone), "centre": share(centre), "random": share(0.1)}
    assert part_words._verdict(share(own), rivals) == said


@pytest.mark.parametrize(
    ("among", "said"),
    [(0.2, "less than by area"), (0.41, "as much as by area"), (0.5, "more than by area")],
)
def test_what_lies_on_parts_at_all_is_held_against_the_area_of_those_that_differ(
    among: float, said: str
) -> None:
    """Evidence on the bird beats the area of any part, and yet need not tell parts apart."""
    one = ClaimMap(share(0.3), share(0.3), share(among, area=0.4))
    found = SimpleNamespace(claim={"evidence-dis": one})
    text = part_words._claimed(found, "evidence-dis", "differing", "there", share(0.3))  # type: ignore[arg-type]
    assert text.endswith(f"% lies on those that differ: {said}, 40.0 %.")
