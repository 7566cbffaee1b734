"""A photo whose features are computed once; every setting of the switches starts from them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from weakref import WeakKeyDictionary

import torch
from PIL import Image
from torch import Tensor, nn

from lafe import markup
from lafe.branches import FULL, SIDES, STAGES, Branch, Switches
from lafe.checkpoints.card import Card
from lafe.checkpoints.trained import Trained
from lafe.errors import LafeError
from lafe.explain.classes import name_of
from lafe.explain.controls import Controls
from lafe.explain.memo import Memo
from lafe.explain.probabilities import probabilities, temperatures
from lafe.model.lafe import LAFE
from lafe.model.record import no_gate

MAPS = 10
"""Maps ``D`` and ``C`` that a photo keeps: two sides of five settings, 0.3 to 1.6 MB each.

As many as an answer asks for: those of its setting, of three presets that take branches away, and
of the setting that it is compared with.  One less and each click would compute all of them anew.
"""
LOGITS = 512
"""Settings whose logits a photo keeps, 1 kB each."""


@dataclass(frozen=True, eq=False)
class Fused:
    """One setting's maps, (1, C_5, H_5, W_5) each; what is off is zeros (Eq. 3, 4).

    ``logits`` (K,) are the bits of ``model(x, switches)[0]``; for ``probabilities`` (K,) see
    :meth:`Prepared.probabilities`.
    """

    D: Tensor
    C: Tensor
    F5: Tensor
    logits: Tensor
    probabilities: Tensor


@dataclass(frozen=True, eq=False)
class Prepared:
    """A photo under a model: its features and gates.  No setting runs the backbone again.

    Equal settings give equal bits, those of ``model(x, switches)``, and each is computed once: the
    last ``MAPS`` of the attributes and ``LOGITS`` logits are kept.  The tensors carry no gradient
    and are no inference tensors, so that autograd may use them; they are shared, so change none.
    Safe to share between threads.

    Attributes:
        model: in eval mode, where it must stay; its weights must stay too.
        x: the photo as the model reads it, (1, 3, S, S).
        features: f_3, f_4, f_5, (1, C_i, H_i, W_i) each.
        gates: the learned gate of every branch that the model has.
        controls: what stands in for the learned gates.
        other: the photo whose gates stand in, where the controls ask for another photo's.
    """

    model: LAFE
    x: Tensor
    features: tuple[Tensor, Tensor, Tensor]
    gates: Mapping[Branch, Tensor]
    controls: Controls = Controls()  # noqa: RUF009  (immutable)
    other: Prepared | None = None
    _maps: Memo = field(default_factory=lambda: Memo(MAPS), repr=False)
    _logits: Memo = field(default_factory=lambda: Memo(LOGITS), repr=False)

    @property
    def card(self) -> Card:
        """The card of the model; LafeError if it is no checkpoint's."""
        if not isinstance(self.model, Trained):
            raise LafeError("This model has no card: load a checkpoint with lafe.load.")
        return self.model.card

    def under(self, controls: Controls, other: Prepared | None = None) -> Prepared:
        """The same photo, with stand-ins for learned gates.  What is known is shared.

        Args:
            controls: which branches get which stand-in.
            other: a photo under the same model, whose learned gates the branches
                ``controls.other_photo`` get.

        Raises:
            LafeError: the controls ask for another photo's gates and there is none, or it is under
                another model; they ask for mean gates, and the model has none.

        Example:
            >>> stranger = lafe.prepare(model, lafe.open_photo("stranger.jpg"))
            >>> swapped = photo.under(Controls(other_photo=Switches.all()), stranger)
        """
        if len(controls.other_photo) and other is None:
            raise LafeError(
                "These controls ask for another photo's gates: prepare it with the same model, and "
                "give it as `other`."
            )
        if other is not None and other.model is not self.model:
            raise LafeError("The other photo is prepared with another model: its gates do not fit.")
        if len(controls.mean) and not self._mean_gates:
            raise LafeError("This model has no mean gates: run `lafe evaluate` on it.")
        return replace(self, controls=controls, other=other if len(controls.other_photo) else None)

    def feature(self, stage: int) -> Tensor:
        """f_i of one stage, (1, C_i, H_i, W_i)."""
        return self.features[STAGES.index(stage)]

    def gate(self, stage: int | Branch, name: str = "") -> Tensor:
        """The gate of a branch, ``(5, "r_dis")`` or itself, or what stands in for it.

        Zeros where the model has no such branch; ValueError for an unknown name.

        Shape: (1, 1, H_i, W_i) of a region branch, (1, C_i, 1, 1) of a channel branch.
        """
        branch = Branch.of(stage, name)
        f = self.feature(branch.stage)
        if branch in self.gates:
            mean = self._mean_gates.get(branch)
            other = None if self.other is None else self.other.gates[branch]
            return self.controls.apply(branch, self.gates[branch], mean, other).to(f.dtype)
        return no_gate(branch, f)

    @property
    def _mean_gates(self) -> Mapping[Branch, Tensor]:
        return self.model.mean_gates if isinstance(self.model, Trained) else {}

    @property
    def _gates_key(self) -> Hashable:
        """The key of a set of gates: all that decides them."""
        return self.controls, self.other

    def branch_map(self, stage: int | Branch, name: str = "") -> Tensor:
        """Gate times features, (1, C_i, H_i, W_i) (Eq. 7); the branch as for :meth:`gate`."""
        branch = Branch.of(stage, name)
        return self.gate(branch) * self.feature(branch.stage)

    def stage_sums(self, stage: int, switches: Switches) -> tuple[Tensor, Tensor]:
        """``dis_i`` and ``con_i``, (1, C_i, H_i, W_i) each; what is off is zeros (Eq. 1, 2)."""
        here = [b for b in self._known(switches) if b.stage == stage]
        dis, con = (
            sum((self.branch_map(b) for b in here if b.side == side), self._zeros(stage))
            for side in SIDES
        )
        return dis, con

    def attribute(self, side: str, switches: Switches) -> Tensor:
        """``D`` (``"dis"``) or ``C`` (``"con"``), (1, C_5, H_5, W_5) (Eq. 1-7); zeros if off.

        It depends on the switches of its own side alone.

        Raises:
            LafeError: the model is in training mode by now.
        """
        on = self._known(switches.side(side))
        if not len(on):  # zeros are quicker made than kept
            return self._attribute(side, on)
        return self._maps.get((side, on, self._gates_key), lambda: self._attribute(side, on))

    def fused(self, switches: Switches) -> Fused:
        """``D``, ``C``, ``F_5`` and the logits of a setting; raises as :meth:`attribute`."""
        D, C = (self.attribute(side, switches) for side in SIDES)
        F5 = self.model.final(self.features[-1], D, C)
        logits = self._kept_logits(switches, lambda: F5)
        return Fused(D, C, F5, logits, probabilities(self.model, logits, switches))

    def logits(self, switches: Switches) -> Tensor:
        """Logits (K,) of a setting; for its maps too, see :meth:`fused`; raises as it does."""
        return self._kept_logits(switches, lambda: self.fused(switches).F5)

    def _repr_html_(self) -> str:
        """The five likeliest classes of the full setting in a notebook."""
        found = self.probabilities(FULL).topk(min(5, self.model.classifier.out_features))
        rows = [
            (name_of(self.model, label), value)
            for value, label in zip(found.values.tolist(), found.indices.tolist(), strict=True)
        ]
        return markup.table("The photo, all branches on", ("class", "probability"), rows)

    @property
    def calibrated(self) -> bool:
        """True if the model has temperatures, so that probabilities say how often it is right."""
        return temperatures(self.model) is not None

    def probabilities(
        self, switches: Switches, *, calibrated: bool = True, among: Sequence[int] | None = None
    ) -> Tensor:
        """Probabilities (K,) of a setting, as people are shown them.

        Temperatures are of settings with learned gates, whatever stands in for these here.

        Args:
            switches: the setting.
            calibrated, among: see :func:`lafe.explain.probabilities.probabilities`.
        """
        logits = self.logits(switches)
        return probabilities(self.model, logits, switches, calibrated=calibrated, among=among)

    def _kept_logits(self, switches: Switches, F5: Callable[[], Tensor]) -> Tensor:
        key = self._known(switches), self._gates_key
        return self._logits.get(key, lambda: self._classify(F5()))

    def _known(self, switches: Switches) -> Switches:
        """The part of a setting that is about branches which the model has."""
        return switches & Switches.only(*self.gates)

    def _zeros(self, stage: int) -> Tensor:
        return torch.zeros_like(self.feature(stage))

    @torch.inference_mode(False)
    @torch.no_grad()
    def _attribute(self, side: str, on: Switches) -> Tensor:
        refuse_training(self.model)
        fuses, gates = self.model.sides.get(side), {b: self.gate(b) for b in on}
        out = None if fuses is None or not gates else fuses(self.features, on, gates)
        return self._zeros(STAGES[-1]) if out is None else out

    @torch.inference_mode(False)
    @torch.no_grad()
    def _classify(self, F5: Tensor) -> Tensor:
        refuse_training(self.model)
        return self.model.classify(F5)[0]


