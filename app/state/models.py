"""Models and photos that are ready for them: computed once, shared by all visitors, bounded."""

from __future__ import annotations

import gc
import logging
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd
import streamlit as st
from PIL import Image

from lafe.branches import Switches
from lafe.checkpoints import store
from lafe.checkpoints.card import Card
from lafe.checkpoints.trained import Trained
from lafe.data.photo import Box, crop
from lafe.explain.ablation import Table, factorial
from lafe.explain.controls import Controls
from lafe.explain.evidence import Evidence, evidence
from lafe.explain.prepare import Prepared, prepare
from lafe.explain.unknown import looks_unknown
from lafe.measure import report as measured
from lafe.measure import sweep
from lafe.measure.report import Report
from lafe.render.pictures import view

from . import outcome
from .outcome import Evaluated
from .session import Panel, Photo

MAX_MODELS = 8
MAX_PREPARED = 48
MAX_EVALUATED = 5000  # a few kB each
KEEP_SECONDS = 1800
LOOK_AGAIN_SECONDS = 10  # for checkpoints that were added

_FIRST = ("birds", "cars", "aircraft")

log = logging.getLogger(__name__)


class ModelError(RuntimeError):
    """A model that cannot be used; the message is for visitors, the reason is in the log."""


class Source(NamedTuple):
    """A checkpoint's folder, and when it was written: another one is another model."""

    path: Path
    written: int


Setting = tuple[int, Controls]  # of a panel, as a key


def cards() -> dict[str, Card]:
    """The checkpoints that can be chosen, ours first; a broken one is left out and logged."""
    sources = _sources(tuple(store.folders()))
    order = sorted(sources, key=lambda n: (_FIRST.index(n) if n in _FIRST else len(_FIRST), n))
    found = {name: _card(sources[name]) for name in order}
    return {name: card for name, card in found.items() if card is not None}


def model(name: str) -> Trained:
    """The model of a checkpoint; ModelError if there is none or it was refused."""
    try:
        return _model(_source(name))
    except store.CheckpointError as error:
        log.error("A checkpoint was refused: %s", error)
        raise ModelError(
            "This model's file was refused, the log says why: choose another one."
        ) from error


def report(name: str) -> Report | None:
    """What was measured of a checkpoint's weights; None if nothing was, or it cannot be read."""
    folder = _source(name).path
    file = folder / measured.REPORT
    if not file.is_file():
        return None
    return _report(folder, cards()[name].sha256, file.stat().st_mtime_ns)


def sweeps() -> dict[str, list[sweep.Result]]:
    """The result files of ``lafe sweep``, by sweep; those that cannot be read are left out."""
    return _sweeps(tuple(store.folders()))


def title(name: str, card: Card) -> str:
    """How a checkpoint is called in the app."""
    return card.title or name.replace("_", " ").capitalize()


def prepared(photo: Photo, name: str, controls: Controls | None = None) -> Prepared:
    """The photo's features under a checkpoint; the only passes through a backbone are here."""
    known = _prepared(photo.digest, photo.crop, _source(name), model(name), photo)
    return known if controls is None else known.under(controls)


def evaluated(photo: Photo, name: str, panel: Panel) -> Evaluated:
    """What a panel's setting gives; asked again, it is not computed again."""
    ready = prepared(photo, name, panel.controls)
    setting = panel.switches.index, panel.controls
    return _evaluated(photo.digest, photo.crop, _source(name), setting, ready)


def explained(
    photo: Photo, name: str, panel: Panel, target: int, versus: int | Literal["mean"]
) -> Evidence:
    """The evidence for a class rather than another, or than their mean, in a panel's setting."""
    ready = prepared(photo, name, panel.controls)
    setting = panel.switches.index, panel.controls
    return _explained(photo.digest, photo.crop, _source(name), setting, target, versus, ready)


def is_unknown(photo: Photo, name: str) -> bool:
    """Whether a photo looks like nothing that a checkpoint knows."""
    return _is_unknown(photo.digest, photo.crop, _source(name), prepared(photo, name))


def who_knows(photo: Photo) -> list[str]:
    """The checkpoints that know things that look like this photo; each has to look at it."""
    return [name for name, card in cards().items() if card.unknown and not is_unknown(photo, name)]


def table(photo: Photo, name: str) -> Table:
    """All 4,096 settings of a photo under a checkpoint."""
    return _table(photo.digest, photo.crop, _source(name), prepared(photo, name))


