"""All 4,096 settings of the switches of a photo, exactly, from 64 + 64 fusions.

After fusion LAFE is linear: ``logits = b + W GAP(f_5) + W GAP(D) - W GAP(C)`` (Eq. 3, 10).  ``D``
depends on six switches and ``C`` on the other six, so a table needs every ``D`` and every ``C``,
not every pair.  Within a fusion (Eq. 4) only two steps are not linear: the settings share the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lafe import markup
from lafe.branches import BRANCHES, EVERY_BRANCH, PRESETS, SIDES, STAGES, Branch, Switches
from lafe.explain.controls import Controls
from lafe.explain.game import Interactions, dividends, interaction_indices
from lafe.explain.prepare import Prepared, prepare, refuse_training
from lafe.explain.probabilities import temperatures
from lafe.model.lafe import LAFE

if TYPE_CHECKING:
    import pandas as pd

OUTPUTS = ("probability", "logit", "centred")
"""Outputs in which a branch's worth is given; centred: the logit minus the mean over classes."""

_SETTINGS = 1 << len(EVERY_BRANCH)


@dataclass(frozen=True)
class Flip:
    """Branches without which the full model predicts another class.

    Attributes:
        off: the branches, as the setting that has only them on.
        switches: the full setting without them.
        prediction: index of the class that it becomes.
        probability: of that class.
    """

    off: Switches
    switches: Switches
    prediction: int
    probability: float


@dataclass(frozen=True)
class Pair:
    """Two branches, and how much more they are worth together than apart."""

    first: Branch
    second: Branch
    value: float


