"""Sufficient places: the smallest set whose evidence alone keeps a class ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lafe import markup
from lafe.branches import FULL, Switches
from lafe.errors import LafeError
from lafe.explain.classes import index_of, names_of
from lafe.explain.places import Place, bias, place, shares
from lafe.explain.prepare import Prepared


@dataclass(frozen=True, eq=False)
class Sufficient:
    """The fewest places of F_5 whose evidence, with the bias, keeps a class above another.

    Attributes:
        places: in order, the strongest first; none where the bias alone does it.
        logits: from the first places alone, after each of them, (k, K) float64.
        bias: from no place at all, (K,) float64.
        target, versus: the class that stays above, and the one below.
        one_fewer: the largest lead that one place fewer can give, whichever places these are: at
            most 0.  None where no place is needed.
        classes: names in label order.
    """

    places: tuple[Place, ...]
    logits: Tensor
    bias: Tensor
    target: int
    versus: int
    one_fewer: float | None
    classes: Sequence[str]

    @property
    def winner(self) -> int:
        """The class that wins over all from these places; it need not be the target."""
        return int((self.logits[-1] if self.places else self.bias).argmax())

    def _repr_html_(self) -> str:
        """The places in a notebook, with the target's lead after each."""
        leads = [float(z[self.target] - z[self.versus]) for z in (self.bias, *self.logits)]
        rows = zip(("bias", *self.places), leads, strict=True)
        target, versus = self.classes[self.target], self.classes[self.versus]
        caption = f"{target} rather than {versus}: places that suffice"
        return markup.table(caption, ("row, column", "lead"), rows)


@torch.inference_mode(False)
@torch.no_grad()
def sufficient(
    photo: Prepared,
    *,
    target: int | str | None = None,
    versus: int | str | None = None,
    switches: Switches = FULL,
) -> Sufficient:
    """The smallest set of places whose evidence alone keeps the target above one other class.

    All other places of F_5 are taken as zero.  Exact for the pair: no smaller set does it.  Against
    all classes at once it would be a search; :attr:`Sufficient.winner` says which class wins.

    Args:
        photo: as :func:`lafe.prepare` gives it.
        target: index or name of a class; the predicted one by default.
        versus: the class to stay above; the strongest other one by default.
        switches: the setting.

    Raises:
        lafe.LafeError: no such class, or the target is not above the other.

    Source: the idea is the pertinent positives of Dhurandhar et al., NeurIPS 2018.
    """
    classes = names_of(photo.model)
    each, none = shares(photo, "F5", switches), bias(photo)
    whole = none + each.sum(0)
    goal = int(whole.argmax()) if target is None else index_of(photo.model, target)
    rest = whole.clone()
    rest[goal] = -torch.inf
    rival = int(rest.argmax()) if versus is None else index_of(photo.model, versus)
    if not whole[goal] > whole[rival]:
        raise LafeError(
            f"This photo is not {classes[goal]} rather than {classes[rival]}: ask the reverse."
        )
    says = each[:, goal] - each[:, rival]
    order = says.argsort(descending=True, stable=True)
    start = none[goal] - none[rival]
    leads = start + torch.cat([says.new_zeros(1), says[order].cumsum(0)])
    k = int(torch.nonzero(leads > 0)[0])
    return Sufficient(
        places=tuple(place(photo, i) for i in order[:k].tolist()),
        logits=none + each[order[:k]].cumsum(0),
        bias=none,
        target=goal,
        versus=rival,
        one_fewer=float(leads[k - 1]) if k else None,
        classes=classes,
    )