# Inference mode is switched off first (that switches gradients on), then gradients: nothing that is
# kept is an inference tensor, whatever the caller runs under.
@torch.inference_mode(False)
@torch.no_grad()
def prepare(model: LAFE, picture: Image.Image | Tensor) -> Prepared:
    """Look at a photo, once.

    Args:
        model: in eval mode.
        picture: a picture, which a model that was loaded reads with its own ``preprocess``; or
            what that gives, (1, 3, S, S).  It is moved to where the model is, in its precision.

    Raises:
        LafeError: a model in training mode; a picture for a model that was not loaded.
        ValueError: no photo or more than one, a photo of another size.

    Example:
        >>> photo = prepare(model, lafe.open_photo("photo.jpg"))
        >>> photo.logits(Switches.all().without("c_con"))
    """
    refuse_training(model)
    x = (_read(model, picture) if isinstance(picture, Image.Image) else picture).to(
        model.classifier.weight
    )
    if x.ndim != 4 or len(x) != 1:
        raise ValueError(
            f"One photo is prepared at a time, of shape (1, 3, S, S), not {tuple(x.shape)}."
        )
    features = model.features(x)
    return Prepared(model, x, features, MappingProxyType(model.gates(features)))


def _read(model: LAFE, picture: Image.Image) -> Tensor:
    if not isinstance(model, Trained):
        raise LafeError(
            "Only a model from lafe.load knows how to read a picture: give this one (1, 3, S, S)."
        )
    return model.preprocess(picture)


def refuse_training(model: LAFE) -> None:
    """Refuse training mode: batch norms would take the photo's own statistics, and keep them."""
    if model.training or any(module.training for module in _parts(model)):
        raise LafeError("The model is in training mode: call model.eval() first.")


def _parts(model: LAFE) -> tuple[nn.Module, ...]:
    """All modules of a model but itself; listed once: a walk takes as long as a small layer."""
    if model not in _PARTS:
        _PARTS[model] = tuple(module for module in model.modules() if module is not model)
    return _PARTS[model]


_PARTS: WeakKeyDictionary[LAFE, tuple[nn.Module, ...]] = WeakKeyDictionary()
