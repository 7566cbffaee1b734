"""LAFE under an objective, as Lightning trains it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from torch import Tensor, nn

from lafe.branches import STAGES, Switches
from lafe.checkpoints.store import load
from lafe.checkpoints.stored import WEIGHTS
from lafe.data import PairSampler
from lafe.errors import LafeError
from lafe.model.attention import ChannelGate, RegionGate
from lafe.model.fusion import Fusion
from lafe.model.lafe import LAFE
from lafe.model.losses import ConLoss
from lafe.train.objectives import Inputs, backbone_features, draw, loss_parts
from lafe.train.recipe import Recipe, RecipeError

HELD_OUT_TOP1 = "val/top1"
"""The key of an epoch's top-1 on held-out photos, all branches on, in its file."""


class TrainingError(LafeError):
    """A training that cannot go on; the message says why, and what to do."""


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
        ).to(memory_format=torch.channels_last)
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
        sampler: PairSampler = self.trainer.train_dataloader.batch_sampler  # type: ignore[union-attr]
        return sampler

    def training_step(self, batch: tuple[Inputs, Tensor], index: int) -> Tensor:
        x, labels = batch
        x = _laid_out(x)
        drawn = draw(self.recipe, self.global_step, (len(labels) + 1) // 2)
        parts = loss_parts(self.model, self.con, self.recipe, x, labels, drawn)
        loss = torch.stack(list(parts.values())).sum()
        self._require_finite(loss, "The loss", parts)
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True)
        for name, value in parts.items():
            self.log(f"train/{name}", value, on_step=False, on_epoch=True)
        return loss

    def _require_finite(self, value: Tensor, what: str, parts: dict[str, Tensor]) -> None:
        """Stop at the first number that is not finite: no epoch after it is worth anything.

        All processes stop together; one that waits for another would wait for ever.
        """
        finite = bool(torch.isfinite(value.detach()).all())
        if self.trainer.world_size > 1:
            finite = self.trainer.strategy.reduce_boolean_decision(finite)
        if not finite:
            of = (
                f" ({', '.join(f'{n} {float(v.detach()):.3g}' for n, v in parts.items())})"
                if parts
                else ""
            )
            raise TrainingError(
                f"{what} is not finite in epoch {self.current_epoch + 1}, step "
                f"{self.global_step + 1}{of}: take a smaller lr or another precision, and another "
                "name or --fresh.  The epochs before are kept in the run's folder."
            )

    def validation_step(self, batch: tuple[Inputs, Tensor], index: int) -> None:
        x, labels = batch
        features = [f.float() for f in backbone_features(self.model, self.recipe, _laid_out(x))]
        for name, on in (("top1", Switches.all()), ("top1_none", Switches.none())):
            logits = self.model.head(features, on)
            self._require_finite(logits, "A logit of a held-out photo", {})
            right = (logits.argmax(1) == labels).float().mean()
            self.log(f"val/{name}", right, prog_bar=True, batch_size=len(labels), sync_dist=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        top1 = self.trainer.callback_metrics.get(HELD_OUT_TOP1)
        if top1 is not None:
            checkpoint[HELD_OUT_TOP1] = float(top1)

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


def _laid_out(x: Inputs) -> Inputs:
    """Photos as convolutions on CPUs like them; features are so already."""
    return x if isinstance(x, tuple) else x.contiguous(memory_format=torch.channels_last)


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
