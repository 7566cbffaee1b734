"""Several photos in one figure and one table."""

from __future__ import annotations

import csv
import io

import pytest
from PIL import Image
from tiny import tiny_model

import lafe
from lafe.branches import Switches
from lafe.checkpoints.store import save
from lafe.errors import LafeError
from lafe.render.comparison import Choice, compare
from lafe.render.sheet import Row, sheet

NAMES = ["Brandt Cormorant", "b", "c", "d", "e"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    model = lafe.load(save(tiny_model(), tmp_path_factory.mktemp("a") / "tiny", NAMES))
    settings = [Choice(model, Switches.all()), Choice(model, Switches.none())]
    photos = [Image.radial_gradient("L").convert("RGB").rotate(90 * i) for i in range(6)]
    return [Row(f"{i}.png", compare(photo, settings), "b") for i, photo in enumerate(photos)]


def test_a_row_a_photo_a_column_a_map(rows: list[Row]) -> None:
    small, more = (
        Image.open(io.BytesIO(sheet(some, maps)["figure.png"]))
        for some, maps in ((rows[:1], ["evidence"]), (rows, ["evidence", "difference"]))
    )
    assert small.width == pytest.approx(more.width, abs=2)  # as wide as a page
    assert more.height > 2 * small.height
    pdf = sheet(rows[:1], ["con"])["figure.pdf"]
    assert pdf.startswith(b"%PDF")


def test_the_table_holds_what_the_panels_say(rows: list[Row]) -> None:
    lines = list(csv.DictReader(io.StringIO(sheet(rows)["figure.csv"].decode())))
    assert len(lines) == 12
    every = [(each, panel) for each in rows for panel in each.comparison.panels]
    for line, (row, panel) in zip(lines, every, strict=True):
        name, p = panel.top(1)[0]
        assert (line["photo"], line["class"], line["true_class"]) == (row.name, name, "b")
        assert float(line["probability"]) == pytest.approx(p, abs=1e-6)


@pytest.mark.parametrize(("count", "maps"), [(0, ["final"]), (1, []), (1, ["heat"])])
def test_what_no_figure_can_be(rows: list[Row], count: int, maps: list[str]) -> None:
    with pytest.raises(LafeError):
        sheet(rows[:count], maps)
