"""``lafe train``: one recipe from photos to a checkpoint, on Lightning's Trainer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from lafe.checkpoints.store import save
from lafe.data import test_transform
from lafe.data.dataset import summary
from lafe.train import run as runs
from lafe.train.begin import begin_as_stage5
from lafe.train.callbacks import AtomicCheckpointIO, BestCheckpoint, HoursCallback, MovingAverage
from lafe.train.drawn import settings_field
from lafe.train.features import Maps
from lafe.train.module import HELD_OUT_TOP1, TrainingError, TrainingModule, start_from
from lafe.train.objectives import backbone_features
from lafe.train.photos import TrainingPhotos
from lafe.train.probe import fit_classifier, probe_first
from lafe.train.recipe import Recipe, RecipeError
from lafe.train.run import BEST, LAST, Run
from lafe.train.scale import apply_scale, fit_scale


def train(
    recipe: Recipe,
    data: str | Path,
    out: str | Path = "runs",
    *,
    fresh: bool = False,
    skip_bad: bool = False,
    workers: int = 0,
    photos: TrainingPhotos | None = None,
    **trainer_options: Any,
) -> Path:
    """Train a recipe, or go on where an earlier run of it was cut.

    Args:
        recipe: what to train.
        data: folder of the data set, or its parent.
        out: the run's files go to ``out/<recipe.name>``.
        fresh: start over instead of resuming, and replace what is there.
        skip_bad: go on without photos that cannot be read.
        workers: processes that augment photos, beside the one that trains.
        photos: those of an earlier run that is the same but for name and variant, which are not
            decoded again.
        trainer_options: passed to :class:`lightning.Trainer` (accelerator, devices, num_nodes,
            precision, ...); one device unless given.

    Returns:
        The folder of the checkpoint: that of the best epoch, or of the last one where no photos are
        held out.

    Raises:
        lafe.data.DataError, lafe.model.backbones.BackboneError, lafe.train.recipe.RecipeError,
            lafe.train.run.RunError, lafe.train.module.TrainingError: with what to do.
    """
    _require_float32_weights(trainer_options.get("precision"))
    folder = Path(out) / recipe.name
    L.seed_everything(recipe.seed, workers=True, verbose=False)
    if photos is None:
        devices = trainer_options.get("devices", 1)
        photos = TrainingPhotos(
            recipe,
            Path(data),
            workers,
            skip_bad=skip_bad,
            processes=devices if isinstance(devices, int) else 1,
        )
    photos.recipe = recipe
    rank_zero_only(print)(summary(photos.splits), flush=True)
    resume = _last(folder, fresh)
    if resume is None and not fresh:
        runs.require_no_checkpoint(folder)
    run = Run.of(recipe, photos.splits)
    if resume is not None:
        runs.check(folder, run)
    module, before = _module(recipe, photos.classes, Path(out), resume)
    if resume is None:
        run.write(folder)  # before the work, so that a folder that cannot be written to is found
    photos.setup("fit")
    trainer, hours = _trainer(recipe, folder, trainer_options)
    module.to(trainer.strategy.root_device)  # what is before the first step runs there too
    run = replace(run, passed_over=photos.passed_over, seen=photos.digests())
    if resume is not None:
        runs.check(folder, run)
    if recipe.views:
        _stand_in(recipe, module, photos)
    if recipe.probe and resume is None:
        _probe(recipe, module, photos)
    if recipe.begin_as_stage5 and recipe.attention and recipe.fusion and resume is None:
        begin_as_stage5(
            module.model,
            recipe.begin_as_stage5,
            recipe.branch_gain,
            _some_features(recipe, module, photos),
        )
    run.write(folder)
    trainer.fit(module, photos, ckpt_path=resume, weights_only=True)
    if trainer.is_global_zero:
        before["hours"] = round(hours.seconds / 3600, 3)
        module.to(trainer.strategy.root_device)  # the Trainer has put it back on the CPU
        _write(recipe, folder, module, photos, before, trainer.world_size)
    return folder


def _require_float32_weights(precision: object) -> None:
    if str(precision) in ("bf16-true", "16-true", "64-true", "64"):
        raise TrainingError(
            f"Weights are float32 while they are trained, so precision {precision} cannot be had: "
            "take 32-true, bf16-mixed or 16-mixed."
        )


def _last(folder: Path, fresh: bool) -> Path | None:
    """The file to go on from, if this run was begun before."""
    last = folder / LAST
    if fresh:
        last.unlink(missing_ok=True)  # else a kill in the first epoch would bring the old run back
    return last if last.is_file() else None


def _module(
    recipe: Recipe, classes: list[str], out: Path, resume: Path | None
) -> tuple[TrainingModule, dict[str, Any]]:
    """The model at the start, and what the card says of where it comes from."""
    # Weights that would be overwritten are not fetched; views are computed before they are.
    overwritten = recipe.init or (resume and not recipe.views)
    first = recipe.with_changes(weights=None) if overwritten else recipe
    module = TrainingModule(first, len(classes))
    before = {} if recipe.init is None else start_from(recipe, module, classes, out)
    return module, before


def _stand_in(recipe: Recipe, module: TrainingModule, photos: TrainingPhotos) -> None:
    """Let features stand for the photos, which a backbone that learns would outdate."""
    backbone = module.model.backbone
    if any(p.requires_grad for p in backbone.parameters()):
        raise RecipeError(
            f"views is {recipe.views}, which needs a backbone that is frozen as a whole: `freeze` "
            "leaves some of it to train.",
            "views",
        )
    backbone.eval()
    photos.pass_through(
        backbone,
        lambda x: tuple(
            m.cpu() for m in backbone_features(module.model, recipe, x.to(module.device))
        ),
    )


def _probe(recipe: Recipe, module: TrainingModule, photos: TrainingPhotos) -> None:
    """Fit the classifier to the features with which training begins."""
    if photos.views:
        fit_classifier(module.model, *photos.pooled(), recipe.probe_decay)
        return
    mean, std = module.model.backbone.mean, module.model.backbone.std
    probe_first(
        module.model,
        photos.pixels["train"],
        photos.splits["train"].labels,
        test_transform(recipe.resize, recipe.input_size, mean, std),
        decay=recipe.probe_decay,
        features=lambda x: backbone_features(module.model, recipe, x.to(module.device))[-1],
    )


@torch.no_grad()
def _some_features(
    recipe: Recipe, module: TrainingModule, photos: TrainingPhotos, count: int = 192
) -> Iterator[Maps]:
    """f_3, f_4, f_5 of some training photos, of all classes, in batches."""
    n = len(photos.splits["train"])
    chosen = torch.linspace(0, n - 1, min(n, count)).long()
    backbone = module.model.backbone
    backbone.eval()
    transform = test_transform(recipe.resize, recipe.input_size, backbone.mean, backbone.std)
    for rows in chosen.split(recipe.batch_size):
        if photos.views:
            maps = photos.views["train"][0]
            yield tuple(m[rows].permute(0, 3, 1, 2).to(module.device) for m in maps)
        else:
            x = transform(photos.pixels["train"][rows]).to(module.device)
            yield backbone_features(module.model, recipe, x)


def _trainer(
    recipe: Recipe, folder: Path, options: dict[str, Any]
) -> tuple[L.Trainer, HoursCallback]:
    """Lightning's Trainer with our callbacks, and the one that counts hours."""
    hours = HoursCallback()
    best = BestCheckpoint(
        folder, Path(BEST).stem, monitor="val/top1", mode="max", enable_version_counter=False
    )
    # On its own: save_last writes only when the best one is written.
    every = ModelCheckpoint(folder, Path(LAST).stem, enable_version_counter=False)
    options = {"devices": 1} | options
    if options["devices"] != 1 or options.get("num_nodes", 1) != 1:
        # A draw of the switches may leave fusions out.
        options.setdefault("strategy", "ddp_find_unused_parameters_true")
    trainer = L.Trainer(
        max_epochs=recipe.epochs,
        default_root_dir=folder,
        logger=[
            CSVLogger(folder, name="csv"),  # a version for each cut: it deletes what is there
            TensorBoardLogger(folder, name="", version="tensorboard"),
        ],
        callbacks=[
            *([MovingAverage(recipe.average)] if recipe.average else []),
            *([best] if recipe.val_fraction else []),
            every,
            hours,
            LearningRateMonitor("epoch"),
            TQDMProgressBar(10),
        ],
        gradient_clip_val=recipe.clip or None,
        plugins=AtomicCheckpointIO(),
        use_distributed_sampler=False,  # the pair sampler shards by rank itself
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if recipe.val_fraction else 0,
        log_every_n_steps=10,
        **options,
    )
    return trainer, hours