def frame(photo: Photo, name: str, target: int) -> pd.DataFrame:
    """The same as a data frame, for one class; column ``class`` names the prediction."""
    rows = table(photo, name).to_frame(target)
    classes = model(name).card.classes
    return rows.assign(**{"class": [classes[i] for i in rows["prediction"]]})


def seen(photo: Photo, name: str) -> Image.Image:
    """The part of a photo that a model sees, in the photo's own proportions."""
    return _seen(photo.digest, photo.crop, _source(name), model(name), photo)


def _source(name: str) -> Source:
    source = _sources(tuple(store.folders())).get(name)
    if source is None:
        raise ModelError("This model is not installed here any more: choose another one.")
    return source


@st.cache_resource(max_entries=10, ttl=LOOK_AGAIN_SECONDS, show_spinner=False)
def _sources(folders: tuple[Path, ...]) -> dict[str, Source]:
    found = store.available(folders)
    return {
        name: Source(path, (path / store.CARD).stat().st_mtime_ns) for name, path in found.items()
    }


@st.cache_resource(max_entries=100, show_spinner=False)
def _card(source: Source) -> Card | None:
    try:
        return store.load_card(source.path)
    except store.CheckpointError as error:
        log.error("A checkpoint is left out: %s", error)
        return None


@st.cache_resource(max_entries=100, show_spinner=False)
def _report(folder: Path, sha256: str, written: int) -> Report | None:
    try:
        return measured.read(folder, sha256)
    except measured.ReportError as error:
        log.error("A report is left out: %s", error)
        return None


@st.cache_resource(max_entries=10, ttl=LOOK_AGAIN_SECONDS, show_spinner=False)
def _sweeps(folders: tuple[Path, ...]) -> dict[str, list[sweep.Result]]:
    found: dict[str, list[sweep.Result]] = {}
    for folder in folders:
        results = []
        for file in sorted((folder / "results").glob("*.json")):
            try:
                results.append(sweep.read(file))
            except measured.ReportError as error:
                log.error("A result is left out: %s", error)
        found = sweep.by_sweep(results) | found  # the first folder wins
    return found


@st.cache_resource(max_entries=MAX_MODELS, show_spinner="Loading the model")
def _model(source: Source) -> Trained:
    loaded = store.load(source.path)
    gc.collect()
    gc.freeze()  # Streamlit collects garbage after each click: not among what is loaded for good
    return loaded


# Arguments with an underscore are no part of a key.


@st.cache_resource(max_entries=MAX_PREPARED, ttl=KEEP_SECONDS, show_spinner="Looking at the photo")
def _prepared(digest: str, box: Box, source: Source, _model: Trained, _photo: Photo) -> Prepared:
    return prepare(_model, crop(_photo.image, box))


@st.cache_resource(max_entries=MAX_EVALUATED, ttl=KEEP_SECONDS, show_spinner=False)
def _evaluated(
    digest: str, box: Box, source: Source, setting: Setting, _prepared: Prepared
) -> Evaluated:
    return outcome.evaluated(_prepared.fused(Switches.from_index(setting[0])))


@st.cache_resource(max_entries=MAX_EVALUATED, ttl=KEEP_SECONDS, show_spinner=False)
def _explained(
    digest: str,
    box: Box,
    source: Source,
    setting: Setting,
    target: int,
    versus: int | Literal["mean"],
    _prepared: Prepared,
) -> Evidence:
    return evidence(
        _prepared, target=target, switches=Switches.from_index(setting[0]), versus=versus
    )


@st.cache_resource(max_entries=MAX_EVALUATED, ttl=KEEP_SECONDS, show_spinner=False)
def _is_unknown(digest: str, box: Box, source: Source, _prepared: Prepared) -> bool:
    return looks_unknown(_prepared)


@st.cache_resource(
    max_entries=MAX_PREPARED, ttl=KEEP_SECONDS, show_spinner="Evaluating 4,096 settings"
)
def _table(digest: str, box: Box, source: Source, _prepared: Prepared) -> Table:
    return factorial(_prepared)


@st.cache_resource(max_entries=MAX_PREPARED, ttl=KEEP_SECONDS, show_spinner=False)
def _seen(digest: str, box: Box, source: Source, _model: Trained, _photo: Photo) -> Image.Image:
    return view(crop(_photo.image, box), _model.preprocess)
