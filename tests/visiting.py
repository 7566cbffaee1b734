"""A visitor of the app, driven by Streamlit's AppTest."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from app import navigation
from app.state import models
from app.state.session import Visit
from lafe import Switches, load, open_photo

SCRIPT = Path(__file__).parents[1] / "streamlit_app.py"
BIRDS = ["Grey Owl", "Red_Kite *x*", "Crow", "Tern", "Gull"]
CARS = ["Coupe", "Van", "Truck", "Tern", "Mini"]


def picture(seed: int = 0, size: tuple[int, int] = (120, 90), kind: str = "PNG") -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(out, kind)
    return out.getvalue()


def app(**params: str) -> AppTest:
    at = AppTest.from_file(str(SCRIPT), default_timeout=120)
    at.query_params.update(params)
    return at.run()


def upload(at: AppTest, *files: tuple[str, bytes], at_first: bool = True) -> AppTest:
    given = [(name, data, "image/png") for name, data in files]
    key = "upload-first" if at_first else "upload-more"
    next(u for u in at.file_uploader if u.key.startswith(key)).set_value(given)
    return at.run()


def goes_to(at: AppTest, page: str) -> AppTest:
    """Open another page; AppTest's own ``switch_page`` knows pages that are files only."""
    pages = at._registered_pages.items()
    title = navigation.PAGES[page].title
    at._page_hash = next(key for key, info in pages if info["page_name"] == title)
    return at.run()


def visit(at: AppTest) -> Visit:
    return at.session_state["visit"]


def bars(at: AppTest, place: int) -> list[float]:
    """The bars of a panel: the probabilities of its five likeliest classes."""
    return [float(p) for p in re.findall(r'data-probability="([^"]+)"', panels(at)[place])]


def panels(at: AppTest) -> list[str]:
    """HTML of what each panel says."""
    return [h.value for h in at.html if 'class="bars"' in h.value]


def unfold(at: AppTest, *drawers: str) -> AppTest:
    """Open drawers, by their keys: ``switches-0``, ``controls-1``, ``more-maps``."""
    for key in drawers:
        at.session_state[key] = True
    return at.run()


def alts(at: AppTest) -> list[str]:
    """What the pictures of the page Compare are said to show."""
    (viewer,) = (c for c in at.get("bidi_component") if "viewer" in c.proto.component_name)
    return [picture["alt"] for picture in json.loads(viewer.proto.json)["pictures"]]


def ranges(at: AppTest) -> list[str]:
    """The range of the colours of every panel that has a map."""
    return [h.value.split('alt="')[1].split('"')[0] for h in at.html
            if 'class="legend"' in h.value]  # fmt: skip


def said(at: AppTest) -> str:
    return " ".join(element.value for kind in ("html", "markdown", "warning", "caption", "error")
                    for element in getattr(at, kind))  # fmt: skip


def truth(name: str, data: bytes, switches: Switches) -> torch.Tensor:
    """Probabilities, computed without the app."""
    model = load(models._source(name).path)
    with torch.no_grad():
        logits = model(model.preprocess(open_photo(data)), switches)[0]
    if model.temperatures is not None:
        logits = logits / model.temperatures[switches.index]
    return logits.softmax(0)


def shown(trace: dict[str, Any]) -> np.ndarray:
    x = trace["x"]
    if isinstance(x, dict):  # Plotly's binary arrays
        import base64

        return np.frombuffer(base64.b64decode(x["bdata"]), np.dtype(x["dtype"]))
    return np.array(x)
