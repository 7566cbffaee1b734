"""The page "Stages": every branch's map of the photo, what they add up to, and what is fused."""

from __future__ import annotations

import streamlit as st
from PIL import Image

from lafe.branches import STAGES

from ..figures import maps
from ..figures.maps import Layer, Scale
from ..state import address, models, session
from ..state.models import cards, title
from ..state.session import LETTERS, Photo
from ..widgets.components import data_url
from ..widgets.parts import guarded, legend, plain, upload_first
from ..widgets.switchboard import SIDES, setting_name

_TILE = 320  # px, longest side of a picture here


def page() -> None:
    photo = session.visit().photo
    if photo is None:
        st.title("Stages")
        upload_first("Every branch's map of your photo, stage by stage.")
    else:
        _stages(photo)


@st.fragment
@guarded
def _stages(photo: Photo) -> None:
    """The grid of a panel's setting."""
    visit = session.visit()
    st.title("Stages")
    with st.container(horizontal=True):
        place = st.segmented_control(
            "Setting of panel",
            range(len(visit.panels)),
            format_func=lambda p: f"{LETTERS[p]}: {setting_name(visit.panels[p].switches)}",
            required=True,
            default=0,
            key="stages-panel",
            persist_state="session",
        )
        own = st.segmented_control(
            "Colour scale",
            (False, True),
            format_func=lambda own: "Each its own" if own else "Shared by a row",
            required=True,
            default=False,
            key="stages-own",
            persist_state="session",
        )
    panel = visit.panels[min(place or 0, len(visit.panels) - 1)]
    name = visit.checkpoint_of(panel)
    prepared = models.prepared(photo, name, panel.controls)
    picture = models.seen(photo, name).copy()
    picture.thumbnail((_TILE, _TILE))
    opacity = visit.display.opacity

    rows = ['<div class="fit"><div class="stages"><div class="corner"></div>']
    for side, (heading, sign, _) in SIDES.items():
        rows.append(f'<div class="side {side} wide"><b>{sign}</b> {heading}</div>')
    rows.append('<div class="corner"></div>')
    for stage in STAGES:
        layers = maps.stage_layers(prepared, panel.switches, stage)
        shared = None if own else maps.scale(layers)
        size = "\N{MULTIPLICATION SIGN}".join(str(n) for n in prepared.feature(stage).shape[2:])
        rows.append(f'<div class="stage">Stage {stage}<small>{size} places</small></div>')
        rows += [_tile(picture, layer, shared, opacity) for layer in layers]
        rows.append(f"<div>{legend(shared) if shared else ''}</div>")
    rows.append("</div></div>")
    st.html("".join(rows))

    st.subheader("Fused over the stages", anchor=False)
    layers = maps.fused_layers(photo, name, panel)
    shared = None if own else maps.scale(layers)
    tiles = [_tile(picture, layer, shared, opacity) for layer in layers]
    signs = ["+", "\N{MINUS SIGN}", "="]
    parts = [tiles[0]]
    for sign, tile in zip(signs, tiles[1:], strict=True):
        parts += [f'<div class="sign">{sign}</div>', tile]
    st.html(
        f'<div class="fit"><div class="equation">{"".join(parts)}'
        f"<div>{legend(shared) if shared else ''}</div></div></div>"
    )
    st.caption(
        f"Maps of the model “{plain(title(name, cards()[name]))}”, each the mean over its "
        "channels, shown as it is."
    )
    address.show(visit)


def _tile(picture: Image.Image, layer: Layer, shared: Scale | None, opacity: float) -> str:
    """HTML of one map over the photo; hollow where it is switched off."""
    scale = shared or maps.scale([layer])
    painted = maps.painted(picture, layer, scale, opacity)
    if painted is None:
        ratio = f"{picture.width} / {picture.height}"
        body = f'<div class="off" style="aspect-ratio: {ratio}">off</div>'
    else:
        url = data_url(Image.fromarray(painted), _TILE)
        body = f'<img alt="The photo under {layer.name}" src="{url}">'
    below = legend(scale) if scale is not None and shared is None and painted is not None else ""
    return f"<figure>{body}<figcaption>{layer.name}</figcaption>{below}</figure>"
