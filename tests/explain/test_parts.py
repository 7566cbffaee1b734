"""Evidence by part: a locator that is known by hand, and one that is fitted to planted parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import CLASSES, photos, tiny_model
from torch.nn import functional as F

import lafe
from lafe import Prepared
from lafe.checkpoints.store import save
from lafe.data import load_benchmark, partbirds
from lafe.data.partbirds import write as write_birds
from lafe.explain.parts import BESIDE, REST, Locator, LocatorError, by_part, read, stacked, write
from lafe.measure.locator import DRAWN, NAMES, errors, fit, measure, places


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = [f"bird {i}" for i in range(CLASSES)]
    return save(tiny_model(), tmp_path_factory.mktemp("model") / "tiny", names)


@pytest.fixture(scope="module")
def photo(folder: Path) -> Prepared:
    return lafe.prepare(lafe.load(folder), photos(1))


@pytest.fixture(scope="module")
def locator(photo: Prepared) -> Locator:
    """Of random weights: some of each part everywhere."""
    channels = stacked(photo.features).shape[1]
    weight = torch.randn(len(NAMES), channels, generator=torch.Generator().manual_seed(0))
    error = {"within one place": 0.75, "by the centre": 0.25}
    return Locator(NAMES, weight, torch.zeros(len(NAMES)), photo.card.sha256, error)


def test_features_are_stacked_place_by_place(photo: Prepared) -> None:
    f4, f5 = photo.features[-2:]
    found = stacked(photo.features)
    torch.testing.assert_close(found[0, -f5.shape[1] :, 2, 1], f5[0, :, 2, 1])
    corners = f4[0, :, 4:6, 2:4]
    torch.testing.assert_close(found[0, : f4.shape[1], 2, 1], corners.mean((1, 2)))


def test_all_of_the_evidence_is_named_once(photo: Prepared, locator: Locator) -> None:
    found = by_part(photo, locator, target=1, versus=3)
    e = lafe.evidence(photo, target=1, versus=3)
    says = e.backbone + e.dis + e.con
    assert found.whole == pytest.approx(float(says.sum()), abs=1e-5)
    assert sum(found.parts.values()) == pytest.approx(found.whole, abs=1e-5)
    assert sum(map(found.share, found.parts)) == pytest.approx(1, abs=1e-4)
    throat = NAMES.index("throat")
    scores = torch.einsum("pc,chw->phw", locator.weight, stacked(photo.features)[0])
    likely = scores.exp() / scores.exp().sum(0)
    assert found.parts["throat"] == pytest.approx(float((likely[throat] * says).sum()), abs=1e-5)
    assert list(found.parts.values()) == sorted(found.parts.values(), reverse=True)


def test_a_locator_is_written_and_read(
    folder: Path, photo: Prepared, locator: Locator, tmp_path: Path
) -> None:
    model = lafe.load(folder)
    with pytest.raises(LocatorError, match="run `lafe locator"):
        read(tmp_path, model)
    write(tmp_path, locator)
    found = read(tmp_path, model)
    assert (found.names, found.sha256, found.error) == (NAMES, locator.sha256, locator.error)
    torch.testing.assert_close(found.weight, locator.weight, rtol=1e-3, atol=1e-3)
    other = replace(locator, sha256="0" * 64)
    with pytest.raises(LocatorError, match="another model"):
        by_part(photo, other)
    write(tmp_path, other)
    with pytest.raises(LocatorError, match="other weights"):
        read(tmp_path, model)
    (tmp_path / "parts.safetensors").write_bytes(b"no tensors")
    with pytest.raises(LocatorError, match="cannot be read"):
        read(tmp_path, model)


def test_planted_parts_are_found() -> None:
    """Each part raises a channel of its own, over noise and at another scale."""
    random = torch.Generator().manual_seed(0)
    names = ("throat", "wing", REST, BESIDE)
    there = torch.randint(4, (60, 5, 5), generator=random)
    y = F.one_hot(there, 4).permute(0, 3, 1, 2).float()
    x = torch.randn(60, 7, 5, 5, generator=random)
    x[:, :4] += 4 * y
    x = 30 * x - 5
    locator = Locator(names, *fit(x[:40], y[:40], steps=300), "", {})
    p = locator.read(x[40:])
    torch.testing.assert_close(p.sum(1), torch.ones(20, 5, 5))
    assert (p.argmax(1) == there[40:]).float().mean() > 0.9


def test_errors_by_hand() -> None:
    """Two photos of 3 x 3 places; the locator reads each part's likelihood from its own channel."""
    names = ("throat", "wing", REST, BESIDE)
    locator = Locator(names, 9 * torch.eye(4), torch.zeros(4), "", {})
    x, y = torch.zeros(2, 4, 3, 3), torch.zeros(2, 4, 3, 3)
    x[:, 3] = 0.5  # beside the bird, unless something is higher
    y[:, 3] = 1
    for photo, part, said, true in (
        (0, 0, (0, 0), (1, 1)),  # one place away
        (1, 0, (0, 0), (2, 2)),  # two
        (0, 1, (2, 2), (2, 2)),
    ):
        x[(photo, part, *said)] = 1
        y[(photo, slice(None), *true)] = 0
        y[(photo, part, *true)] = 1
    found = errors(locator, x, y)
    assert found["within one place of throat"] == 0.5
    assert found["within one place of wing"] == 1
    assert found["within one place"] == 0.75
    assert found["by the centre"] == 1  # all within one place of the middle
    assert found["on the bird"] == pytest.approx(1 / 3)  # only the wing's own place


