"""A comparison as files to take away: figure, page, numbers, raw maps, settings.

Nothing in them is a pickle, and nothing tells where or by whom the photo was taken: EXIF was
dropped when the photo was opened.  Equal inputs give equal bytes.
"""

from __future__ import annotations

import json
import platform
import shlex
import zipfile
from importlib.metadata import version
from io import BytesIO
from typing import Any

import numpy as np

from lafe.render.comparison import OPACITY, Comparison
from lafe.render.figure import FIGURES, render
from lafe.render.printout import printout
from lafe.version import __version__

NUMBERS, ARRAYS, PHOTO, PAGE, README = (
    "comparison.json",
    "maps.npz",
    "photo.png",
    "report.html",
    "README.txt",
)
FILES = (*FIGURES, PAGE, NUMBERS, ARRAYS, PHOTO, README)
"""Names of the files; in a folder of a visitor's, no other file is touched."""

SCHEMA = 1
"""The version of ``comparison.json`` and ``maps.npz``: grows when a name changes or goes."""

_VERSIONS = ("torch", "torchvision", "timm", "numpy", "pillow", "opencv-python-headless")
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold

_ABOUT = """\
One photo under {count} of LAFE's switches
{line}

{table}

Files
  figure.png, figure.pdf   photo, final features F5, discriminative D, confusable C: a row a
                           setting; a column has one colour scale, printed below it
  report.html              the same with more numbers, to read or print; needs no network
  comparison.json          "schema" (version 1 of these names), settings, checkpoints (sha256),
                           crop, versions; every class's
                           probability and centred logit; the terms of the first class's logit
  maps.npz                 the arrays behind it, float32, as they are: never squared or rescaled
  photo.png                the part of the photo that was looked at, without metadata

Arrays in maps.npz, for every panel (A, B, ...); what a setting has switched off is left out
  A_logits                 (classes,) in the order of "label" in comparison.json
  A_final, A_dis, A_con    F5, D, C: the mean over their channels
  A_r_dis5, ...            a branch at a stage: the mean over its channels
  A_evidence_backbone, A_evidence_dis, A_evidence_con
                           what each place adds to the first class's centred logit, exactly:
                           their sum, plus "bias" in comparison.json, is "centred_logit" there

Read it
  import json, numpy as np
  numbers = json.load(open("comparison.json", encoding="utf-8"))
  maps = np.load("maps.npz", allow_pickle=False)
  terms = [maps[f"A_evidence_{{part}}"].sum() for part in ("backbone", "dis", "con")]
  print(sum(terms) + numbers["panels"][0]["evidence"]["bias"])

Make it again
{commands}

A map shows where features are strong, not why a class was chosen; the evidence says what each
place adds to the logit.  Switching a branch off is not the same as training without it.
Method: X. Shi et al., ACM Multimedia 2020, https://doi.org/10.1145/3394171.3413883
"""


def files(comparison: Comparison, opacity: float = OPACITY) -> dict[str, bytes]:
    """The contents of every file, by its name."""
    return {
        **render(comparison, opacity),
        PAGE: printout(comparison, opacity, versions()).encode(),
        NUMBERS: (json.dumps(_numbers(comparison), indent=1, ensure_ascii=False) + "\n").encode(),
        ARRAYS: _arrays(comparison),
        PHOTO: _png(comparison),
        README: _readme(comparison).encode(),
    }


def archive(comparison: Comparison, opacity: float = OPACITY) -> bytes:
    """One zip of all files, in a folder ``comparison``."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files(comparison, opacity).items():
            entry = zipfile.ZipInfo(f"comparison/{name}", _BEGINNING)
            entry.external_attr = 0o644 << 16
            packed = name.endswith((".png", ".npz"))
            archive.writestr(entry, data, zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED)
    return out.getvalue()


def versions() -> dict[str, str]:
    """Versions of the packages that computed the numbers."""
    found = {"lafe": __version__, "python": platform.python_version()}
    return found | {name: version(name) for name in _VERSIONS}


def _numbers(comparison: Comparison) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "crop": list(comparison.box),
        "size": list(comparison.photo.size),
        "panels": [panel.to_dict() for panel in comparison.panels],
        "versions": versions(),
    }


def _arrays(comparison: Comparison) -> bytes:
    out = BytesIO()
    named = {
        f"{panel.letter}_{name}": array
        for panel in comparison.panels
        for name, array in panel.arrays().items()
    }
    np.savez_compressed(out, allow_pickle=False, **named)
    return out.getvalue()


def _png(comparison: Comparison) -> bytes:
    out = BytesIO()
    comparison.photo.save(out, "PNG")
    return out.getvalue()


def _readme(comparison: Comparison) -> str:
    panels = comparison.panels
    title = f"{len(panels)} setting{'s' if len(panels) > 1 else ''}"
    by_model: dict[str, list[str]] = {}
    for panel in (p for p in panels if not p.controlled):  # controls have no words there
        by_model.setdefault(panel.card.name, []).append(str(panel.switches))
    return _ABOUT.format(
        count=title,
        line="=" * len(f"One photo under {title} of LAFE's switches"),
        table="\n".join(
            f"  {p.letter}  {p.card.name}, {p.setting}: {p.top(1)[0][0]}, {p.top(1)[0][1]:.4f}"
            for p in panels
        ),
        commands="\n".join(
            f"  lafe explain photo.png --checkpoint {shlex.quote(name)} "
            f"--switches {' '.join(texts)} --out again"
            for name, texts in by_model.items()
        ),
    )
