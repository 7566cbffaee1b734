"""The soak of ``scripts/soak.py``, on a small scale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lafe.checkpoints import store
from lafe.measure import records
from lafe.measure.visits import Visits

pytest.importorskip("playwright", reason="These tests need Playwright: pip install playwright.")
import soak
from browser import NO_CHROMIUM, ROOT, chromium

from lafe import PhotoError, open_photo


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # pytest shows what open_photo hides
def test_hostile_files_are_what_they_are_called() -> None:
    half, huge, text, flood = soak.hostile_files()
    for data, said in ((half, "damaged"), (huge, "more than 30 million"), (text, "not a JPEG")):
        with pytest.raises(PhotoError, match=said):
            open_photo(data)
    assert len(huge) == 34
    assert flood.count(b"\x3b\x9a\xca\x00") == 5_000  # tags of 10^9 bytes
    with pytest.raises(PhotoError, match="damaged"):
        open_photo(flood)


def test_memory_that_grows_is_told() -> None:
    grown = Visits(1, 1, 1, (), None, None, {"after 50 uploads": 1000, "after 500 uploads": 1030})
    assert grown.growth == pytest.approx(0.03)
    assert grown.growth > soak.MOST_GROWTH


def test_memory_is_read_around_a_number_of_uploads() -> None:
    readings = [10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert soak.around(readings, 5) == [30, 40, 50, 60, 70]
    assert soak.around(readings, 9) == [50, 60, 70, 80, 90]
    assert soak.around(readings, 1) == [10, 20, 30, 40, 50]
    assert soak.around([10], 0) == [10]


def test_a_small_soak_finds_no_wrong_result(tmp_path: Path) -> None:
    """In a process of its own, as it is run by hand."""
    if chromium() is None:
        pytest.skip(NO_CHROMIUM)
    if soak.UPLOAD_TO not in store.available():
        pytest.skip(f"This test needs the checkpoint {soak.UPLOAD_TO!r}.")
    small = [
        "--visitors=2",
        "--seconds=3",
        "--think=0.5",
        "--uploads=3",
        "--restarts=1",
        f"--out={tmp_path / 'soak.json'}",
    ]
    subprocess.run([sys.executable, "scripts/soak.py", *small], cwd=ROOT, check=True)
    found = records.read(tmp_path / "soak.json", Visits)
    assert found.wrong == ()
    assert found.results_checked >= 2 + 3 + 1
    assert list(found.app_memory_kb) == ["after 3 uploads"]
    assert found.hostile >= 1
    assert found.restarts == 1
