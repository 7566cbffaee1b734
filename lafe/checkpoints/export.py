"""A checkpoint under one fixed setting of the switches, as ONNX, checked against the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lafe.branches import Switches
from lafe.checkpoints.trained import Trained
from lafe.errors import LafeError

TOLERANCE = 1e-3  # of logits, relative to their spread; float32 sums in another order give 1e-5


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
    import onnx
    import onnxruntime
    import onnxscript  # noqa: F401  (torch's exporter needs it)

    file, size = Path(file), model.input_size
    photos = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    program = torch.onnx.export(
        _Fixed(model, switches).eval(),
        (photos,),
        dynamo=True,
        input_names=["photo"],
        output_names=["logits"],
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
    difference = max(_difference(session, model, switches, batch) for batch in (photos, photos[:1]))
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(proto, file)
    return Export(file, difference)


def _difference(session: object, model: Trained, switches: Switches, photos: Tensor) -> float:
    (found,) = session.run(["logits"], {"photo": photos.numpy()})  # type: ignore[attr-defined]
    with torch.no_grad():
        expected = model(photos, switches).numpy()
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE * max(1.0, float(np.ptp(expected))):
        raise ExportError(
            f"ONNX Runtime's logits differ by {difference:.2g} from the model's: nothing was "
            "written.  Try other versions of torch and onnxruntime."
        )
    return difference


def _metadata(model: Trained, switches: Switches) -> dict[str, str]:
    card = model.card
    return {
        "name": card.name,
        "switches": str(switches),
        "sha256": card.sha256,
        "licence": card.licence,
        "classes": json.dumps(card.classes, ensure_ascii=False),
        "resize": str(card.resize),
        "input_size": str(card.input_size),
        "mean": json.dumps(card.mean),
        "std": json.dumps(card.std),
    }
