"""The page "Stages": every branch's map of the photo, what they add up to, and what is fused."""

from __future__ import annotations

from html import escape

import streamlit as st
from PIL import Image

from lafe.branches import STAGES
from lafe.render.bars import Bars
from lafe.render.labels import LETTERS, SIDES
from lafe.render.pictures import svg_url

from ..figures import maps
from ..figures.tiles import legend, tile
from ..state import address, models, session
from ..state.models import cards, title
from ..state.session import Photo
from ..widgets.answer import headline
from ..widgets.card import verdict
from ..widgets.first import begin
from ..widgets.kept import kept
from ..widgets.parts import guarded, plain
from ..widgets.switchboard import setting_name

_TILE = 320  # px, longest side of a picture here


def page() -> None:
    photo = session.visit().photo
    if photo is None:
        st.title("Stages", anchor=False)
        begin("Every branch's map of your photo, stage by stage.")
    else:
        _stages(photo)


@st.fragment
@guarded
def _stages(photo: Photo) -> None:
    """The grid of a panel's setting."""
    visit = session.visit()
    st.title("Stages", anchor=False)
    headline(photo)
    opening = st.container()
    with st.container(horizontal=True):
        place = kept(
            st.segmented_control,
            "Setting of panel",
            range(len(visit.panels)),
            format_func=lambda p: f"{LETTERS[p]}: {setting_name(visit.panels[p].switches)}",
            required=True,
            usual=0,
            key="stages-panel",
        )
        own = kept(
            st.segmented_control,
            "Colour scale",
            (False, True),
            format_func=lambda own: "Each its own" if own else "Shared by a row",
            required=True,
            usual=False,
            key="stages-own",
        )
    panel = visit.panels[min(place or 0, len(visit.panels) - 1)]
    name = visit.checkpoint_of(panel)
    model = models.model(name)
    with opening:
        verdict(model.card)
    prepared = models.under(photo, panel, model)
    picture = models.seen(photo, model).copy()
    picture.thumbnail((_TILE, _TILE))
    opacity = visit.display.opacity

    rows = ['<div class="fit"><div class="stages"><div class="corner"></div>']
    for side, words in SIDES.items():
        heading = f"<b>{words.sign}</b> {words.name}"
        rows.append(f'<div class="side {side} wide">{heading}</div>')
    rows.append('<div class="corner"></div>')
    for stage in STAGES:
        layers = maps.stage_layers(prepared, panel.switches, stage)
        shared = None if own else maps.scale(layers)
        size = "\N{MULTIPLICATION SIGN}".join(str(n) for n in prepared.feature(stage).shape[2:])
        rows.append(
            f'<div class="stage">Stage {stage}<small>{size} places</small>'
            "<small>Gates</small></div>"
        )
        for k, gate in enumerate(maps.gates(prepared, panel.switches, stage)):
            rows.append(_gate(picture, gate, opacity))
            if k % 2:
                rows.append('<div class="blank"></div>')  # sums have no gate
        rows.append('<div class="blank"></div>')
        rows.append('<div class="stage times">Gate \N{MULTIPLICATION SIGN} features</div>')
        rows += [tile(picture, layer, shared, opacity) for layer in layers]
        rows.append(f"<div>{legend(shared) if shared else ''}</div>")
        branches = [layer for k, layer in enumerate(layers) if k % 3 < 2]
        if told := maps.pairs(branches):
            alike = "; ".join(map(escape, told))
            rows.append(f'<div class="pairs">Correlation of the maps: {alike}.</div>')
    rows.append("</div></div>")
    st.html("".join(rows))

    st.subheader("Fused over the stages", anchor=False)
    layers = maps.fused_layers(photo, name, panel)
    shared = None if own else maps.scale(layers[:-1])
    # F_5 has a sign, and so other colours and a scale of its own.
    scales = [shared] * (len(layers) - 1) + [None]
    tiles = [
        tile(picture, layer, scale, opacity) for layer, scale in zip(layers, scales, strict=True)
    ]
    signs = [*(words.sign for words in SIDES.values()), "="]
    parts = [tiles[0]]
    for sign, part in zip(signs, tiles[1:], strict=True):
        parts += [f'<div class="sign">{sign}</div>', part]
    st.html(
        f'<div class="fit"><div class="equation">{"".join(parts)}'
        f"<div>{legend(shared) if shared else ''}</div></div></div>"
    )
    if told := maps.pairs(layers):
        st.caption(f"Correlation of the maps: {plain('; '.join(told))}.")
    st.caption(
        f"Maps of the model “{plain(title(name, cards()[name]))}”, each the mean over its "
        "channels, shown as it is."
    )
    address.show(visit)


def _gate(picture: Image.Image, gate: maps.Layer | Bars, opacity: float) -> str:
    """A region gate as a map over the photo, with its own values; a channel gate as bars."""
    if isinstance(gate, maps.Layer):
        return f'<div class="gated">{tile(picture, gate, None, opacity)}</div>'
    ratio, words = f"{picture.width} / {picture.height}", escape(gate.words)
    return (
        f'<div class="gated"><figure class="tile"><div style="aspect-ratio: {ratio}">'
        f'<img class="gate" alt="Bars" src="{svg_url(gate.svg)}"></div>'
        f"<figcaption>{words}</figcaption></figure></div>"
    )
