"""A checkpoint as ONNX, checked against the model: one setting, or what all of them share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lafe.branches import FULL, SIDES, STAGES, Branch, Switches
from lafe.checkpoints.trained import Trained
from lafe.errors import LafeError

TOLERANCE = 1e-4  # of logits, relative to their spread; float32 sums in another order give 1e-5

EVERY_SETTING = "every setting"
"""The ``switches`` of a file that gives what every setting is a sum of."""


class ExportError(LafeError):
    """An export whose file would not give the model's numbers."""


@dataclass(frozen=True)
class Export:
    """An ONNX file that was written and checked.

    Attributes:
        file: the ONNX file; its metadata hold classes, normalisation, switches and the
            checkpoint's sha256.
        difference: the largest difference of a logit from the model's, over the photos checked.
    """

    file: Path
    difference: float


class _Fixed(nn.Module):
    """The model under one setting.  Shape: (B, 3, S, S) -> (B, K) logits."""

    def __init__(self, model: Trained, switches: Switches) -> None:
        super().__init__()
        self.model, self.switches = model, switches

    def forward(self, photo: Tensor) -> Tensor:
        logits: Tensor = self.model(photo, self.switches)
        return logits


class _Parts(nn.Module):
    """The terms of which each of the 4,096 settings is a sum.

    Shape: (B, 3, S, S) -> f5 (B, C_5, H_5, W_5), dis and con (B, 64, C_5) pooled, weight (K, C_5),
    bias (K,).
    """

    def __init__(self, model: Trained) -> None:
        super().__init__()
        self.model = model

    def forward(self, photo: Tensor) -> tuple[Tensor, ...]:
        features = self.model.features(photo)
        f5 = features[-1]
        off = torch.zeros_like(f5[:, :, 0, 0])
        pooled = []
        for side in SIDES:
            own = self.model.sides[side]
            gated = {b: g(features[STAGES.index(b.stage)]) for b, g in own.branches.items()}
            found = [off if m is None else m.mean((2, 3)) for m in own.settings(gated)]
            # A model without some branches: their switches change nothing.
            pooled.append(torch.stack([found[i] for i in _rows(tuple(gated), side)], 1))
        weight, bias = self.model.classifier.weight, self.model.classifier.bias
        return f5, *pooled, weight * 1, bias * 1


def _rows(branches: tuple[Branch, ...], side: str) -> list[int]:
    """The number of each of a side's 64 settings among those of the branches that there are."""
    six = list(FULL.side(side))
    return [
        sum(1 << branches.index(b) for i, b in enumerate(six) if number >> i & 1 and b in branches)
        for number in range(1 << len(six))
    ]


def export(model: Trained, switches: Switches, file: str | Path) -> Export:
    """Write a setting as ONNX, and run it beside the model on random photos.

    The input ``photo`` is (B, 3, S, S) float32, normalised as ``model.preprocess`` does it (mean
    and std are in the metadata); the output ``logits`` is (B, K).  B is free.

    Args:
        model: in eval mode, as :func:`lafe.load` gives it.
        switches: the setting; it cannot be changed afterwards.
        file: where to write to.

    Raises:
        ModuleNotFoundError: the extra ``export`` is not installed.
        ExportError: ONNX Runtime does not agree with the model.
    """

    def difference(found: Mapping[str, Any], photos: Tensor) -> float:
        return _compare(found["logits"], model(photos, switches))

    return _export(_Fixed(model, switches), ["logits"], model, str(switches), difference, file)


def export_parts(model: Trained, file: str | Path) -> Export:
    """Write what every setting is a sum of as ONNX, and check sums against the model.

    The input is as for :func:`export`.  The outputs are ``f5`` (B, C_5, H_5, W_5), ``dis`` and
    ``con`` (B, 64, C_5), ``weight`` (K, C_5) and ``bias`` (K,):
    ``logits = weight @ (f5.mean((2, 3)) + dis[:, i] - con[:, j]) + bias``.  Bits of i and j are the
    side's switches, in the order of the metadata's ``dis`` and ``con``.

    Args and raises as :func:`export`; ExportError too for a model without branches.
    """
    if not model.sides:
        raise ExportError("This model has no branches: export its one setting.")
    settings = [Switches(i) for i in (0, 4095, *range(1, 4095, 97))]

    def difference(found: Mapping[str, Any], photos: Tensor) -> float:
        worst = 0.0
        for on in settings:
            pooled = found["f5"].mean((2, 3))
            for side, sign in zip(SIDES, (1, -1), strict=True):
                pooled = pooled + sign * found[side][:, _number(on, side)]
            logits = pooled @ found["weight"].T + found["bias"]
            worst = max(worst, _compare(logits, model(photos, on)))
        return worst

    names = ["f5", *SIDES, "weight", "bias"]
    return _export(_Parts(model), names, model, EVERY_SETTING, difference, file)


def _number(switches: Switches, side: str) -> int:
    """The number that a side's switches spell, the first one its lowest bit."""
    return sum(1 << i for i, b in enumerate(FULL.side(side)) if switches[b])


@torch.no_grad()
def _export(
    module: nn.Module,
    outputs: list[str],
    model: Trained,
    switches: str,
    difference: Callable[[Mapping[str, Any], Tensor], float],
    file: str | Path,
) -> Export:
    import onnx
    import onnxruntime
    import onnxscript  # noqa: F401  (torch's exporter needs it)

    file, size = Path(file), model.input_size
    photos = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    program = torch.onnx.export(
        module.eval(),
        (photos,),
        dynamo=True,
        input_names=["photo"],
        output_names=outputs,
        dynamic_shapes={"photo": {0: torch.export.Dim("batch")}},
        verbose=False,
    )
    assert program is not None
    proto = program.model_proto
    onnx.helper.set_model_props(proto, _metadata(model, switches))
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    worst = 0.0
    for batch in (photos, photos[:1]):
        found = dict(zip(outputs, session.run(outputs, {"photo": batch.numpy()}), strict=True))
        worst = max(worst, difference(found, batch))
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(proto, file)
    return Export(file, worst)


def _compare(found: Any, logits: Tensor) -> float:
    """The largest difference of logits; ExportError if it is too large."""
    expected = logits.numpy()
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE * max(1.0, float(np.ptp(expected))):
        raise ExportError(
            f"ONNX Runtime's logits differ by {difference:.2g} from the model's: nothing was "
            "written.  Try other versions of torch and onnxruntime."
        )
    return difference


def _metadata(model: Trained, switches: str) -> dict[str, str]:
    card = model.card
    return {
        "name": card.name,
        "switches": switches,
        "sha256": card.sha256,
        "licence": card.licence,
        "classes": json.dumps(card.classes, ensure_ascii=False),
        "resize": str(card.resize),
        "input_size": str(card.input_size),
        "mean": json.dumps(card.mean),
        "std": json.dumps(card.std),
        **{side: json.dumps([str(branch) for branch in FULL.side(side)]) for side in SIDES},
    }
