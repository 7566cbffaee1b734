"""Callbacks around the steps: hours, the best epoch, averages of weights, files."""

from __future__ import annotations

import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor

from lafe.files import replacing


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
        with replacing(path) as draft:
            super().save_checkpoint(checkpoint, draft, storage_options)
