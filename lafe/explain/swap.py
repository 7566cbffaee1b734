"""The swap test: the fewest places of another photo that turn this one into another class.

Source: Goyal et al., ICML 2019, *Counterfactual Visual Explanations*, who search greedily.  Here
the logits are a sum over places, so that the best edits of any number are found by sorting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lafe import markup
from lafe.branches import FULL, Switches
from lafe.errors import LafeError
from lafe.explain.classes import index_of, names_of
from lafe.explain.places import Place, logits, place, shares
from lafe.explain.prepare import Prepared, prepare

Edit = tuple[Place, Place]
"""A place of the photo, and the place of the other photo that takes its place."""

Chosen = tuple[Tensor, Tensor]
"""Places of the photo and of the other one, (k,) each."""


class SwapError(LafeError):
    """Photos or places between which no swap leads to the target."""


@dataclass(frozen=True, eq=False)
class Swap:
    """The fewest edits that put a class above the one that a photo is taken for.

    Attributes:
        edits: in order, the strongest first; none where the target is above already.
        logits: after each edit, (k, K) float64.
        before: without any, (K,) float64.
        source: the class that the photo is taken for.
        target: the class that is put above it.
        of: the map whose places are replaced.
        one_fewer: the largest lead of the target over the source that one edit fewer can give,
            whichever edits these are: at most 0.  None where there are no edits.
        classes: names in label order.
    """

    edits: tuple[Edit, ...]
    logits: Tensor
    before: Tensor
    source: int
    target: int
    of: str
    one_fewer: float | None
    classes: Sequence[str]

    @property
    def winner(self) -> int:
        """The class that wins over all after the edits; it need not be the target."""
        return int((self.logits[-1] if self.edits else self.before).argmax())

    def _repr_html_(self) -> str:
        """The edits in a notebook, with the target's lead after each."""
        leads = [float(z[self.target] - z[self.source]) for z in (self.before, *self.logits)]
        rows = [(*edit, lead) for edit, lead in zip((("", ""), *self.edits), leads, strict=True)]
        source, target = self.classes[self.source], self.classes[self.target]
        caption = f"{target} above {source}: places of {self.of} that are replaced"
        return markup.table(caption, ("row, column", "by the other's", "lead"), rows)


@dataclass(frozen=True, eq=False)
class Pasted:
    """A photo into which the patches of a swap were pasted, and what the model says of it.

    Attributes:
        photo: as :func:`lafe.prepare` gives it.
        survives: whether the target is above the source in pixels, too.
        winner: the class that wins over all.
    """

    photo: Prepared
    survives: bool
    winner: int


@torch.inference_mode(False)
@torch.no_grad()
def swap(
    photo: Prepared,
    other: Prepared,
    *,
    target: int | str,
    of: str = "F5",
    similar: float | None = None,
    switches: Switches = FULL,
) -> Swap:
    """The fewest places to replace, one to one, by another photo's, until the target is above.

    No choice of fewer edits does it: see :attr:`Swap.one_fewer`.  The target is put above the class
    that the photo is taken for; a third class may win over both (:attr:`Swap.winner`).

    Args:
        photo, other: under one model; ``other`` is any photo, at best one of the target.
        target: index or name of a class.
        of: the map whose places are replaced: ``"F5"``, ``"D"`` or ``"C"``.
        similar: a share, above 0 up to 1: only the pairs of places whose f_5 are that similar, by
            cosine, may be swapped.  All pairs by default.
        switches: the setting of both photos.

    Raises:
        SwapError: photos under two models; no number of edits leads to the target.
        lafe.LafeError: the photo is taken for the target already; no such class or map.

    Example:
        >>> swap = lafe.swap(photo, other, target="Brandt Cormorant")
        >>> swap.edits[0]
        ((4, 5), (3, 6))
    """
    if other.model is not photo.model:
        raise SwapError("The two photos are prepared with two models: prepare both with one.")
    if similar is not None and not 0 < similar <= 1:
        raise SwapError(f"Similar pairs are a share above 0, up to 1, not {similar}.")
    classes, before = names_of(photo.model), logits(photo, switches)
    goal, source = index_of(photo.model, target), int(before.argmax())
    if goal == source:
        raise SwapError(f"The photo is taken for {classes[goal]} already: choose another target.")
    a, b = shares(photo, of, switches), shares(other, of, switches)
    own, others = a[:, goal] - a[:, source], b[:, goal] - b[:, source]
    lead = float(before[goal] - before[source])
    if similar is None:
        found = _by_sorting(own, others, -lead)
    else:
        found = _by_matching(own, others, -lead, _alike(photo, other, similar))
    if found is None:
        raise SwapError(
            f"No swap of places puts {classes[goal]} above {classes[source]}: choose another photo "
            f"of {classes[goal]}" + ("." if similar is None else ", or allow less similar places.")
        )
    (p, q), gained = found
    return Swap(
        edits=tuple((place(photo, i), place(other, j)) for i, j in zip(p, q, strict=True)),
        logits=before + (b[q] - a[p]).cumsum(0),
        before=before,
        source=source,
        target=goal,
        of=of,
        one_fewer=lead + gained if len(p) else None,
        classes=classes,
    )


