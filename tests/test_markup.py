"""HTML of what people look at in notebooks: its figures, and that no text of a card is markup."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from tiny import CLASSES, SIZE, photos, tiny_model

import lafe
from lafe import PRESETS, Switches, markup
from lafe.branches import EVERY_BRANCH, STAGES
from lafe.checkpoints.card import Card
from lafe.checkpoints.trained import Trained

HOSTILE = "<script>alert('1')</script> & \"<img src=x onerror=y>\""


class Page(HTMLParser):
    """The tags of a text, and the cells of its rows."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.captions: list[str] = []
        self.rows: list[list[str]] = []
        self._into: list[str] | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert attrs == []
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th", "caption"):
            self._into = self.captions if tag == "caption" else self.rows[-1]
            self._into.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "caption"):
            self._into = None

    def handle_data(self, data: str) -> None:
        assert self._into is not None, data
        self._into[-1] += data


def page(shown: object) -> Page:
    found = Page(shown._repr_html_())  # type: ignore[attr-defined]
    assert found.tags <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    return found


@pytest.fixture(scope="module")
def trained() -> Trained:
    model = tiny_model()
    card = Card(
        HOSTILE, [f"{HOSTILE} {i}" for i in range(CLASSES)], model.config, SIZE, [0.5] * 3,
        [0.5] * 3, "0" * 64, title=HOSTILE, licence=HOSTILE, data={"name": HOSTILE},
        verdict=HOSTILE, limits=[HOSTILE], figures={HOSTILE: {"top1": 0.75, HOSTILE: 1}},
    )  # fmt: skip
    found = Trained(card)
    found.load_state_dict(model.state_dict())
    return found.eval()


@pytest.fixture(scope="module")
def photo(trained: Trained) -> lafe.Prepared:
    return lafe.prepare(trained, photos(1))


def test_a_card_from_a_stranger_is_text(trained: Trained) -> None:
    found = page(trained.card)
    assert found.captions == [HOSTILE]
    values = {key: value for key, value in found.rows}
    assert values["licence"] == values["verdict"] == values["limits"] == HOSTILE
    assert values[f"{HOSTILE} photos"] == f"top1 0.75, {HOSTILE} 1"
    assert page(trained).rows == found.rows
    assert "limits" not in {key for key, _ in page(replace(trained.card, limits=[])).rows}


def test_a_photo_shows_its_likeliest_classes(trained: Trained, photo: lafe.Prepared) -> None:
    rows = page(photo).rows[1:]
    given = photo.probabilities(Switches.all())
    assert [name for name, _ in rows] == [trained.card.classes[i] for i in (-given).argsort()]
    assert [float(p) for _, p in rows] == pytest.approx(sorted(given.tolist())[::-1], rel=1e-3)


def test_a_table_shows_its_presets_and_the_worth_of_branches(photo: lafe.Prepared) -> None:
    table = lafe.factorial(photo)
    rows = page(table).rows
    presets = {name: (int(label), float(p)) for name, label, p in rows[1 : 1 + len(PRESETS)]}
    for name, switches in PRESETS.items():
        p = photo.probabilities(switches)
        assert presets[name] == (int(p.argmax()), pytest.approx(float(p.max()), rel=1e-3))
    target = presets["full"][0]
    worth = [[float(v) for v in row[1:]] for row in rows[-len(STAGES) :]]
    full, none = (float(photo.probabilities(s)[target]) for s in (Switches.all(), Switches.none()))
    assert sum(map(sum, worth)) == pytest.approx(full - none, abs=1e-3)


def test_evidence_shows_terms_that_add_up(photo: lafe.Prepared) -> None:
    e = lafe.evidence(photo)
    rows = page(e).rows[1:]
    assert [row[0] for row in rows] == ["bias", "backbone", "dis", "con"]
    assert sum(float(row[1]) for row in rows) == pytest.approx(e.logit, rel=1e-2)
    assert float(rows[2][3]) == pytest.approx(float(e.dis.max()), rel=1e-3)


