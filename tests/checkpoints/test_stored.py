"""Killed while it is written, a checkpoint is the old one or the new; and what 0.1 wrote loads."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import CLASSES, photos, tiny_model

import lafe
from lafe.checkpoints.reading import read
from lafe.checkpoints.store import load, load_card, save
from lafe.checkpoints.stored import CARD, WEIGHTS, CheckpointError

NAMES = [f"class {k}" for k in range(CLASSES)]

WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from lafe.checkpoints.reading import read
folders = [Path(p) for p in sys.argv[1:]]
stored = [read(folder) for folder in folders[:2]]
print("ready", flush=True)
while True:
    for each in stored:
        each.write(folders[2])
"""


def test_killed_at_any_moment_a_checkpoint_is_the_old_one_or_the_new(tmp_path: Path) -> None:
    """Two checkpoints with other weights, classes and temperatures take turns in one folder."""
    made = []
    for seed, names in ((0, NAMES), (1, NAMES[::-1])):
        folder = save(tiny_model(seed), tmp_path / str(seed), names, title=str(seed))
        stored = read(folder)
        replace(stored, temperatures=torch.full((4096,), 1.0 + seed)).write(folder)
        made.append(load(folder))
    target = tmp_path / "target"
    read(tmp_path / "0").write(target)
    rng = random.Random(0)
    found = []
    for _ in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, *map(str, (tmp_path / "0", tmp_path / "1", target))],
            stdout=subprocess.PIPE,
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(rng.random() * 0.5)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        model = load(target)
        which = int(model.card.title)
        expected = made[which]
        assert model.card == expected.card
        assert torch.equal(model(photos(1)), expected(photos(1)))
        assert model.temperatures is not None
        assert float(model.temperatures[0]) == 1.0 + which
        found.append(which)
    assert set(found) == {0, 1}


def write_as_version_0_1(folder: Path, model: lafe.LAFE, means: torch.Tensor | None = None) -> None:
    """The files that version 0.1 wrote, from their description."""
    folder.mkdir(parents=True)
    weights = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    card = {
        "name": folder.name, "classes": NAMES, "model": model.config, "resize": 96,
        "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
        "sha256": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
    }  # fmt: skip
    if means is not None:
        save_file({"means": means.half()}, folder / "means.safetensors")
        sha256 = hashlib.sha256((folder / "means.safetensors").read_bytes()).hexdigest()
        field = {"score": "class_means", "threshold": 0.5, "means_sha256": sha256}
        card["unknown"] = field
    (folder / CARD).write_text(json.dumps(card))


def test_a_checkpoint_of_version_0_1_loads_and_is_written_in_the_format_of_today(
    tmp_path: Path,
) -> None:
    model, means = tiny_model(), torch.arange(CLASSES * 96).reshape(CLASSES, 96) / 7
    folder = tmp_path / "old"
    write_as_version_0_1(folder, model, means)
    old = load(folder)
    assert load_card(folder) == old.card
    for key, value in old.state_dict().items():
        own = model.state_dict()[key]
        assert torch.equal(value, own.half().float() if own.is_floating_point() else own)
    assert old.class_means is not None
    assert torch.equal(old.class_means, means.half().float())
    today = load(read(folder).write(tmp_path / "new"))
    assert today.class_means is not None
    assert torch.equal(today.class_means, old.class_means)
    assert torch.equal(today(photos(2)), old(photos(2)))
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == [CARD, WEIGHTS]


def test_what_does_not_agree_in_a_checkpoint_of_version_0_1_is_refused(tmp_path: Path) -> None:
    means = torch.zeros(CLASSES, 96)
    write_as_version_0_1(tmp_path / "a", tiny_model(), means)
    for name in (WEIGHTS, "means.safetensors"):
        file = tmp_path / "a" / name
        good = file.read_bytes()
        file.write_bytes(good[:-1] + b"x")
        with pytest.raises(CheckpointError, match="sha256 differs"):
            load(tmp_path / "a")
        file.write_bytes(good)
    (tmp_path / "a" / "means.safetensors").unlink()
    with pytest.raises(CheckpointError, match="lacks a fit means"):
        load(tmp_path / "a")
    (tmp_path / "a" / CARD).unlink()
    with pytest.raises(CheckpointError, match="has no card"):
        load(tmp_path / "a")


@pytest.mark.parametrize("name", ["birds", "cars", "aircraft"])
def test_the_checkpoints_of_this_repository_agree_with_themselves(name: str) -> None:
    folder = Path(__file__).parents[2] / "checkpoints" / name
    card = load(folder).card
    report = json.loads((folder / "report.json").read_text())
    assert report["sha256"] == card.sha256
    assert len(card.classes) == card.model["num_classes"]
    copy = json.loads((folder / CARD).read_text())
    assert copy["sha256"] == card.sha256


def test_a_foreign_file_is_no_checkpoint(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / WEIGHTS)
    with pytest.raises(CheckpointError, match="it is no checkpoint of LAFE"):
        load(tmp_path)
    assert load_file(tmp_path / WEIGHTS)["a"].shape == (2,)
    assert os.listdir(tmp_path) == [WEIGHTS]