def _by_sorting(own: Tensor, others: Tensor, deficit: float) -> tuple[Chosen, float] | None:
    """The fewest pairs that gain more than the deficit, and what one fewer gains at most.

    The best k edits give up the k places that say the least and take the k that say the most.
    """
    p, q = own.argsort(stable=True), others.argsort(descending=True, stable=True)
    gained = torch.cat([own.new_zeros(1), (others[q] - own[p]).cumsum(0)])
    enough = torch.nonzero(gained > deficit).flatten()
    if not len(enough):
        return None
    k = int(enough[0])
    return (p[:k], q[:k]), float(gained[k - 1]) if k else 0.0


def _by_matching(
    own: Tensor, others: Tensor, deficit: float, allowed: Tensor
) -> tuple[Chosen, float] | None:
    """The same where not every pair is allowed (n, n): an assignment of k pairs for each k.

    What k pairs gain is concave in k, and never more than where all pairs are allowed.
    """
    free = _by_sorting(own, others, deficit)
    if free is None:
        return None
    gains, least = others[None] - own[:, None], len(free[0][0])
    if not least:
        return free
    best = _assignment(gains, allowed, least - 1)
    for k in range(least, len(own) + 1):
        fewer, best = best, _assignment(gains, allowed, k)
        if fewer is None or best is None or best[1] < fewer[1]:
            return None
        if best[1] > deficit:
            return best[0], fewer[1]
    return None


def _assignment(gains: Tensor, allowed: Tensor, k: int) -> tuple[Chosen, float] | None:
    """The k allowed pairs, one to one, that gain the most, the strongest first; None if too few.

    Whoever stays out is paired with one of n - k stand-ins, at no gain.
    """
    from scipy.optimize import linear_sum_assignment  # a third of a second, for this alone

    n = len(gains)
    forbidden = -float(gains.abs().sum()) - 1
    whole = gains.new_zeros(2 * n - k, 2 * n - k)
    whole[:n, :n] = torch.where(allowed, gains, forbidden)
    whole[n:, n:] = forbidden
    rows, columns = map(torch.from_numpy, linear_sum_assignment(whole.numpy(), maximize=True))
    if float(whole[rows, columns].sum()) <= forbidden / 2:
        return None
    real = (rows < n) & (columns < n)
    p, q = rows[real], columns[real]
    order = gains[p, q].argsort(descending=True, stable=True)
    p, q = p[order], q[order]
    return (p, q), float(gains[p, q].sum())


def _alike(photo: Prepared, other: Prepared, share: float) -> Tensor:
    """Pairs of places with the most similar f_5, (n, n) bool."""
    a, b = (F.normalize(p.features[-1][0].flatten(1).cpu().float(), dim=0) for p in (photo, other))
    cosines = a.T @ b
    count = max(int(share * cosines.numel()), 1)
    allowed = torch.zeros(cosines.numel(), dtype=torch.bool)
    allowed[cosines.flatten().topk(count).indices] = True
    return allowed.view_as(cosines)


def paste(photo: Prepared, other: Prepared, found: Swap, switches: Switches = FULL) -> Pasted:
    """The swap in pixels: paste the other photo's patches, and run the model again.

    It need not survive: a place of F_5 sees far more than the patch that it stands on (see
    :func:`lafe.explain.places.reach`), so that a pasted patch brings less than was swapped, and its
    edges more.

    Args:
        photo, other: as they were given to :func:`swap`.
        found: what that gave.
        switches: the setting.
    """
    x, side = photo.x.clone(), photo.x.shape[-1] // photo.features[-1].shape[-1]
    for to, source in found.edits:
        x[(..., *_patch(to, side))] = other.x[(..., *_patch(source, side))]
    pasted = prepare(photo.model, x).under(photo.controls, photo.other)
    after = pasted.logits(switches)
    return Pasted(pasted, bool(after[found.target] > after[found.source]), int(after.argmax()))


def _patch(where: Place, side: int) -> tuple[slice, slice]:
    row, column = where
    return slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side)
