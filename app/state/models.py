"""Models and photos that are ready for them: computed once, shared by all visitors, bounded."""

from __future__ import annotations

import functools
import gc
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import streamlit as st
from PIL import Image

from lafe.checkpoints import store
from lafe.checkpoints.card import Card
from lafe.checkpoints.stored import CARD, WEIGHTS, CheckpointError
from lafe.checkpoints.trained import Trained
from lafe.data.photo import WHOLE, crop
from lafe.errors import LafeError
from lafe.explain.ablation import Table, factorial
from lafe.explain.crop import Proposal, propose
from lafe.explain.parts import FILE as LOCATOR, Locator, LocatorError, read as read_locator
from lafe.explain.prepare import Prepared, prepare
from lafe.explain.unknown import looks_unknown
from lafe.measure import report as reports, sweep
from lafe.measure.records import ReportError
from lafe.measure.report import Report
from lafe.render.comparison import Choice
from lafe.render.pictures import view

from . import leaving, session
from .examples import drawn
from .session import Panel, Photo

MAX_MODELS = 8
MAX_PREPARED = 100
"""Photos under a model, about 10 MB each: fewer than visitors, and each click computes all anew."""
MAX_VERDICTS = 5000
KEEP_SECONDS = 1800
LOOK_AGAIN_SECONDS = 10  # for checkpoints that were added

_FIRST = ("birds", "cars", "aircraft")

R = TypeVar("R")

log = logging.getLogger(__name__)


class ModelError(RuntimeError):
    """A model that cannot be used; the message is for visitors, the reason is in the log."""


class Source(NamedTuple):
    """A checkpoint's folder, and when it was written: another one is another model."""

    path: Path
    written: int


def cards() -> Mapping[str, Card]:
    """The checkpoints that can be chosen, ours first; a broken one is left out and logged."""
    return _cards(tuple(_sources().items()))


def model(name: str) -> Trained:
    """The model of a checkpoint; ModelError if there is none or it was refused."""
    try:
        source = _source(name)
        return _model(str(source), source)
    except (CheckpointError, OSError) as error:
        log.error("A checkpoint was refused: %s", error)
        raise ModelError(
            "This model's file was refused, the log says why: choose another one."
        ) from error


def report(name: str) -> Report | None:
    """The report on a checkpoint's weights; None if there is none, or it cannot be read."""
    folder = _source(name).path
    file = folder / reports.REPORT
    if not file.is_file():
        return None
    return _report(folder, cards()[name].sha256, file.stat().st_mtime_ns)


def locator(name: str) -> Locator | None:
    """The locator of parts of birds, for these weights; None where there is none."""
    folder = _source(name).path
    file = folder / LOCATOR
    return _locator(folder, model(name), file.stat().st_mtime_ns) if file.is_file() else None


def sweeps() -> dict[str, list[sweep.Result]]:
    """The result files of ``lafe sweep``, by sweep; those that cannot be read are left out."""
    return _sweeps(tuple(store.folders()))


def title(name: str) -> str:
    """The title of a checkpoint in the app; where several have one, their names tell them apart."""
    titles = {
        each: card.title or each.replace("_", " ").capitalize() for each, card in cards().items()
    }
    own = titles[name]
    return f"{own} ({name})" if list(titles.values()).count(own) > 1 else own


def broken() -> list[str]:
    """The checkpoints that are there and cannot be used; the log says why."""
    return sorted(_sources().keys() - cards().keys())


# A photo is known by its bytes and its crop: equal ones share what was computed, whoever brought
# them.  A model is loaded once, so it is known by being that one, and by its weights' hash.
KNOWN_BY: dict[str | type, Callable[..., object]] = {
    Photo: lambda photo: (photo.digest, photo.crop),
    Trained: lambda model: (id(model), model.card.sha256),
}


