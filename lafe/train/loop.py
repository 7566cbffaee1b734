"""Training on Lightning's Trainer."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from lightning.pytorch.callbacks import (
    LearningRateMonitor,
    ModelCheckpoint,
    TQDMProgressBar,
    WeightAveraging,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lafe.branches import STAGES, Switches
from lafe.checkpoints.store import load, save
from lafe.checkpoints.stored import WEIGHTS
from lafe.data import (
    DecodedDataset,
    PairSampler,
    PhotoDataset,
    decode,
    load_benchmark,
    test_transform,
    train_transform,
)
from lafe.data.dataset import summary
from lafe.model.attention import ChannelGate, RegionGate
from lafe.model.fusion import Fusion
from lafe.model.lafe import LAFE
from lafe.model.losses import ConLoss
from lafe.train.drawn import settings_field
from lafe.train.objectives import backbone_features, draw, loss_parts
from lafe.train.probe import probe_first
from lafe.train.recipe import Recipe, RecipeError
from lafe.train.scale import apply_scale, fit_scale


class TrainingModule(L.LightningModule):
    """LAFE under an objective.

    Each epoch logs ``val/top1`` (all branches on), which chooses the best one, and
    ``val/top1_none`` (the backbone alone, with the same classifier).
    """

    def __init__(self, recipe: Recipe, num_classes: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.model = LAFE(
            recipe.backbone,
            num_classes,
            recipe.input_size,
            region=recipe.region,
            fusion=recipe.fusion,
            attention=recipe.attention,
            region_gate=recipe.region_gate,
            weights=recipe.weights,
        ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.gates = [m for m in self.model.modules() if isinstance(m, (RegionGate, ChannelGate))]
        for gate in self.gates:
            if recipe.gates == "standardised":
                gate.standardise(recipe.gate_gain)
            elif recipe.gates == "constant":
                gate.hold()
        for side in self.model.sides.values():
            if side.fusions:
                last = cast(Fusion, side.fusions[str(STAGES[-1])])
                nn.init.constant_(last.bn.weight, recipe.branch_gain)
        self.classifier_is_new = not recipe.probe
        self.con = ConLoss(self.model.backbone.channels[-1], num_classes)
        try:
            self.frozen = [self.model.backbone.body.get_submodule(m) for m in recipe.freeze]
        except AttributeError as error:
            raise RecipeError(f"freeze: {recipe.backbone!r} lacks a module ({error}).") from error
        for module in self.frozen:
            module.requires_grad_(False)

    def on_train_epoch_start(self) -> None:
        self._sampler.set_epoch(self.current_epoch)
        for module in self.frozen:
            module.eval()  # batch norms keep their statistics too

    @property
    def _sampler(self) -> PairSampler:
        return self.trainer.train_dataloader.batch_sampler  # type: ignore[union-attr,return-value]

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        x, labels = batch
        x = x.contiguous(memory_format=torch.channels_last)
        drawn = draw(self.recipe, self.global_step, (len(labels) + 1) // 2)
        parts = loss_parts(self.model, self.con, self.recipe, x, labels, drawn)
        loss = torch.stack(list(parts.values())).sum()
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True)
        for name, value in parts.items():
            self.log(f"train/{name}", value, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        x, labels = batch
        x = x.contiguous(memory_format=torch.channels_last)
        features = [f.float() for f in backbone_features(self.model, self.recipe, x)]
        for name, on in (("top1", Switches.all()), ("top1_none", Switches.none())):
            logits = self.model.head(features, on)
            right = (logits.argmax(1) == labels).float().mean()
            self.log(f"val/{name}", right, prog_bar=True, batch_size=len(labels), sync_dist=True)

    def configure_optimizers(self) -> Any:
        r = self.recipe
        groups = self._groups()
        optimizer: torch.optim.Optimizer
        if r.optimizer == "adamw":
            optimizer = torch.optim.AdamW(groups, lr=r.lr, weight_decay=r.weight_decay)
        else:
            optimizer = torch.optim.SGD(
                groups, lr=r.lr, momentum=r.momentum, weight_decay=r.weight_decay
            )
        if r.schedule == "step":
            step = torch.optim.lr_scheduler.StepLR(optimizer, r.step_epochs, gamma=0.1)
            return {"optimizer": optimizer, "lr_scheduler": step}
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in groups],
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=r.warmup,
            cycle_momentum=False,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": cycle, "interval": "step"},
        }

    def _groups(self) -> list[dict[str, Any]]:
        """Parameters that are trained, by learning rate: started, new, gates."""
        r = self.recipe
        started: list[nn.Module] = [self.model.backbone]  # what does not begin at random
        if not self.classifier_is_new:
            started.append(self.model.classifier)
        old, gates = (
            {id(p): p for m in modules for p in m.parameters()} for modules in (started, self.gates)
        )
        new = {id(p): p for p in self.parameters() if id(p) not in old | gates}
        rates = ((old, r.lr), (new, r.lr * r.new_lr), (gates, r.lr * r.new_lr * r.gate_lr))
        groups = [
            {"params": [p for p in group.values() if p.requires_grad], "lr": rate}
            for group, rate in rates
        ]
        return [group for group in groups if group["params"]]


class EpochLoader(DataLoader[Any]):
    """Draws by seed and epoch alone: a resumed run sees what an uncut one would have seen."""

    batch_sampler: PairSampler

    def __iter__(self) -> Any:
        # A generator: it begins with the first batch, when the sampler has been told the epoch.
        torch.manual_seed(self.batch_sampler.seed * 1_000_003 + self.batch_sampler.epoch)
        yield from super().__iter__()


class TrainingData(L.LightningDataModule):
    """The training split, decoded once: pairs for training, held-out photos for choosing."""

    def __init__(self, recipe: Recipe, root: Path, workers: int = 0) -> None:
        super().__init__()
        self.recipe, self.workers = recipe, workers
        self.splits: dict[str, PhotoDataset] = {
            split: load_benchmark(
                recipe.data, root, split, val_fraction=recipe.val_fraction, seed=recipe.seed
            )
            for split in ("train", "val")
        }
        self.photos: dict[str, Tensor] = {}

    @property
    def classes(self) -> list[str]:
        return self.splits["train"].classes

    @property
    def norm(self) -> dict[str, Any]:
        """Mean and standard deviation that the backbone's weights expect."""
        backbone = self.trainer.lightning_module.model.backbone  # type: ignore[union-attr]
        return {"mean": backbone.mean, "std": backbone.std}

    def setup(self, stage: str) -> None:
        for split, dataset in self.splits.items():
            if split not in self.photos:
                self.photos[split] = decode(dataset, self.recipe.resize)

    def train_dataloader(self) -> DataLoader[Any]:
        r, trainer = self.recipe, self.trainer
        assert trainer is not None
        transform = train_transform(
            r.input_size,
            rotation=r.rotation,
            flip=r.flip,
            scale=r.scale,
            jitter=r.jitter,
            erase=r.erase,
            **self.norm,
        )
        sampler = PairSampler(
            self.splits["train"].labels,
            r.batch_size // trainer.world_size,
            seed=r.seed,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )
        data = DecodedDataset(self.photos["train"], self.splits["train"].labels, transform)
        return EpochLoader(data, batch_sampler=sampler, num_workers=self.workers)

    def val_dataloader(self) -> DataLoader[Any]:
        transform = test_transform(self.recipe.resize, self.recipe.input_size, **self.norm)
        data = DecodedDataset(self.photos["val"], self.splits["val"].labels, transform)
        return DataLoader(data, batch_size=32, num_workers=self.workers)