def test_the_evidence_of_branches_adds_up_to_the_change(photo: lafe.Prepared) -> None:
    b = lafe.branch_evidence(photo, steps=4)
    rows = page(b).rows[1:]
    assert [row[0] for row in rows] == [*map(str, EVERY_BRANCH), "constant", "gap"]
    assert sum(float(row[1]) for row in rows) == pytest.approx(b.change, abs=1e-2)


def test_a_swap_and_sufficient_places_show_the_lead_after_each(
    trained: Trained, photo: lafe.Prepared
) -> None:
    other, names = lafe.prepare(trained, photos(1, seed=4)), trained.card.classes
    target = int(photo.logits(Switches.all()).argsort()[-2])
    swap = lafe.swap(photo, other, target=target)
    found = page(swap)
    assert found.captions == [
        f"{names[target]} above {names[swap.source]}: places of F5 that are replaced"
    ]
    leads = (swap.logits[:, target] - swap.logits[:, swap.source]).tolist()
    edits = [
        [str(p), str(q), f"{lead:.4g}"] for (p, q), lead in zip(swap.edits, leads, strict=True)
    ]
    assert found.rows[2:] == edits
    assert float(found.rows[1][2]) < 0 < float(found.rows[-1][2])

    enough = lafe.sufficient(photo)
    found = page(enough)
    a, b = enough.target, enough.versus
    assert found.captions == [f"{names[a]} rather than {names[b]}: places that suffice"]
    assert [row[0] for row in found.rows[1:]] == ["bias", *map(str, enough.places)]
    assert float(found.rows[1][1]) == pytest.approx(
        float(enough.bias[a] - enough.bias[b]), rel=1e-3
    )
    assert float(found.rows[-1][1]) > 0


def test_a_region_shows_terms_that_add_up(photo: lafe.Prepared) -> None:
    mask = np.zeros((12, 12), bool)
    mask[:6, :4] = True
    found = lafe.region(photo, mask, target=1)
    values = {key: float(value) for key, value in page(found).rows}
    terms = [values[key] for key in ("inside", "outside", "bias")]
    assert sum(terms) == pytest.approx(values["logit"], abs=2e-3)
    assert values["logit"] == pytest.approx(float(photo.logits(Switches.all())[1]), rel=1e-2)
    assert values["share of the photo"] == pytest.approx(1 / 6, rel=1e-3)
    assert values["share of the evidence"] == pytest.approx(found.share, rel=1e-3)


def test_a_depth_shows_which_levels_are_sure(photo: lafe.Prepared) -> None:
    of_all = {"order": [HOSTILE] * CLASSES}
    found = lafe.depth(photo, levels=of_all, sure=1.0 - 1e-6)
    rows = page(found).rows[1:]
    assert rows == [
        ["class", photo.card.classes[int(photo.probabilities(Switches.all()).argmax())],
         f"{found.levels[0].probability:.4g}", ""],
        ["order", HOSTILE, "1", "sure"],
    ]  # fmt: skip
    assert page(found).captions == ["Sure from 1 on, not calibrated"]


def test_an_attribution_shows_its_sum(photo: lafe.Prepared) -> None:
    a = lafe.attribute(photo, method="evidence")
    values = dict(page(a).rows)
    assert float(values["sum"]) == pytest.approx(float(a.map.sum()), rel=1e-3)


def test_a_record_shows_every_branch(trained: Trained) -> None:
    with lafe.record(trained) as r:
        assert r._repr_html_() == "Nothing was recorded yet."
        with torch.no_grad():
            trained(photos(2), Switches.all().without("c_con"))
    found = page(r)
    assert found.captions == ["A pass of 2 photos"]
    rows = {row[0]: row[1:] for row in found.rows[1:]}
    assert rows.keys() == {*map(str, EVERY_BRANCH)}
    assert rows["r_dis5"][0] == str(tuple(r[5, "r_dis"].map.shape))
    assert float(rows["r_dis5"][3]) == pytest.approx(float(r[5, "r_dis"].gate.mean()), rel=1e-3)
    assert rows["c_con4"][1] == "0"


def test_a_table_of_html_escapes_every_cell() -> None:
    html = markup.table("<b>", ["<i>"], [["&", 0.123456], ["x", None]])
    found = Page(html)
    assert found.captions == ["<b>"]
    assert found.rows == [["<i>"], ["&", "0.1235"], ["x", "None"]]
