"""What a crop is worth, against every photo looked at by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import tiny_model

import lafe
from lafe.checkpoints.store import save
from lafe.checkpoints.trained import Trained
from lafe.data.photo import Box
from lafe.explain.crop import propose
from lafe.explain.prepare import prepare
from lafe.measure import crops

BOX: Box = (0.25, 0.25, 0.75, 0.75)
COUNT = 16


def photo(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((120, 100), Image.Resampling.BICUBIC)


def cut(picture: Image.Image, box: Box) -> Image.Image:
    w, h = picture.size
    return picture.crop(
        (round(box[0] * w), round(box[1] * h), round(box[2] * w), round(box[3] * h))
    )


@torch.no_grad()
def sure(model: Trained, picture: Image.Image) -> tuple[int, float]:
    """The class that a forward pass says, and its raw probability."""
    p = model(model.preprocess(picture))[0].softmax(0)
    return int(p.argmax()), float(p.max())


@pytest.fixture
def model(tmp_path: Path) -> Trained:
    """A model that finds half of the photos unfamiliar."""
    plain = tiny_model()
    plain.classifier.weight.data.mul_(20)
    save(plain, tmp_path / "tiny", list("abcde"))
    read = lafe.load(tmp_path / "tiny")
    logits = torch.cat([read(read.preprocess(photo(i))).detach() for i in range(COUNT)])
    plain.classifier.bias.data -= logits.mean(0)  # no class is everyone's
    save(plain, tmp_path / "tiny", list("abcde"))
    known = [sure(lafe.load(tmp_path / "tiny"), photo(i))[1] for i in range(COUNT)]
    unknown = {"score": "max_probability", "threshold": float(np.median(known))}
    save(plain, tmp_path / "tiny", list("abcde"), unknown=unknown)
    return lafe.load(tmp_path / "tiny")


def test_every_column_is_what_each_photo_gives_by_itself(model: Trained) -> None:
    labels = [i % 5 for i in range(COUNT)]
    right: dict[str, list[bool]] = {name: [] for name in ("whole", "crop", "box", "ruled")}
    proposals = offers = 0
    for i, label in enumerate(labels):
        said, p = sure(model, photo(i))
        found = propose(prepare(model, photo(i)), photo(i), model)
        part = photo(i) if found is None else cut(photo(i), found.box)
        cropped, q = sure(model, part)
        offered = found is not None and p < model.card.unknown["threshold"] and q > p
        proposals += found is not None
        offers += offered
        right["whole"].append(said == label)
        right["crop"].append(cropped == label)
        right["box"].append(sure(model, cut(photo(i), BOX))[0] == label)
        right["ruled"].append((cropped if offered else said) == label)
    found_all = crops._measure("x", model, iter([(photo(i), BOX, labels[i]) for i in range(COUNT)]))
    for name, each in right.items():
        assert getattr(found_all, name) == pytest.approx(np.mean(each)), name
    assert (found_all.photos, found_all.proposed, found_all.offered) == (COUNT, proposals, offers)
    assert 0 < offers < proposals  # both happen
    assert len({tuple(each) for each in right.values()}) == 4  # no column passes for another


def test_overlap_by_hand() -> None:
    assert crops._overlap((0, 0, 0.5, 0.5), (0.25, 0.25, 0.75, 0.75)) == pytest.approx(1 / 7)
    assert crops._overlap((0, 0, 0.2, 0.2), (0.5, 0.5, 1, 1)) == 0
