"""Training on coloured squares: what is logged and kept, kills and resumes, two processes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("lightning", reason="Training needs the extra 'train'.")

from coloured import BATCHES, EACH, HELD, TRAINED, in_processes
from lightning.pytorch.plugins.io import TorchCheckpointIO
from sharded import pack

import lafe
from lafe.data import DecodedDataset, cache, load_benchmark
from lafe.train import module as training
from lafe.train.callbacks import AtomicCheckpointIO
from lafe.train.loop import train
from lafe.train.module import TrainingError, TrainingModule
from lafe.train.recipe import Recipe, RecipeError
from lafe.train.scale import Scale, apply_scale

Event = dict[str, Any]


class Spy:
    """Writes what a training does to a file, line by line, and may end it."""

    def __init__(
        self,
        file: Path,
        patch: pytest.MonkeyPatch,
        *,
        end: Callable[[int, int], None] = lambda epoch, batch: None,
        falling: bool = False,
    ) -> None:
        read: deque[int] = deque()  # the loader is a batch ahead
        drawn: list[str] = []
        get, step, validate = (
            DecodedDataset.__getitem__,
            TrainingModule.training_step,
            TrainingModule.validation_step,
        )
        draw = training.draw

        def spied_get(self: DecodedDataset, index: int) -> Any:
            if len(self) == TRAINED:
                read.append(index)
            return get(self, index)

        def spied_draw(*args: Any) -> Any:
            found = draw(*args)
            drawn[:] = map(str, found.settings)
            return found

        def log(**event: Any) -> None:
            with file.open("a") as f:
                f.write(json.dumps(event) + "\n")

        def spied_step(self: TrainingModule, batch: Any, index: int) -> Any:
            end(self.current_epoch, index)
            loss = step(self, batch, index)
            photos = [read.popleft() for _ in batch[1]]
            log(epoch=self.current_epoch, photos=photos, settings=drawn, loss=float(loss.detach()))
            return loss

        def spied_validation(self: TrainingModule, batch: Any, index: int) -> None:
            total = sum(float(p.detach().double().abs().sum()) for p in self.parameters())
            log(epoch=self.current_epoch, validated=len(batch[1]), weights=total)
            if falling:  # the first epoch stays the best one
                self.log("val/top1", 1 / (1 + self.current_epoch))
            else:
                validate(self, batch, index)

        patch.setattr(DecodedDataset, "__getitem__", spied_get)
        patch.setattr(training, "draw", spied_draw)
        patch.setattr(TrainingModule, "training_step", spied_step)
        patch.setattr(TrainingModule, "validation_step", spied_validation)


def steps(file: Path) -> list[Event]:
    """The training steps that a spy saw."""
    events = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [e for e in events if "photos" in e]


def validations(file: Path) -> list[Event]:
    return [e for e in map(json.loads, file.read_text().splitlines()) if "validated" in e]


def seen(events: list[Event], epoch: int) -> list[int]:
    return [i for e in events if e["epoch"] == epoch for i in e["photos"]]


def csv_rows(folder: Path) -> list[dict[str, str]]:
    files = sorted((folder / "csv").glob("version_*/metrics.csv"))
    return [row for file in files for row in csv.DictReader(file.open())]


def column(folder: Path, name: str) -> dict[int, float]:
    return {int(r["epoch"]): float(r[name]) for r in csv_rows(folder) if r.get(name) and r["epoch"]}


def checkpoint(file: Path) -> dict[str, Any]:
    return torch.load(file, map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def uncut(
    data: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Event]]:
    """A whole run of three epochs: its folder, and what its steps saw."""
    work = tmp_path_factory.mktemp("uncut")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        Spy(work / "spy.jsonl", patch)
        folder = train(recipe, data, accelerator="cpu")
    return work / folder, steps(work / "spy.jsonl")


def test_a_run_leaves_its_folder_and_nothing_else(uncut: tuple[Path, list[Event]]) -> None:
    folder, _ = uncut
    assert {p.name for p in folder.parents[1].iterdir()} == {"runs", "spy.jsonl"}
    assert folder == folder.parents[1] / "runs" / "squares"
    assert {p.name for p in folder.iterdir()} == {
        "best.ckpt", "last.ckpt", "run.json", "model.safetensors", "card.json", "csv",
        "tensorboard",
    }  # fmt: skip
    assert list((folder / "tensorboard").glob("events.*"))


def test_every_photo_is_seen_once_an_epoch_next_to_one_of_its_class(
    uncut: tuple[Path, list[Event]], data: Path, recipe: Recipe
) -> None:
    _, events = uncut
    labels = load_benchmark("folder", data, "train", val_fraction=HELD / EACH).labels
    assert len(labels) == TRAINED
    for epoch in range(3):
        assert sorted(seen(events, epoch)) == list(range(TRAINED))
    orders = [seen(events, epoch) for epoch in range(3)]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    for e in events:
        batch = [labels[i] for i in e["photos"]]
        assert len(batch) <= recipe.batch_size
        paired = sum(a == b for a, b in zip(batch[::2], batch[1::2], strict=False))
        assert paired >= len(batch) // 2 - 1  # leftovers of the three classes
    assert len({str(e["settings"]) for e in events}) > BATCHES


def test_what_is_logged(uncut: tuple[Path, list[Event]], recipe: Recipe) -> None:
    folder, events = uncut
    for epoch, mean in column(folder, "train/loss").items():
        losses = [(e["loss"], len(e["photos"])) for e in events if e["epoch"] == epoch]
        total = sum(value * n for value, n in losses) / sum(n for _, n in losses)
        assert mean == pytest.approx(total, rel=1e-4)
    for name in ("train/cls", "train/dis", "train/con", "val/top1", "val/top1_none"):
        assert sorted(column(folder, name)) == [0, 1, 2]
    # The cycle of the learning rate, at the start of each epoch; new layers at twice the rate.
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=recipe.lr, total_steps=3 * BATCHES, cycle_momentum=False
    )
    expected = []
    for i in range(3 * BATCHES):
        if i % BATCHES == 0:
            expected.append(cycle.get_last_lr()[0])
        optimizer.step()
        cycle.step()
    rates = [[float(r[f"lr-SGD/pg{i}"]) for r in csv_rows(folder) if r[f"lr-SGD/pg{i}"]]
             for i in (1, 2)]  # fmt: skip
    assert rates[0] == pytest.approx(expected)
    assert rates[1] == pytest.approx([2 * r for r in expected])


def test_the_checkpoint_is_the_best_epoch(
    uncut: tuple[Path, list[Event]], data: Path, recipe: Recipe
) -> None:
    folder, _ = uncut
    model = lafe.load(folder)
    top1 = column(folder, "val/top1")
    training_of = model.card.training
    assert training_of["val_top1"] == pytest.approx(max(top1.values()))
    best = [epoch for epoch, value in top1.items() if value == max(top1.values())]
    assert training_of["best_epoch"] - 1 == best[-1]  # of equals, the one trained longest
    assert (training_of["photos"], training_of["held_out"]) == (TRAINED, 9)
    assert model.card.classes == ["blue square", "green square", "red square"]
    assert model.card.name == "squares"
    assert model.card.recipe == recipe.to_dict()
    weights = checkpoint(folder / "best.ckpt")["state_dict"]
    for key, value in model.state_dict().items():
        expected = weights[f"model.{key}"]
        half = value.is_floating_point() and ".gate.reduce." not in key
        assert torch.equal(value, expected.half().float() if half else expected)
    held = load_benchmark("folder", data, "val", val_fraction=HELD / EACH)
    with torch.no_grad():
        x = torch.cat([model.preprocess(held.photo(i)) for i in range(len(held))])
        right = (model(x).argmax(1) == torch.tensor(held.labels)).float().mean()
    assert float(right) == pytest.approx(max(top1.values()), abs=1 / 9 + 0.01)  # float16


def test_the_last_epoch_is_kept_where_a_recipe_says_so(
    data: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Spy(tmp_path / "log.jsonl", monkeypatch, falling=True)
    folder = train(recipe.with_changes(keep="last"), data, tmp_path, accelerator="cpu")
    model = lafe.load(folder)
    training_of = model.card.training
    assert training_of["best_epoch"] == recipe.epochs
    assert training_of["val_top1"] == pytest.approx(1 / recipe.epochs)  # its own
    last, best = (checkpoint(folder / name)["state_dict"] for name in ("last.ckpt", "best.ckpt"))
    key = "classifier.bias"
    assert torch.allclose(model.state_dict()[key], last[f"model.{key}"], atol=1e-3)
    assert not torch.allclose(model.state_dict()[key], best[f"model.{key}"], atol=1e-3)


def test_what_is_frozen_stays_and_the_rest_learns(
    uncut: tuple[Path, list[Event]], weights: Path
) -> None:
    last = checkpoint(uncut[0] / "last.ckpt")["state_dict"]
    changed = {
        key: not torch.equal(last[f"model.backbone.body.{key}"], value)
        for key, value in checkpoint(weights).items()
        if f"model.backbone.body.{key}" in last
    }
    # Their batch norms, running statistics included.
    frozen = ("conv1.", "bn1.", "layer1.")
    assert changed
    for key, value in changed.items():
        assert value != key.startswith(frozen), key


def test_a_kill_loses_the_current_epoch_and_nothing_else(
    uncut: tuple[Path, list[Event]],
    data: Path,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also after an epoch that was not the best; and it ends as if it had never been cut."""
    weights = tmp_path / "own.pth"
    shutil.copy(str(recipe.weights), weights)
    own = recipe.with_changes(weights=str(weights))

    def kill(epoch: int, batch: int) -> None:
        if (epoch, batch) == (2, 1):
            os.kill(os.getpid(), signal.SIGKILL)

    def killed() -> None:
        with pytest.MonkeyPatch.context() as patch:
            Spy(tmp_path / "killed.jsonl", patch, end=kill, falling=True)
            train(own, data, tmp_path, accelerator="cpu")

    assert in_processes(killed) == [-signal.SIGKILL]
    assert not (tmp_path / "squares" / "card.json").exists()  # half a run is no checkpoint
    weights.unlink()  # a resumed run needs them no more
    Spy(tmp_path / "resumed.jsonl", monkeypatch, falling=True)
    folder = train(own, data, tmp_path, accelerator="cpu")

    first, second = steps(tmp_path / "killed.jsonl"), steps(tmp_path / "resumed.jsonl")
    assert [e["epoch"] for e in first] == [0] * BATCHES + [1] * BATCHES + [2]
    assert [e["epoch"] for e in second] == [2] * BATCHES
    expected = uncut[1]
    for a, b in zip(first[: 2 * BATCHES] + second, expected, strict=True):
        assert (a["photos"], a["settings"]) == (b["photos"], b["settings"])
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
    last, whole = (checkpoint(f / "last.ckpt") for f in (folder, uncut[0]))
    assert (last["epoch"], last["global_step"]) == (whole["epoch"], whole["global_step"])
    for key, value in whole["state_dict"].items():
        assert torch.allclose(last["state_dict"][key], value, rtol=1e-4, atol=1e-6), key
    # The log has every epoch, the best one is remembered across the cut, and the hours add up.
    assert sorted(column(folder, "val/top1")) == [0, 1, 2]
    training_of = lafe.load(folder).card.training
    assert (training_of["best_epoch"], training_of["val_top1"]) == (1, 1.0)