@dataclass(frozen=True, eq=False)
class Table:
    """The logits of every setting of one photo under one :class:`Controls`.

    Logits are float32; what is derived from them is computed and given in float64.  Probabilities
    are calibrated, each setting by its own temperature, where the model has temperatures; those of
    :attr:`raw` are not.  Logits are the model's own.

    Attributes:
        plain: logits of the plain backbone, (K,) float64.
        terms: by side, what ``D`` and ``-C`` add in each setting of the n branches that the model
            has there, (2^n, K) float64.
        rows: by side, the row in ``terms`` of each setting, (4096,), by ``Switches.index``.
        controls: what stood in for the learned gates.
        temperatures: what the logits of each setting are divided by before probabilities are taken,
            (4096,); None where the model has none.
    """

    plain: Tensor
    terms: Mapping[str, Tensor]
    rows: Mapping[str, Tensor]
    controls: Controls
    temperatures: Tensor | None = None

    @property
    def raw(self) -> Table:
        """The same table with the softmax of the logits as they are."""
        return replace(self, temperatures=None)

    def logits(self, switches: Switches) -> Tensor:
        """Logits (K,) of a setting, those of ``model(x, switches)[0]`` (1e-4, float32)."""
        terms = (self.terms[side][self.rows[side][switches.index]] for side in SIDES)
        return sum(terms, self.plain).float()

    def all_logits(self) -> Tensor:
        """Logits of every setting, (4096, K) float64, by ``Switches.index``."""
        return sum((self.terms[side][self.rows[side]] for side in SIDES), self.plain)

    def predictions(self) -> Tensor:
        """The predicted class of every setting, (4096,), by ``Switches.index``."""
        return self.all_logits().argmax(1)

    def all_probabilities(self) -> Tensor:
        """Probabilities of every setting, (4096, K) float64, by ``Switches.index``."""
        logits = self.all_logits()
        if self.temperatures is not None:
            logits /= self.temperatures.double()[:, None]
        return logits.softmax(1)

    def values(self, target: int, output: str = "probability") -> Tensor:
        """One class in every setting, (4096,) float64, by ``Switches.index``.

        Args:
            target: index of the class.
            output: one of ``OUTPUTS``.

        Raises:
            ValueError: no such class or output.
        """
        if not 0 <= target < len(self.plain):
            raise ValueError(
                f"There is no class {target}: this model knows 0 to {len(self.plain) - 1}."
            )
        if output == "probability":
            return self.all_probabilities()[:, target]
        logits = self.all_logits()
        if output == "logit":
            return logits[:, target]
        if output == "centred":
            return logits[:, target] - logits.mean(1)
        raise ValueError(f"There is no output {output!r}: choose among {', '.join(OUTPUTS)}.")

    def probabilities(self, target: int) -> Tensor:
        """Probability of a class in every setting, (4096,), by ``Switches.index``."""
        return self.values(target)

    def shapley(self, target: int, output: str = "probability") -> Tensor:
        """Exact Shapley values of the branches, (3, 4) in the order of STAGES and BRANCHES.

        They add up to :meth:`total`.
        """
        return shapley(self.values(target, output)).view(len(STAGES), len(BRANCHES))

    def interactions(self, target: int, output: str = "probability") -> Tensor:
        """Exact pairwise interactions, (12, 12) in the order of EVERY_BRANCH; NaN on the diagonal.

        Positive: the two are worth more together than apart.
        """
        return interactions(self.values(target, output))

    def total(self, target: int, output: str = "probability") -> float:
        """A class's output with all branches minus that with none."""
        values = self.values(target, output)
        return float(values[Switches.all().index] - values[Switches.none().index])

    def strongest_pairs(
        self, target: int, output: str = "probability", count: int = 5
    ) -> list[Pair]:
        """The pairs of branches that interact most, strongest first; none below 1e-6."""
        values = self.interactions(target, output)
        rows, columns = torch.triu_indices(len(values), len(values), offset=1)
        pairs = [
            Pair(EVERY_BRANCH[i], EVERY_BRANCH[j], float(values[i, j]))
            for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
        pairs = [pair for pair in pairs if abs(pair.value) > 1e-6]
        return sorted(pairs, key=lambda pair: -abs(pair.value))[:count]

    def indices(
        self, target: int, index: str = "k-SII", order: int = 2, output: str = "probability"
    ) -> Interactions:
        """Exact interactions of up to ``order`` branches by a named index, see
        :data:`lafe.explain.indices.INDICES`; ``to_json`` of it is a file that shapiq reads.

        Raises:
            ValueError: no such class, output, index or order.
        """
        return interaction_indices(self.values(target, output), index, order)

    def flips(self) -> list[Flip]:
        """The smallest sets of branches without which the prediction changes.

        All that have the fewest branches, the surest new prediction first; none if no setting
        changes the prediction.
        """
        probabilities, predictions = self.all_probabilities().max(1)
        full = Switches.all()
        changed = [
            Switches(i)
            for i in torch.nonzero(predictions != predictions[full.index]).flatten().tolist()
        ]
        most = max((len(s) for s in changed), default=0)
        flips = [
            Flip(
                off=Switches(full.index ^ s.index),
                switches=s,
                prediction=int(predictions[s.index]),
                probability=float(probabilities[s.index]),
            )
            for s in changed
            if len(s) == most
        ]
        return sorted(flips, key=lambda flip: -flip.probability)

    def _repr_html_(self) -> str:
        """The presets, and the worth of each branch for the predicted class, in a notebook."""
        probabilities, predictions = self.all_probabilities().max(1)
        presets = [
            (name, int(predictions[s.index]), float(probabilities[s.index]))
            for name, s in PRESETS.items()
        ]
        target = int(predictions[Switches.all().index])
        values = self.shapley(target).tolist()
        rows = [(f"stage {stage}", *row) for stage, row in zip(STAGES, values, strict=True)]
        return markup.table(
            "4,096 settings, of which the presets", ("setting", "class", "probability"), presets
        ) + markup.table(f"Shapley values for class {target}", ("", *BRANCHES), rows)

    def to_frame(self, target: int | None = None) -> pd.DataFrame:
        """One row for each setting, by ``Switches.index``.

        Columns: ``switches`` (text), one bool for each branch (``r_dis3``), ``dis`` and ``con``
        (the setting of each side's six switches, 0 to 63), ``prediction`` and its ``confidence``,
        and ``logit``, ``centred``, ``probability`` of the target (by default the full model's
        prediction).
        """
        import pandas as pd  # the extra `app` brings it: nothing else here needs it

        confidence, prediction = self.all_probabilities().max(1)
        settings = [Switches(i) for i in range(_SETTINGS)]
        columns: dict[str, object] = {"switches": [str(s) for s in settings]}
        for branch in EVERY_BRANCH:
            columns[str(branch)] = [s[branch] for s in settings]
        for side in SIDES:
            columns[side] = _rows(Switches.all().side(side)).numpy()
        columns |= {"prediction": prediction.numpy(), "confidence": confidence.numpy()}
        target = int(prediction[-1]) if target is None else target
        for output in ("logit", "centred", "probability"):
            columns[output] = self.values(target, output).numpy()
        return pd.DataFrame(columns).rename_axis("index")


def shapley(values: Tensor) -> Tensor:
    """Exact Shapley values (n,) of a game of n players.

    Args:
        values: of every coalition, (2^n,); player i is bit i of the index.

    Source: Shapley, 1953, by Harsanyi's dividends: a coalition's is shared equally.
    """
    shares, member = dividends(values)
    size = member.sum(0).clamp(min=1)
    return member @ (shares / size)


def interactions(values: Tensor) -> Tensor:
    """Exact pairwise interaction indices (n, n), symmetric, NaN on the diagonal.

    ``values`` as for :func:`shapley`.

    Source: Grabisch and Roubens, 1999: a coalition's dividend over its size minus one.
    """
    shares, member = dividends(values)
    shared = shares / (member.sum(0) - 1).clamp(min=1)
    return ((member * shared) @ member.T).fill_diagonal_(float("nan"))


@torch.inference_mode(False)
@torch.no_grad()
def factorial(photo: Prepared) -> Table:
    """The logits of all 4,096 settings of a photo.

    Raises:
        LafeError: the model is in training mode by now.

    Example:
        >>> table = factorial(lafe.prepare(model, picture))
        >>> table.shapley(target=7)  # what each branch is worth for class 7
    """
    refuse_training(photo.model)
    weight = photo.model.classifier.weight.double()
    on = Switches.only(*photo.gates)
    dis, con = (_pooled(photo, side).double() @ weight.T for side in SIDES)  # (2^n, K)
    known = temperatures(photo.model)
    return Table(
        photo.logits(Switches.none()).double().cpu(),
        MappingProxyType({"dis": dis.cpu(), "con": -con.cpu()}),
        MappingProxyType({side: _rows(on.side(side)) for side in SIDES}),
        photo.controls,
        None if known is None else known.cpu(),
    )


def factorials(model: LAFE, batch: Tensor) -> Iterator[Table]:
    """The tables of a batch of photos (B, 3, S, S), one after the other."""
    for x in batch:
        yield factorial(prepare(model, x[None]))


def _rows(branches: Iterable[Branch]) -> Tensor:
    """The number that the bits of these branches spell in each setting, (4096,)."""
    settings = torch.arange(_SETTINGS)
    rows = torch.zeros_like(settings)
    for bit, branch in enumerate(branches):
        rows |= (settings >> branch.bit & 1) << bit
    return rows


def _pooled(photo: Prepared, side: str) -> Tensor:
    """``GAP(D)`` or ``GAP(C)`` of every setting of the branches that exist, (2^n, C_5)."""
    off = photo.features[-1].new_zeros(1, photo.features[-1].shape[1])
    if side not in photo.model.sides:
        return off
    # Max pooling is several times faster on channels last.
    maps = {
        b: photo.branch_map(b).contiguous(memory_format=torch.channels_last)
        for b in photo.gates
        if b.side == side
    }
    settings = photo.model.sides[side].settings(maps)
    return torch.cat([off if m is None else m.mean((2, 3)) for m in settings])