def card_fields(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says for the card of its checkpoint."""
    return {
        "title": recipe.title,
        "resize": recipe.resize,
        "data": {"name": recipe.data, "licence": recipe.data_licence},
        "licence": "Apache-2.0",
        "limits": list(recipe.limits),
        "recipe": recipe.to_dict(),
    }


def start_from(
    recipe: Recipe, module: TrainingModule, classes: list[str], runs: Path
) -> dict[str, Any]:
    """Copy the weights of the recipe's ``init`` into a new model; returns what the card says of it.

    The classifier comes along for the same classes only, the branches if the recipe says so.  A run
    in the folder ``runs`` goes before a checkpoint of the same name.

    Raises:
        lafe.CheckpointError: no such checkpoint.
        lafe.train.recipe.RecipeError: one of another shape.
    """
    run = runs / str(recipe.init)
    given = load(run if (run / WEIGHTS).is_file() else str(recipe.init))
    fresh = [] if recipe.init_branches else ["discriminative.", "confusable."]
    if given.card.classes == classes:
        module.classifier_is_new = False
    else:
        fresh.append("classifier.")
    own = module.model.state_dict()
    kept = {k: v for k, v in given.state_dict().items() if not k.startswith(tuple(fresh))}
    state = kept | {k: v for k, v in own.items() if k.startswith(tuple(fresh))}
    try:
        module.model.load_state_dict(state)
    except RuntimeError as error:
        raise RecipeError(
            f"init: the checkpoint {str(recipe.init)!r} is of another shape than this recipe's "
            "model" + (" (init_branches: false takes its backbone alone)." if not fresh else ".")
        ) from error
    return {
        "started_from": {
            "sha256": given.card.sha256,
            "recipe": given.card.recipe,
            "training": given.card.training,
        }
    }


class HoursCallback(L.Callback):
    """Wall-clock hours of training, over all the runs that a resumed one was cut into."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since = time.monotonic()

    def on_train_start(self, *_: Any) -> None:
        self._since = time.monotonic()

    def on_train_epoch_end(self, *_: Any) -> None:
        now = time.monotonic()
        self.seconds += now - self._since
        self._since = now

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seconds = state["seconds"]


class MovingAverage(WeightAveraging):
    """An exponential moving average of weights and statistics: validated and kept.

    It warms up, so that a short run is not dominated by where it began.
    """

    def __init__(self, decay: float) -> None:
        def average(mean: Tensor, value: Tensor, count: Tensor | int) -> Tensor:
            n = float(count)
            kept = min(decay, (1 + n) / (10 + n))
            return mean.lerp(value, 1 - kept) if mean.is_floating_point() else value

        super().__init__(avg_fn=average)


class BestCheckpoint(ModelCheckpoint):
    """Keeps the best epoch; of equals, which are common on few photos, the one trained longest."""

    def check_monitor_top_k(self, trainer: L.Trainer, current: Tensor | None = None) -> bool:
        best = self.best_model_score
        if current is None or best is None:
            return super().check_monitor_top_k(trainer, current)
        return trainer.strategy.reduce_boolean_decision(bool(current >= best))


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the old file, then takes its place: a kill leaves one of the two, whole.

    Lightning writes to the system's temporary folder; from another disk, the last step is a copy.
    """

    def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        draft = f"{path}.part"
        super().save_checkpoint(checkpoint, draft, storage_options)
        os.replace(draft, path)


def train(
    recipe: Recipe,
    data: str | Path,
    out: str | Path = "runs",
    *,
    fresh: bool = False,
    workers: int = 0,
    **trainer_options: Any,
) -> Path:
    """Train a recipe, or go on where an earlier run of it was cut.

    Args:
        recipe: what to train.
        data: folder of the data set, or its parent.
        out: the run's files go to ``out/<recipe.name>``.
        fresh: start over instead of resuming.
        workers: processes that augment photos, beside the one that trains.
        trainer_options: passed to :class:`lightning.Trainer` (accelerator, devices, num_nodes,
            precision, ...); one device unless given.

    Returns:
        The folder of the best epoch's checkpoint: ``model.safetensors`` and ``card.json``.

    Raises:
        lafe.data.DataError, lafe.model.backbones.BackboneError, lafe.train.recipe.RecipeError:
            with what to do.
    """
    folder = Path(out) / recipe.name
    last = folder / "last.ckpt"
    if fresh:
        last.unlink(missing_ok=True)  # else a kill in the first epoch would bring the old run back
    resume = last if last.is_file() else None
    L.seed_everything(recipe.seed, workers=True, verbose=False)
    photos = TrainingData(recipe, Path(data), workers)
    rank_zero_only(print)(summary(photos.splits), flush=True)
    # Weights that would be overwritten are not fetched.
    first = recipe.with_changes(weights=None) if resume or recipe.init else recipe
    module = TrainingModule(first, len(photos.classes))
    before = {}
    if recipe.init is not None:
        before = start_from(recipe, module, photos.classes, Path(out))
    if recipe.probe and resume is None:
        photos.setup("fit")
        transform = test_transform(
            recipe.resize,
            recipe.input_size,
            module.model.backbone.mean,
            module.model.backbone.std,
        )
        probe_first(
            module.model,
            photos.photos["train"],
            photos.splits["train"].labels,
            transform,
            decay=recipe.probe_decay,
            features=lambda x: backbone_features(module.model, recipe, x)[-1],
        )
    best = BestCheckpoint(
        folder, "best", monitor="val/top1", mode="max", enable_version_counter=False
    )
    # On its own: save_last writes only when the best one is written.
    every = ModelCheckpoint(folder, "last", enable_version_counter=False)
    hours = HoursCallback()
    average = [MovingAverage(recipe.average)] if recipe.average else []
    trainer_options = {"devices": 1} | trainer_options
    if trainer_options["devices"] != 1 or trainer_options.get("num_nodes", 1) != 1:
        # A draw of the switches may leave fusions out.
        trainer_options.setdefault("strategy", "ddp_find_unused_parameters_true")
    trainer = L.Trainer(
        max_epochs=recipe.epochs,
        default_root_dir=folder,
        logger=[
            CSVLogger(folder, name="csv"),  # a version for each cut: it deletes what is there
            TensorBoardLogger(folder, name="", version="tensorboard"),
        ],
        callbacks=[*average, best, every, hours, LearningRateMonitor("epoch"), TQDMProgressBar(10)],
        gradient_clip_val=recipe.clip or None,
        plugins=AtomicCheckpointIO(),
        use_distributed_sampler=False,  # the pair sampler shards by rank itself
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        **trainer_options,
    )
    trainer.fit(module, photos, ckpt_path=resume, weights_only=True)
    if trainer.is_global_zero:
        state = torch.load(folder / "best.ckpt", map_location="cpu", weights_only=True)
        module.load_state_dict(state["state_dict"])
        module.eval()
        if recipe.fit_scale and recipe.attention and recipe.fusion:
            scale = fit_scale(module.model, photos.val_dataloader)
            apply_scale(module.model, scale)
            before = before | {"scale": scale.to_dict()}
        ran = {
            "photos": len(photos.splits["train"]),
            "held_out": len(photos.splits["val"]),
            "best_epoch": int(state["epoch"]) + 1,
            "val_top1": float(state["callbacks"][best.state_key]["best_model_score"]),
            "hours": round(hours.seconds / 3600, 3),
            **before,
        }
        save(
            module.model,
            folder,
            photos.classes,
            name=recipe.name,
            **card_fields(recipe),
            training=ran | settings_field(recipe.to_dict(), ran, trainer.world_size),
        )
    return folder