def test_places_of_drawings_hold_what_is_drawn_there(tmp_path: Path) -> None:
    """A mask of 96 px is 3 x 3 places of 32: by counting pixels, a place at a time."""
    drawn = write_birds(tmp_path / "birds", train=1, test=1, size=96)
    model = tiny_model(classes=len(partbirds.CLASSES))
    names = [bird.name for bird in partbirds.CLASSES]
    recipe = {"data": "partbirds"}
    folder = save(model, tmp_path / "tiny", names, recipe=recipe, resize=96)
    test = load_benchmark("partbirds", tmp_path / "birds", "test")
    x, y = places(lafe.load(folder), test, "partbirds")
    assert len(x) == len(y) == 24
    torch.testing.assert_close(y.sum(1), torch.ones(24, 3, 3))
    shot = next(shot for shot in drawn if not shot.train)
    picture = shot.draw(96)
    i = next(i for i, path in enumerate(test.paths) if path.as_posix().endswith(shot.file))
    for row in range(3):
        for column in range(3):
            here = picture.labels[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
            count = {part: int((here == k).sum()) for k, part in enumerate(partbirds.PARTS, 1)}
            least = 0.05 * 32 * 32
            there = {DRAWN[k] for k in torch.nonzero(y[i, :, row, column]).flatten().tolist()}
            for part, pixels in count.items():
                if pixels >= least:
                    assert part in there
                elif part in there:  # a small part, where most of it is
                    mask = picture.mask(part)
                    assert pixels == max(
                        int(mask[32 * r : 32 * r + 32, 32 * c : 32 * c + 32].sum())
                        for r in range(3)
                        for c in range(3)
                    )
            if not there & set(partbirds.PARTS):
                body = int((here == 9).sum())
                assert there == {REST if body >= least else BESIDE}
    for k, part in enumerate(DRAWN[:8]):
        assert bool(y[i, k].any()) == bool(picture.mask(part).any())

    found = measure(folder, tmp_path / "birds")
    assert set(found.error) >= {"within one place of eye", "by the centre", "on the bird"}
    assert read(folder, lafe.load(folder)).names == DRAWN


def test_a_locator_needs_parts_that_are_known(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LocatorError, match=r"CUB-200-2011 and of PartBirds"):
        measure(folder, tmp_path)
