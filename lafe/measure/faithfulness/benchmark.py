"""The protocol ``curves``: explanations on test photos of birds, next to chance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from lafe.branches import Switches
from lafe.checkpoints.store import load, locate
from lafe.checkpoints.trained import Trained
from lafe.data import PhotoDataset
from lafe.explain.attribution.methods import attribute
from lafe.explain.maps import Map
from lafe.explain.prepare import Prepared, prepare
from lafe.measure import records, report
from lafe.measure.faithfulness import summary, words
from lafe.measure.faithfulness.curves import Score, at_size, curves, probability, random_map
from lafe.measure.faithfulness.places import (
    PARTS,
    Mask,
    View,
    auc,
    centred_blob,
    energy,
    gini,
    pointing,
    without_floor,
)
from lafe.measure.faithfulness.registry import (
    FaithfulnessError,
    Order,
    Protocol,
    register,
    require_methods,
)
from lafe.measure.faithfulness.resume import resume
from lafe.measure.faithfulness.stability import randomised, repeatability, sanity
from lafe.measure.faithfulness.summary import MapRow, PhotoRow
from lafe.measure.outputs import labelled_as, open_test_split
from lafe.measure.protocols import Curves, CurveSettings
from lafe.measure.provenance import Provenance
from lafe.model.lafe import LAFE

DEFAULT = (
    *("D", "C", "f5", "evidence-dis", "evidence-con", "evidence"),
    *("grad-cam-f5", "integrated-gradients"),
)
"""Discriminative and confusable maps, their sum, and what they are compared with."""

FINENESS = {"integrated-gradients": 8, "gradient-shap": 8, "occlusion": 7, "superpixels": 36}
"""Steps of the slow methods: less than on the page, for hundreds of photos."""


def measure(
    checkpoint: str | Path,
    data: str | Path,
    *,
    photos: int = 300,
    methods: Sequence[str] = DEFAULT,
    runs: str | Path = "runs",
    out: str | Path | None = None,
    device: str = "cpu",
    bfloat16: bool = True,
) -> Curves:
    """Measure a checkpoint's explanations; writes them into ``report.json``.

    Each photo's figures are added to ``RUNS/faithfulness-NAME.jsonl`` as soon as they are known, so
    that a run which was cut goes on where it stopped, and more photos can follow.

    Args:
        checkpoint: name or folder, of a model of birds.
        data: folder of CUB-200-2011, or its parent.
        photos: how many of the test photos.
        methods: at most ten.
        runs: folder of the figures a photo.
        out: folder of ``report.json``; the checkpoint's folder unless given.
        device: of torch.
        bfloat16: faster curves, see :class:`lafe.measure.protocols.CurveSettings`.

    Raises:
        lafe.CheckpointError, lafe.data.DataError, lafe.measure.report.ReportError,
            lafe.measure.outputs.ClassesError: with what to do.
        FaithfulnessError: methods that this model does not have, or figures of other settings in
            ``runs``.
    """
    folder = locate(checkpoint)
    model = load(folder, device).to(memory_format=torch.channels_last)
    test = labelled_as(model.card, open_test_split("cub", data))
    _check(model, photos, methods, test)
    target = Path(out) if out else folder
    report.check(target, model.card.sha256)
    count = min(photos, len(test))
    settings = CurveSettings(model.card.sha256, tuple(methods), bfloat16=bfloat16)
    chosen = np.random.default_rng(settings.seed).permutation(len(test))[:count].tolist()
    file = Path(runs) / f"faithfulness-{model.card.name}.jsonl"
    rows = resume(file, settings, PhotoRow)
    bench = Bench(model, settings)
    with file.open("a", encoding="utf-8") as lines:
        for place in tqdm(range(len(rows), count), f"{model.card.name}", count, initial=len(rows)):
            row = bench.photo(test.subset([chosen[place]]), stability=place < settings.stability)
            rows.append(row)
            lines.write(records.to_text(row) + "\n")
            lines.flush()
    source = Provenance.now(
        f"lafe faithfulness {model.card.name} --data DIR --photos {count}"
        f" --methods {' '.join(methods)}" + ("" if bfloat16 else " --float32")
    )
    steps = {name: FINENESS[name] for name in methods if name in FINENESS}
    found = summary.of(rows[:count], source, settings, steps)
    report.update_protocol(target, model.card.name, model.card.sha256, curves=found)
    return found


def _ordered(order: Order) -> Curves:
    assert order.data is not None
    return measure(
        order.checkpoint,
        order.data,
        photos=300 if order.photos is None else order.photos,
        methods=DEFAULT if order.methods is None else order.methods,
        runs=order.runs,
        out=order.out,
        device=order.device,
        bfloat16=order.bfloat16,
    )


register(Protocol("curves", "What the maps are worth", True, _ordered, words.findings))


def _check(model: Trained, photos: int, methods: Sequence[str], test: PhotoDataset) -> None:
    if photos < 1:
        raise FaithfulnessError(f"At least one photo is measured, not {photos}.")
    require_methods(model, methods)
    if test.boxes is None or test.parts is None:
        raise FaithfulnessError(
            f"The model {model.card.name!r} does not know the birds of this data set: boxes and "
            "parts are there for CUB-200-2011 only."
        )


class Bench:
    """Measures one photo after another."""

    def __init__(self, model: Trained, settings: CurveSettings) -> None:
        self.model, self.settings = model, settings
        self.random = randomised(model, settings.seed) if settings.stability else {}

    def photo(self, photo: PhotoDataset, *, stability: bool) -> PhotoRow:
        """All figures of the one photo of ``photo``; its class is the predicted one."""
        began = time.perf_counter()
        picture = photo.photo(0)
        prepared = prepare(self.model, picture)
        x = prepared.x
        target = int(prepared.logits(Switches.all()).argmax())
        heats = {name: self._explain(prepared, name, target) for name in self.settings.methods}
        heats |= self._controls(prepared, photo.paths[0].name)
        masks = _masks(View.of(self.model.preprocess, picture.size), photo)
        found = curves(
            self._score(target),
            x,
            heats,
            steps=self.settings.steps,
            against=self.settings.against,
            seed=self.settings.seed,
        )
        side = self.model.input_size
        slow = self._stability(x, target) if stability else {}
        return PhotoRow(
            photo=photo.paths[0].name,
            right=target == photo.labels[0],
            chance={name: float(mask.mean()) for name, mask in masks.items()},
            maps={
                name: MapRow(
                    deletion=found[name].deletion_area,
                    insertion=found[name].insertion_area,
                    **_places(at_size(heat, side), masks),
                    **slow.get(name, {}),
                )
                for name, heat in heats.items()
            },
            seconds=time.perf_counter() - began,
        )

    def _explain(self, photo: Prepared, method: str, target: int) -> Map:
        return attribute(
            photo,
            method=method,
            target=target,
            steps=FINENESS.get(method),
            seed=self.settings.seed,
        ).map

    def _controls(self, photo: Prepared, name: str) -> dict[str, Map]:
        """The blob that has to be beaten, and the control of coarse maps and of fine ones.

        Each photo has random maps of its own: one map for all could be lucky on all.
        """
        coarse, seed = photo.features[-1].shape[-1], self.settings.seed + crc32(name.encode())
        return {
            "centre": centred_blob(self.model.input_size),
            "random": random_map(coarse, seed),
            "random-pixels": random_map(self.model.input_size, seed),
        }

    def _score(self, target: int) -> Score:
        score = probability(self.model, target)

        def inside(x: Tensor) -> Tensor:
            x = x.contiguous(memory_format=torch.channels_last)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
                return score(x)

        return inside

    def _stability(self, x: Tensor, target: int) -> dict[str, dict[str, Any]]:
        """The part of :class:`MapRow` about randomisation and noise, by method."""
        found = {}
        for name in self.settings.methods:

            def of_model(model: LAFE, name: str = name) -> Map:
                return self._explain(prepare(model, x), name, target)

            def of_photo(x: Tensor, name: str = name) -> Map:
                return self._explain(prepare(self.model, x), name, target)

            found[name] = {
                "sanity": dict(sanity(of_model, self.model, self.random).similarity),
                "repeatability": repeatability(
                    of_photo, x, self.model.preprocess.std, seed=self.settings.seed
                ),
            }
        return found


def _masks(view: View, photo: PhotoDataset) -> dict[str, Mask]:
    """The box, all parts together, and each part that can be seen."""
    assert photo.boxes is not None
    assert photo.parts is not None
    x, y, width, height = photo.boxes[0].tolist()
    masks = {"box": view.of_box(x, y, width, height)}
    parts = {}
    for name, (x, y, visible) in zip(PARTS, photo.parts[0].tolist(), strict=True):
        if visible and (mask := view.of_part(x, y)) is not None:
            parts[name] = mask
    if parts:
        masks["parts"] = np.logical_or.reduce(list(parts.values()))
    return masks | parts


def _places(heat: Map, masks: dict[str, Mask]) -> dict[str, Any]:
    """The part of :class:`MapRow` about where a map lies."""
    raised = without_floor(heat)
    return {
        "gini": gini(heat),
        "pointing": {name: pointing(heat, mask) for name, mask in masks.items()},
        "energy": {name: energy(raised, mask) for name, mask in masks.items()},
        "auc": {name: auc(heat, mask) for name, mask in masks.items()},
    }