def _kept(
    max_entries: int, show_spinner: bool | str = False
) -> Callable[[Callable[[Photo, Trained], R]], Callable[[Photo, Trained], R]]:
    """Keep results for photos, until the visitor leaves and not for long: they are visitors'."""

    def decorate(compute: Callable[[Photo, Trained], R]) -> Callable[[Photo, Trained], R]:
        # Streamlit hashes what has no underscore in front, slowly: a text is quick.
        def keyed(key: str, _photo: Photo | None, _model: Trained | None) -> R:
            assert _photo is not None
            assert _model is not None
            return compute(_photo, _model)

        keyed.__qualname__ = compute.__qualname__  # tells one cache from another
        cached = st.cache_resource(
            max_entries=max_entries, ttl=KEEP_SECONDS, show_spinner=show_spinner
        )(keyed)

        @functools.wraps(compute)
        def found(photo: Photo, model: Trained) -> R:
            key = f"{KNOWN_BY[Photo](photo)} {KNOWN_BY[Trained](model)}"
            leaving.needs((compute.__name__, key), lambda: cached.clear(key, None, None))
            return cached(key, photo, model)

        return found

    return decorate


@_kept(MAX_PREPARED, "Looking at the photo")
def prepared(photo: Photo, model: Trained) -> Prepared:
    """The photo's features under a model; the only passes through a backbone are here."""
    start = time.perf_counter()
    found = prepare(model, crop(photo.image, photo.crop))
    _SECONDS[model.card.sha256] = time.perf_counter() - start
    return found


_SECONDS: dict[str, float] = {}


def seconds_of_a_pass(model: Trained) -> float:
    """The time that the last photo took under a model, for saying how long something will take."""
    return _SECONDS.get(model.card.sha256, 0.1)


@_kept(MAX_VERDICTS)
def proposal(photo: Photo, model: Trained) -> Proposal | None:
    """A crop of the photo to its object, whatever its crop is now; None where it fills it."""
    whole = prepared(replace(photo, crop=WHOLE), model)
    return propose(whole, photo.image, model)


@_kept(MAX_VERDICTS)
def is_unknown(photo: Photo, model: Trained) -> bool:
    """True if a photo looks like nothing that a model knows."""
    return looks_unknown(prepared(photo, model))


@_kept(MAX_PREPARED, "Evaluating 4,096 settings")
def table(photo: Photo, model: Trained) -> Table:
    """All 4,096 settings of a photo under a model."""
    return factorial(prepared(photo, model))


@_kept(MAX_PREPARED)
def seen(photo: Photo, model: Trained) -> Image.Image:
    """The part of a photo that a model sees, in the photo's own proportions."""
    return view(crop(photo.image, photo.crop), model.preprocess)


def under(photo: Photo, panel: Panel, model: Trained) -> Prepared:
    """The photo's features, with a panel's stand-ins for learned gates."""
    own, other = prepared(photo, model), None
    if len(panel.controls.other_photo):
        other = prepared(stranger(photo), model)
    try:
        return own.under(panel.controls, other)
    except LafeError as error:
        raise ModelError(str(error)) from error


def choice(photo: Photo, panel: Panel, checkpoint: str) -> Choice:
    """A panel as what is taken away needs it, which knows no session; raises ModelError."""
    found = model(checkpoint)
    under(photo, panel, found)  # says why where it cannot be
    other = stranger(photo) if len(panel.controls.other_photo) else None
    picture = None if other is None else crop(other.image, other.crop)
    return Choice(found, panel.switches, panel.controls, picture)


def stranger(photo: Photo) -> Photo:
    """Another photo, whose gates may stand in: the visitor's next, else a drawn bird."""
    others = [p for p in session.visit().photos if p.digest != photo.digest]
    return others[0] if others else _drawn_stranger()


@st.cache_resource(show_spinner=False)
def _drawn_stranger() -> Photo:
    return Photo("a drawn bird", drawn())