def test_a_run_on_shards_that_is_cut_ends_like_one_on_folders_that_was_not(
    uncut: tuple[Path, list[Event]],
    data: Path,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Photos are decoded whenever they are asked for; a run is cut in the middle of an epoch."""
    for split in ("train", "val"):
        pack(data / split, tmp_path / "shards", count=3, seed=2, prefix=f"{split}-")
    monkeypatch.setattr(cache, "SHARE", 0.0)

    def cut(epoch: int, batch: int) -> None:
        if (epoch, batch) == (1, 2):
            raise InterruptedError

    with pytest.MonkeyPatch.context() as patch:
        Spy(tmp_path / "cut.jsonl", patch, end=cut)
        with pytest.raises(InterruptedError):
            train(recipe, tmp_path / "shards", tmp_path, accelerator="cpu")
    Spy(tmp_path / "resumed.jsonl", monkeypatch)
    folder = train(recipe, tmp_path / "shards", tmp_path, accelerator="cpu")
    first, second = steps(tmp_path / "cut.jsonl"), steps(tmp_path / "resumed.jsonl")
    assert len(first) == BATCHES + 2
    for ours, theirs in zip(first[:BATCHES] + second, uncut[1], strict=True):
        assert (ours["photos"], ours["settings"]) == (theirs["photos"], theirs["settings"])
    last, whole = (checkpoint(f / "last.ckpt")["state_dict"] for f in (folder, uncut[0]))
    for key, value in whole.items():
        assert torch.allclose(last[key], value, rtol=1e-5, atol=1e-7), key


def stop(epoch: int, batch: int) -> None:
    raise InterruptedError


def test_a_run_that_is_done_is_not_trained_again(
    uncut: tuple[Path, list[Event]],
    data: Path,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(uncut[0], tmp_path / "squares")
    Spy(tmp_path / "spy.jsonl", monkeypatch, end=stop)
    folder = train(recipe, data, tmp_path, accelerator="cpu")
    before, after = (lafe.load(f).card for f in (uncut[0], folder))
    assert (after.sha256, after.training) == (before.sha256, before.training)


def test_a_fresh_run_forgets_the_old_one_at_once(
    uncut: tuple[Path, list[Event]],
    data: Path,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(uncut[0], tmp_path / "squares")
    Spy(tmp_path / "spy.jsonl", monkeypatch, end=stop)
    with pytest.raises(InterruptedError):
        train(recipe, data, tmp_path, fresh=True, accelerator="cpu")
    assert not (tmp_path / "squares" / "last.ckpt").exists()


def test_two_processes_share_the_photos(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    """As torchrun starts them, with the strategy that train chooses."""
    # A loss that is left out leaves parameters without a gradient.
    own = recipe.with_changes(con_loss=0.0, epochs=2)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]

    def rank(number: int) -> Callable[[], None]:
        def job() -> None:
            os.environ |= {
                "RANK": str(number), "LOCAL_RANK": str(number), "GROUP_RANK": "0",
                "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "test",
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo",
            }  # fmt: skip
            with pytest.MonkeyPatch.context() as patch:
                Spy(tmp_path / f"rank{number}.jsonl", patch)
                train(own, data, tmp_path, accelerator="cpu", devices=2)

        return job

    assert in_processes(rank(0), rank(1)) == [0, 0]
    files = [tmp_path / f"rank{i}.jsonl" for i in (0, 1)]
    both = [steps(f) for f in files]
    assert len(both[0]) == len(both[1]) == 2 * BATCHES
    for epoch in (0, 1):
        a, b = (seen(events, epoch) for events in both)
        assert not set(a) & set(b)
        assert sorted(a + b) == list(range(TRAINED))
        # Every rank validates on every held-out photo, with the same weights.
        own_v, other_v = ([e for e in validations(f) if e["epoch"] == epoch] for f in files)
        assert sum(e["validated"] for e in own_v) == sum(e["validated"] for e in other_v) == 9
        assert own_v[0]["weights"] == pytest.approx(other_v[0]["weights"], rel=1e-9)
    assert seen(both[0], 0) != seen(both[0], 1)
    for a, b in zip(*both, strict=True):
        assert len(a["photos"]) <= 4  # the batch size is that of all processes together
        n = min(len(a["settings"]), len(b["settings"]))
        assert n
        assert a["settings"][:n] == b["settings"][:n]
    assert lafe.load(tmp_path / "squares").card.training["photos"] == TRAINED


def test_a_checkpoint_takes_the_place_of_the_old_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "last.ckpt"
    io = AtomicCheckpointIO()
    io.save_checkpoint({"epoch": 1}, file)

    def cut(self: object, checkpoint: object, path: object, storage_options: object) -> None:
        Path(str(path)).write_bytes(b"half a fi")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TorchCheckpointIO, "save_checkpoint", cut)
        with pytest.raises(KeyboardInterrupt):
            io.save_checkpoint({"epoch": 2}, file)
    assert checkpoint(file) == {"epoch": 1}
    io.save_checkpoint({"epoch": 2}, file)
    assert checkpoint(file) == {"epoch": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("precision", ["bf16-true", "16-true", "64-true", 64])
def test_weights_of_another_precision_are_refused_before_anything_is_written(
    precision: str | int, data: Path, recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="take 32-true, bf16-mixed or 16-mixed"):
        train(recipe, data, tmp_path / "runs", accelerator="cpu", precision=precision)
    assert not (tmp_path / "runs").exists()


def test_the_papers_optimizer() -> None:
    """SGD 0.9, 5e-4, and 0.0015 divided by 10 every 40 epochs (Sec. 4.2)."""
    recipe = lafe.train.recipe.load_recipe("cub-resnet50").with_changes(
        backbone="test_resnet", input_size=64, resize=72, weights=None
    )
    module = TrainingModule(recipe, 3)
    plan = module.configure_optimizers()
    optimizer, schedule = plan["optimizer"], plan["lr_scheduler"]
    assert isinstance(optimizer, torch.optim.SGD)
    rates = []
    for _ in range(200):
        rates.append([g["lr"] for g in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    for epoch in (0, 39, 40, 79, 80, 120, 199):
        assert rates[epoch] == pytest.approx([0.0015 * 0.1 ** (epoch // 40)] * 3)
    for group in optimizer.param_groups:
        assert (group["momentum"], group["weight_decay"]) == (0.9, 5e-4)
    trained = [p for g in optimizer.param_groups for p in g["params"]]
    assert len(trained) == len({id(p) for p in trained})
    assert {id(p) for p in trained} == {id(p) for p in module.parameters()}


def test_the_optimizer_has_nothing_that_is_frozen(recipe: Recipe) -> None:
    module = TrainingModule(recipe.with_changes(schedule="step"), 3)
    groups = module.configure_optimizers()["optimizer"].param_groups
    body = module.model.backbone.body
    kept = [p for n, p in body.named_parameters() if not n.startswith(recipe.freeze)]
    assert [id(p) for p in groups[0]["params"]] == [id(p) for p in kept]
    assert groups[1]["lr"] == groups[2]["lr"] == 2 * groups[0]["lr"]
    gates = [p for n, p in module.model.named_parameters() if ".gate." in n]
    assert {id(p) for p in groups[2]["params"]} == {id(p) for p in gates}


def test_adamw_and_a_rate_of_the_gates_own(recipe: Recipe) -> None:
    changes = {"optimizer": "adamw", "schedule": "step", "weight_decay": 0.02, "gate_lr": 3.0}
    optimizer = TrainingModule(recipe.with_changes(**changes), 3).configure_optimizers()[
        "optimizer"
    ]
    assert isinstance(optimizer, torch.optim.AdamW)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.01, 0.02, 0.06])
    assert {g["weight_decay"] for g in optimizer.param_groups} == {0.02}


def test_constant_gates_train_their_biases_alone(recipe: Recipe) -> None:
    module = TrainingModule(recipe.with_changes(gates="constant"), 3)
    trained = {n for n, p in module.named_parameters() if p.requires_grad and ".gate." in n}
    assert len(trained) == 12
    assert all(n.endswith(".gate.expand.bias") for n in trained)


def test_freezing_what_is_not_there_is_refused(recipe: Recipe) -> None:
    for wrong in ("layer9", "layer"):
        with pytest.raises(RecipeError, match="freeze: 'test_resnet' lacks a module"):
            TrainingModule(recipe.with_changes(freeze=(wrong,)), 3)


def test_starting_from_a_checkpoint(
    uncut: tuple[Path, list[Event]], recipe: Recipe, tmp_path: Path
) -> None:
    folder = uncut[0]
    given = lafe.load(folder)
    own = recipe.with_changes(init=str(folder))
    same = TrainingModule(own, 3)
    said = training.start_from(own, same, given.card.classes, tmp_path)
    assert all(torch.equal(v, given.state_dict()[k]) for k, v in same.model.state_dict().items())
    assert said["started_from"]["sha256"] == given.card.sha256
    assert not same.classifier_is_new

    other = TrainingModule(own, 4)
    fresh = other.model.classifier.weight.clone()
    training.start_from(own, other, ["a", "b", "c", "d"], tmp_path)
    assert torch.equal(other.model.classifier.weight, fresh)
    assert other.classifier_is_new
    state = other.model.state_dict()
    rest = {k: v for k, v in state.items() if not k.startswith("classifier.")}
    assert all(torch.equal(v, given.state_dict()[k]) for k, v in rest.items())

    plain = TrainingModule(own.with_changes(attention=False), 3)
    with pytest.raises(RecipeError, match=r"another shape .*init_branches: false takes"):
        training.start_from(own, plain, given.card.classes, tmp_path)


def test_starting_from_the_backbone_of_a_run_with_new_branches(
    uncut: tuple[Path, list[Event]], recipe: Recipe
) -> None:
    folder = uncut[0]
    given = lafe.load(folder).state_dict()
    own = recipe.with_changes(
        init=folder.name, init_branches=False, gates="standardised", branch_gain=0.3
    )
    module = TrainingModule(own, 3)
    before = {k: v.clone() for k, v in module.model.state_dict().items()}
    training.start_from(own, module, lafe.load(folder).card.classes, folder.parent)
    for key, value in module.model.state_dict().items():
        new = key.startswith(("discriminative.", "confusable."))
        assert torch.equal(value, before[key] if new else given[key]), key


def test_a_data_set_that_is_not_there_is_said_before_anything_is_written(
    recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(lafe.data.DataError, match="There is no folder"):
        train(recipe, tmp_path / "nowhere", tmp_path / "runs", accelerator="cpu")
    assert not (tmp_path / "runs").exists()


LIVE = {
    "objective": "attentive", "gates": "standardised", "counterfactual_loss": 1.0,
    "overlap_loss": 1.0, "correlation_loss": 1.0, "subtraction_loss": 0.5, "rivals": 2,
    "switch_share": 0.3, "optimizer": "adamw", "average": 0.9, "clip": 5.0, "warmup": 0.2,
    "head_bf16": True, "probe": True, "branch_gain": 0.3, "backbone_bf16": True,
    "correlation_allowed": 0.3, "fit_scale": True, "name": "live",
}  # fmt: skip


def test_a_run_under_our_objective_is_folded_when_it_is_written(
    data: Path, recipe: Recipe, tmp_path: Path
) -> None:
    """The average of the weights is what is validated, kept, folded and saved."""
    own = recipe.with_changes(**LIVE)
    folder = train(own, data, tmp_path, accelerator="cpu")
    model = lafe.load(folder)
    assert not [k for k in model.state_dict() if "standard" in k]
    trained = TrainingModule(own.with_changes(weights=None), 3)
    state = checkpoint(folder / "best.ckpt")
    trained.load_state_dict(state["state_dict"])
    scale = Scale(**model.card.training["scale"])
    assert (scale.dis, scale.con) != (1, 1)
    apply_scale(trained.model, scale)
    assert any(
        not torch.equal(v, state["current_model_state"][k]) for k, v in state["state_dict"].items()
    )
    held = load_benchmark("folder", data, "val", val_fraction=HELD / EACH)
    x = torch.cat([model.preprocess(held.photo(i)) for i in range(len(held))])
    with torch.no_grad():
        found, expected = model(x), trained.model.eval()(x)
    assert (found - expected).abs().max() < 0.002 * (expected.max() - expected.min())
    top1 = max(column(folder, "val/top1").values())
    assert model.card.training["val_top1"] == pytest.approx(top1)
    names = {"cls", "dis", "con", "alone", "counterfactual", "overlap", "correlation"}
    for name in names | {"subtraction"}:
        assert sorted(column(folder, f"train/{name}")) == [0, 1, 2]


def test_a_cut_run_of_averages_ends_as_if_it_had_never_been_cut(
    data: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = recipe.with_changes(**LIVE)
    whole = train(own, data, tmp_path / "whole", accelerator="cpu")

    def end(epoch: int, batch: int) -> None:
        if (epoch, batch) == (1, 2):
            raise InterruptedError

    with monkeypatch.context() as patch:
        Spy(tmp_path / "spy.jsonl", patch, end=end)
        with pytest.raises(InterruptedError):
            train(own, data, tmp_path / "cut", accelerator="cpu")
    cut = train(own, data, tmp_path / "cut", accelerator="cpu")
    one, two = (checkpoint(f / "last.ckpt") for f in (whole, cut))
    for key, value in one["state_dict"].items():
        assert torch.allclose(two["state_dict"][key], value, rtol=1e-4, atol=1e-5), key
