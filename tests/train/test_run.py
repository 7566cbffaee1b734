"""A run goes on as what it was begun as, or not at all."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from coloured import BATCHES, EACH, HELD, TRAINED, in_processes

pytest.importorskip("lightning", reason="Training needs the extra 'train'.")

import lafe
from lafe.checkpoints.store import save
from lafe.data import DataError, PairSampler, load_benchmark
from lafe.train import module as training, run as runs
from lafe.train.loop import train
from lafe.train.module import TrainingError, TrainingModule
from lafe.train.photos import EpochLoader
from lafe.train.recipe import Recipe, recipe_from
from lafe.train.run import Run, RunError

FRACTION = HELD / EACH


@pytest.fixture(scope="module")
def plain(recipe: Recipe) -> Recipe:
    """A training that is over in a second or two."""
    return recipe.with_changes(attention=False, epochs=1, objective="paper", weights=None)


@pytest.fixture(scope="module")
def done(plain: Recipe, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that is over."""
    return train(plain, data, tmp_path_factory.mktemp("done"), accelerator="cpu")


@pytest.fixture
def folder(done: Path, tmp_path: Path) -> Path:
    """A copy of it, in ``tmp_path``."""
    return Path(shutil.copytree(done, tmp_path / done.name))


@pytest.fixture
def own_data(data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data, tmp_path / "data"))


def again(recipe: Recipe, data: Path, folder: Path, **options: Any) -> Path:
    return train(recipe, data, folder.parent, accelerator="cpu", **options)