def _source(name: str) -> Source:
    source = _sources().get(name)
    if source is None:
        raise ModelError("This model is not installed here any more: choose another one.")
    return source


def _sources() -> Mapping[str, Source]:
    """The checkpoints in all folders, looked for anew every few seconds."""
    return _sources_in(tuple(store.folders()), int(time.monotonic() / LOOK_AGAIN_SECONDS))


@functools.lru_cache(10)
def _sources_in(folders: tuple[Path, ...], _when: int) -> Mapping[str, Source]:
    found: dict[str, Source] = {}
    for folder in folders:
        try:
            here = store.available([folder])
            found = {name: Source(path, _written(path)) for name, path in here.items()} | found
        except OSError as error:
            _log_once(f"A folder of checkpoints is left out: {error}")
    for name in [name for name in found if not _is_text(name)]:
        _log_once(f"A checkpoint is left out: the name of its folder {name!a} is no Unicode")
        del found[name]
    return found


@functools.lru_cache(1000)
def _log_once(said: str) -> None:
    """Log what is found again every few seconds."""
    log.error(said)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _written(folder: Path) -> int:
    files = (folder / name for name in (WEIGHTS, CARD))  # the card may be within
    return max(file.stat().st_mtime_ns for file in files if file.is_file())


@functools.lru_cache(10)
def _cards(sources: tuple[tuple[str, Source], ...]) -> Mapping[str, Card]:
    found: dict[str, Card] = {}
    for name, source in sorted(sources, key=_place):
        try:
            found[name] = store.load_card(source.path)
        except (CheckpointError, OSError) as error:
            log.error("A checkpoint is left out: %s", error)
    return MappingProxyType(found)


def _place(source: tuple[str, Source]) -> tuple[int, str]:
    name, _ = source
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST)), name


@st.cache_resource(max_entries=100, show_spinner=False)
def _report(folder: Path, sha256: str, written: int) -> Report | None:
    try:
        return reports.read(folder, sha256)
    except ReportError as error:
        log.error("A report is left out: %s", error)
        return None


@st.cache_resource(max_entries=20, show_spinner=False, hash_funcs=KNOWN_BY)
def _locator(folder: Path, model: Trained, written: int) -> Locator | None:
    try:
        return read_locator(folder, model)
    except LocatorError as error:
        log.error("A locator is left out: %s", error)
        return None


@st.cache_resource(max_entries=10, ttl=LOOK_AGAIN_SECONDS, show_spinner=False)
def _sweeps(folders: tuple[Path, ...]) -> dict[str, list[sweep.Result]]:
    found: dict[str, list[sweep.Result]] = {}
    for folder in folders:
        results = []
        for file in sorted((folder / "results").glob("*.json")):
            try:
                results.append(sweep.read(file))
            except ReportError as error:
                _log_once(f"A result is left out: {error}")
        found = sweep.by_sweep(results) | found  # the first folder wins
    return found


@st.cache_resource(max_entries=MAX_MODELS, show_spinner="Loading the model, a second or two")
def _model(known: str, _source: Source) -> Trained:
    return _loaded(_source)


def _loaded(source: Source) -> Trained:
    with _LOADING:
        return _weights(source)


@functools.lru_cache(maxsize=MAX_MODELS)
def _weights(source: Source) -> Trained:
    loaded = store.load(source.path)
    gc.collect()
    gc.freeze()  # Streamlit collects garbage after each click: not among what is loaded for good
    return loaded


_LOADING = threading.Lock()  # two visitors, or one and the thread below, load a model once


@st.cache_resource(show_spinner=False)
def load_in_background() -> threading.Thread:
    """Load all models, once and beside the first page, so that the first photo need not wait."""
    known, sources = list(cards()), _sources()

    def load() -> None:
        for name in known[:MAX_MODELS]:
            with suppress(CheckpointError):  # whoever asks for it is told
                _loaded(sources[name])

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    return thread
