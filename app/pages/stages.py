"""The page "Stages": every branch's map of the photo, what they add up to, and what is fused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st
from PIL import Image

from lafe.branches import STAGES, Switches
from lafe.explain.prepare import Prepared
from lafe.render.bars import Bars
from lafe.render.labels import LETTERS, SIDES
from lafe.render.pictures import svg_url

from ..figures import maps
from ..figures.maps import Scale
from ..figures.tiles import legend, tile
from ..state import address, models, session
from ..state.models import title
from ..state.session import Panel, Photo, Visit
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


@dataclass(frozen=True, eq=False)
class _Sheet:
    """The picture that all maps of the page lie over, and how they do."""

    picture: Image.Image
    opacity: float
    own: bool

    def scale(self, layers: Iterable[maps.Layer]) -> Scale | None:
        """The scale that the maps share; None where each has its own."""
        return None if self.own else maps.scale(layers)

    def tile(self, layer: maps.Layer, scale: Scale | None) -> str:
        """HTML of a map over the picture."""
        return tile(self.picture, layer, scale, self.opacity)

    def gate(self, gate: maps.Layer | Bars) -> str:
        """HTML of a gate: a region gate as a map, with its own values; a channel gate as bars."""
        if isinstance(gate, maps.Layer):
            return f'<div class="gated">{self.tile(gate, None)}</div>'
        ratio, words = f"{self.picture.width} / {self.picture.height}", escape(gate.words)
        return (
            f'<div class="gated"><figure class="tile"><div style="aspect-ratio: {ratio}">'
            f'<img class="gate" alt="Bars" src="{svg_url(gate.svg)}"></div>'
            f"<figcaption>{words}</figcaption></figure></div>"
        )


@st.fragment
@guarded
def _stages(photo: Photo) -> None:
    """The maps of a panel's setting, stage by stage, and what is fused of them."""
    visit = session.visit()
    st.title("Stages", anchor=False)
    headline(photo)
    opening = st.container()
    panel, own = _choices(visit)
    name = visit.checkpoint_of(panel)
    model = models.model(name)
    with opening:
        verdict(model.card)
    picture = models.seen(photo, model).copy()
    picture.thumbnail((_TILE, _TILE))
    sheet = _Sheet(picture, visit.display.opacity, own)
    st.html(_grid(sheet, models.under(photo, panel, model), panel.switches))
    st.subheader("Fused over the stages", anchor=False)
    _fused(sheet, maps.fused_layers(photo, name, panel))
    st.caption(
        f"Maps of the model “{plain(title(name))}”, each the mean over its "
        "channels, shown as it is."
    )
    address.show(visit)


def _choices(visit: Visit) -> tuple[Panel, bool]:
    """The panel whose setting is shown, and whether each map has a scale of its own."""
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
    return visit.panels[min(place or 0, len(visit.panels) - 1)], bool(own)


def _grid(sheet: _Sheet, prepared: Prepared, switches: Switches) -> str:
    """HTML: the sides as columns, and for each stage a row of gates and one of maps."""
    sides = "".join(
        f'<div class="side {side} wide"><b>{words.sign}</b> {words.name}</div>'
        for side, words in SIDES.items()
    )
    stages = "".join(_stage(sheet, prepared, switches, stage) for stage in STAGES)
    return (
        f'<div class="fit"><div class="stages"><div class="corner"></div>{sides}'
        f'<div class="corner"></div>{stages}</div></div>'
    )


def _stage(sheet: _Sheet, prepared: Prepared, switches: Switches, stage: int) -> str:
    layers = maps.stage_layers(prepared, switches, stage)
    shared = sheet.scale(layers)
    size = "\N{MULTIPLICATION SIGN}".join(str(n) for n in prepared.feature(stage).shape[2:])
    parts = [
        f'<div class="stage">Stage {stage}<small>{size} places</small><small>Gates</small></div>'
    ]
    for k, gate in enumerate(maps.gates(prepared, switches, stage)):
        parts.append(sheet.gate(gate))
        if k % 2:
            parts.append('<div class="blank"></div>')  # sums have no gate
    parts.append('<div class="blank"></div>')
    parts.append('<div class="stage times">Gate \N{MULTIPLICATION SIGN} features</div>')
    parts += [sheet.tile(layer, shared) for layer in layers]
    parts.append(f"<div>{legend(shared) if shared else ''}</div>")
    branches = [layer for k, layer in enumerate(layers) if k % 3 < 2]
    if told := maps.pairs(branches):
        alike = "; ".join(map(escape, told))
        parts.append(f'<div class="pairs">Correlation of the maps: {alike}.</div>')
    return "".join(parts)


def _fused(sheet: _Sheet, layers: Sequence[maps.Layer]) -> None:
    """The sum that F_5 is, as an equation."""
    *terms, total = layers
    shared = sheet.scale(terms)
    # F_5 has a sign, and so other colours and a scale of its own.
    first, *others = [*(sheet.tile(term, shared) for term in terms), sheet.tile(total, None)]
    signs = [*(words.sign for words in SIDES.values()), "="]
    signed = "".join(
        f'<div class="sign">{sign}</div>{other}' for sign, other in zip(signs, others, strict=True)
    )
    st.html(
        f'<div class="fit"><div class="equation">{first}{signed}'
        f"<div>{legend(shared) if shared else ''}</div></div></div>"
    )
    if told := maps.pairs(layers):
        st.caption(f"Correlation of the maps: {plain('; '.join(told))}.")