# Another value for every field that decides a run.
CHANGES: dict[str, Any] = {
    "seed": 1, "lr": 0.02, "weight_decay": 0.0, "objective": "switched", "attention": True,
    "schedule": "step", "batch_size": 6, "jitter": 0.0, "resize": 80, "freeze": [],
    "val_fraction": 0.5, "average": 0.9, "probe": True, "head_bf16": True, "epochs": 2,
    "weights": "package", "smoothing": 0.1, "gates": "constant", "new_lr": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_any_other_field_is_refused_by_its_name(
    plain: Recipe, data: Path, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before work: no photo is decoded."""
    monkeypatch.setattr("lafe.train.photos.decode_readable", None)
    before = {f: f.read_bytes() for f in folder.iterdir() if f.is_file()}
    other = recipe_from(plain.to_dict() | {name: CHANGES[name]})
    said = "run of 1 epochs under one cycle" if name == "epochs" else f"is a run with {name} "
    with pytest.raises(RunError, match=rf"{said}.*--fresh, or give the recipe another name"):
        again(other, data, folder)
    assert {f: f.read_bytes() for f in folder.iterdir() if f.is_file()} == before


def test_words_for_people_may_change_and_reach_the_card(
    plain: Recipe, data: Path, folder: Path
) -> None:
    again(plain.with_changes(title="Squares", limits=("Three colours.",)), data, folder)
    card = lafe.load(folder).card
    assert (card.title, card.limits) == ("Squares", ["Three colours."])


def test_more_epochs_go_on_where_the_rate_does_not_hang_on_their_number(
    plain: Recipe, data: Path, tmp_path: Path
) -> None:
    steps = plain.with_changes(schedule="step")
    train(steps, data, tmp_path, accelerator="cpu")
    folder = train(steps.with_changes(epochs=2), data, tmp_path, accelerator="cpu")
    assert lafe.load(folder).card.recipe["epochs"] == 2
    with pytest.raises(RunError, match="is a run with epochs 2, and the recipe says 1"):
        train(steps, data, tmp_path, accelerator="cpu")


def test_a_renamed_class_is_refused(plain: Recipe, own_data: Path, folder: Path) -> None:
    for split in ("train", "val", "test"):
        (own_data / split / "red_square").rename(own_data / split / "a_red_square")
    with pytest.raises(RunError, match=r"other classes .'blue square' where there is 'a red"):
        again(plain, own_data, folder)


@pytest.mark.parametrize("change", ["one less", "one more", "another name"])
def test_other_photos_are_refused(plain: Recipe, own_data: Path, folder: Path, change: str) -> None:
    photos = own_data / "train" / "red_square"
    first = photos / "0.png"
    if change == "one less":
        first.unlink()
    elif change == "one more":
        shutil.copy(first, photos / "new.png")
    else:
        first.rename(photos / "other.png")
    with pytest.raises(RunError, match=r"is a run on other photos: its split '(train|val)' had"):
        again(plain, own_data, folder)
    assert again(plain, own_data, folder, fresh=True) == folder  # the way out


def test_the_same_photos_elsewhere_are_the_same(
    plain: Recipe, own_data: Path, folder: Path
) -> None:
    again(plain, own_data, folder)


def test_a_run_of_version_0_1_is_known_by_its_card(plain: Recipe, data: Path, folder: Path) -> None:
    (folder / runs.RECORD).unlink()
    with pytest.raises(RunError, match="is a run with seed 0, and the recipe says 5"):
        again(plain.with_changes(seed=5), data, folder)
    again(plain, data, folder)
    assert (folder / runs.RECORD).is_file()
    (folder / runs.RECORD).unlink()
    (folder / "model.safetensors").unlink()
    with pytest.raises(RunError, match="did not note what it is of"):
        again(plain, data, folder)
    (folder / runs.RECORD).write_text("{")
    with pytest.raises(RunError, match=r"run\.json cannot be used"):
        again(plain, data, folder)


def kill_at(epoch: int, batch: int) -> Callable[..., Any]:
    step = TrainingModule.training_step

    def killed(self: TrainingModule, given: Any, index: int) -> Any:
        if (self.current_epoch, index) == (epoch, batch):
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, given, index)

    return killed


@pytest.mark.parametrize("epoch", [0, 1])
def test_killed_a_run_is_still_known(plain: Recipe, data: Path, tmp_path: Path, epoch: int) -> None:
    """In its first epoch nothing is lost by starting over; later, only the same run goes on."""
    own = plain.with_changes(epochs=2)

    def killed() -> None:
        TrainingModule.training_step = kill_at(epoch, 1)  # type: ignore[method-assign]
        train(own, data, tmp_path, accelerator="cpu")

    assert in_processes(killed) == [-signal.SIGKILL]
    other = own.with_changes(seed=4)
    if epoch:
        with pytest.raises(RunError, match="seed"):
            train(other, data, tmp_path, accelerator="cpu")
    else:
        own = other
    card = lafe.load(train(own, data, tmp_path, accelerator="cpu")).card
    assert card.recipe == own.to_dict()


def test_a_fresh_run_that_is_killed_at_once_does_not_bring_the_old_one_back(
    plain: Recipe, data: Path, folder: Path
) -> None:
    own = plain.with_changes(seed=9)

    def killed() -> None:
        TrainingModule.training_step = kill_at(0, 0)  # type: ignore[method-assign]
        again(own, data, folder, fresh=True)

    assert in_processes(killed) == [-signal.SIGKILL]
    with pytest.raises(RunError, match="holds a checkpoint"):  # the old one, which is whole
        again(own, data, folder)
    again(own, data, folder, fresh=True)
    assert lafe.load(folder).card.recipe["seed"] == 9


def test_unreadable_photos_are_listed_all_at_once_and_can_be_passed_over(
    plain: Recipe, own_data: Path, tmp_path: Path
) -> None:
    bad = {
        own_data / "train" / "red_square" / "0.png": b"",
        own_data / "train" / "blue_square" / "1.png": b"no picture",
        own_data / "train" / "green_square" / "2.png": b"",
    }
    good = (own_data / "train" / "green_square" / "3.png").read_bytes()
    for file, content in bad.items():
        file.write_bytes(content or good[: len(good) // 2])
    with pytest.raises(DataError, match=r"3 photos cannot be read.*--skip-bad") as caught:
        train(plain, own_data, tmp_path / "runs", accelerator="cpu")
    assert all(str(file) in str(caught.value) for file in bad)
    folder = train(plain, own_data, tmp_path / "runs", skip_bad=True, accelerator="cpu")
    of = lafe.load(folder).card.training
    assert of["photos"] + of["held_out"] == 3 * EACH - 3
    again(plain, own_data, folder, skip_bad=True)
    next(iter(bad)).write_bytes(good)  # one is mended: other photos than before
    with pytest.raises(RunError, match="passed over other unreadable photos"):
        again(plain, own_data, folder, skip_bad=True)


def test_a_loss_that_is_not_finite_ends_the_training_with_a_sentence(
    plain: Recipe, data: Path, tmp_path: Path
) -> None:
    wild = plain.with_changes(lr=1e5, epochs=3)
    said = r"^The loss is not finite in epoch 1, step \d.*smaller lr"
    with pytest.raises(TrainingError, match=said):
        train(wild, data, tmp_path, accelerator="cpu")
    assert not (tmp_path / "squares" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("loss", f"^The loss is not finite in epoch 2, step {BATCHES + 1} "),
        ("weights", "^A logit of a held-out photo is not finite in epoch 2"),
    ],
)
def test_an_epoch_of_nan_never_takes_the_place_of_the_best(
    plain: Recipe,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    said: str,
) -> None:
    """Nor does an epoch whose last step left weights that are not finite."""
    parts, step = training.loss_parts, itertools.count(1)

    def spoiled(model: lafe.LAFE, con: Any, recipe: Recipe, x: torch.Tensor, *more: Any) -> Any:
        found = parts(model, con, recipe, x, *more)
        if where == "loss":
            found["cls"] = found["cls"] * torch.nan
        elif next(step) == BATCHES:
            found["cls"].register_hook(lambda gradient: gradient * torch.nan)
        return found

    own = plain.with_changes(schedule="step")
    train(own, data, tmp_path, accelerator="cpu")
    best = tmp_path / "squares" / "best.ckpt"
    before = best.read_bytes()
    monkeypatch.setattr(training, "loss_parts", spoiled)
    with pytest.raises(TrainingError, match=said):
        train(own.with_changes(epochs=2), data, tmp_path, accelerator="cpu")
    assert best.read_bytes() == before
    state = torch.load(best, weights_only=True)["state_dict"]
    assert all(v.isfinite().all() for v in state.values())


def test_with_no_photo_held_out_all_are_trained_on_and_the_last_epoch_is_kept(
    plain: Recipe, data: Path, tmp_path: Path
) -> None:
    folder = train(plain.with_changes(val_fraction=0, epochs=2), data, tmp_path, accelerator="cpu")
    of = lafe.load(folder).card.training
    assert (of["photos"], of["held_out"], of["best_epoch"]) == (3 * EACH, 0, 2)
    assert "val_top1" not in of
    state = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    for key, value in lafe.load(folder).state_dict().items():
        own = state[f"model.{key}"]
        assert torch.equal(value, own.half().float() if own.is_floating_point() else own)
    assert not (folder / "best.ckpt").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_training_that_is_stopped_says_so_and_goes_on(
    plain: Recipe, data: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    own = plain.with_changes(epochs=300, schedule="step")
    (tmp_path / "squares.yaml").write_text(yaml.safe_dump(own.to_dict()))
    command = [
        sys.executable, "-m", "lafe.cli.main", "train", str(tmp_path / "squares.yaml"), "--data",
        str(data), "--out", str(tmp_path), "--device", "cpu",
    ]  # fmt: skip
    # A shell's background job ignores Ctrl-C, and so would what it starts.
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    last = tmp_path / "squares" / "last.ckpt"
    for _ in range(6000):
        if last.is_file() or process.poll() is not None:
            break
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == code, said
    assert not (tmp_path / "squares" / "model.safetensors").exists()
    reached = torch.load(last, weights_only=True)["epoch"]
    train(own.with_changes(epochs=301), data, tmp_path, accelerator="cpu", max_steps=1)
    assert torch.load(last, weights_only=True)["epoch"] >= reached


class Numbers(torch.utils.data.Dataset[torch.Tensor]):
    """As random as an augmentation."""

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.rand(3) + index

    def __len__(self) -> int:
        return 6


def test_what_is_drawn_for_a_photo_changes_with_the_epoch_and_with_nothing_else() -> None:
    """Or every epoch would augment alike, and a resumed run would see other photos."""
    sampler = PairSampler([0, 0, 1, 1, 2, 2], 2, seed=5)
    loader = EpochLoader(Numbers(), batch_sampler=sampler)

    def epoch(number: int) -> dict[int, list[float]]:
        sampler.set_epoch(number)
        torch.rand(number + 3)  # whatever happened before
        return {int(row[0]): (row % 1).tolist() for batch in loader for row in batch}

    first, second, again = epoch(0), epoch(1), epoch(0)
    assert first == again
    assert all(first[i] != second[i] for i in range(6))
    assert len({str(v) for v in (*first.values(), *second.values())}) == 12


def test_a_run_is_compared_split_by_split(plain: Recipe, data: Path, tmp_path: Path) -> None:
    """Photos that change sides are other photos, even where the lists together are the same."""
    train_split, val = (
        load_benchmark("folder", data, split, val_fraction=FRACTION) for split in ("train", "val")
    )
    assert len(train_split) == TRAINED
    run = Run.of(plain, {"train": train_split, "val": val})
    run.write(tmp_path)
    runs.check(tmp_path, run)
    moved = replace(run, fingerprints={"train": "0" * 64, "val": run.fingerprints["val"]})
    with pytest.raises(RunError, match="its split 'train' had"):
        runs.check(tmp_path, moved)


def test_a_checkpoint_that_is_no_run_is_not_replaced_unasked(
    plain: Recipe, data: Path, tmp_path: Path
) -> None:
    """Such as one that was copied here, or one whose run's state was removed."""
    model = lafe.LAFE("test_resnet", 3, 64, attention=False)
    save(model, tmp_path / "squares", ["a", "b", "c"])
    before = {f: f.read_bytes() for f in (tmp_path / "squares").iterdir()}
    with pytest.raises(RunError, match=r"holds a checkpoint, and no last\.ckpt.*--fresh"):
        train(plain, data, tmp_path, accelerator="cpu")
    assert {f: f.read_bytes() for f in (tmp_path / "squares").iterdir()} == before
    folder = train(plain, data, tmp_path, accelerator="cpu", fresh=True)
    assert lafe.load(folder).card.recipe == plain.to_dict()
    assert np.isclose(lafe.load(folder).card.training["best_epoch"], 1)