def _write(
    recipe: Recipe,
    folder: Path,
    module: TrainingModule,
    photos: TrainingPhotos,
    training: dict[str, Any],
    ranks: int,
) -> None:
    """The checkpoint of the best epoch, or of the last one, after the last step of the recipe."""
    kept = BEST if recipe.val_fraction and recipe.keep == "best" else LAST
    state = torch.load(folder / kept, map_location="cpu", weights_only=True)
    module.load_state_dict(state["state_dict"])
    module.eval()
    epochs = int(state["epoch"]) + 1
    training |= {
        "photos": len(photos.splits["train"]),
        "held_out": len(photos.splits["val"]) if "val" in photos.splits else 0,
        "best_epoch": epochs,
        "data": photos.splits["train"].fingerprint(),
    }
    if HELD_OUT_TOP1 in state:
        training["val_top1"] = state[HELD_OUT_TOP1]
    training |= settings_field(recipe.to_dict(), training, ranks)
    if recipe.fit_scale and recipe.objective == "attentive" and recipe.attention and recipe.fusion:
        scale = fit_scale(module.model, photos.val_dataloader)
        apply_scale(module.model, scale)
        training["scale"] = scale.to_dict()
    module.cpu()
    save(module.model, folder, photos.classes, name=recipe.name, training=training, **_card(recipe))


def _card(recipe: Recipe) -> dict[str, Any]:
    """The fields of a checkpoint's card that a recipe fills."""
    return {
        "title": recipe.title,
        "resize": recipe.resize,
        "data": {"name": recipe.data, "licence": recipe.data_licence},
        "licence": "Apache-2.0",
        "limits": list(recipe.limits),
        "recipe": recipe.to_dict(),
    }
