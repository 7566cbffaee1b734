"""LAFE (ACM MM 2020): what did the model look at, and what if it hadn't?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lafe.version import __version__

if TYPE_CHECKING:  # "as": public, for type checkers
    from lafe.branches import (
        BRANCHES as BRANCHES,
        PRESETS as PRESETS,
        STAGES as STAGES,
        Branch as Branch,
        Switches as Switches,
    )
    from lafe.checkpoints.store import load as load
    from lafe.checkpoints.stored import CheckpointError as CheckpointError
    from lafe.data.photo import PhotoError as PhotoError, open_photo as open_photo
    from lafe.errors import LafeError as LafeError
    from lafe.explain.ablation import (
        Flip as Flip,
        Table as Table,
        factorial as factorial,
        factorials as factorials,
    )
    from lafe.explain.attribution.methods import attribute as attribute
    from lafe.explain.attribution.registry import (
        Attribution as Attribution,
        AttributionError as AttributionError,
    )
    from lafe.explain.controls import Controls as Controls
    from lafe.explain.evidence import (
        BranchEvidence as BranchEvidence,
        Evidence as Evidence,
        branch_evidence as branch_evidence,
        evidence as evidence,
        lookalikes as lookalikes,
    )
    from lafe.explain.game import (
        Interactions as Interactions,
        interaction_indices as interaction_indices,
    )
    from lafe.explain.levels import Depth as Depth, depth as depth
    from lafe.explain.prepare import Fused as Fused, Prepared as Prepared, prepare as prepare
    from lafe.explain.region import Region as Region, region as region
    from lafe.explain.sufficient import Sufficient as Sufficient, sufficient as sufficient
    from lafe.explain.swap import (
        Pasted as Pasted,
        Swap as Swap,
        SwapError as SwapError,
        paste as paste,
        swap as swap,
    )
    from lafe.model.compiled import compiled as compiled
    from lafe.model.lafe import LAFE as LAFE
    from lafe.model.record import record as record

_HOMES = {
    "lafe.branches": ("BRANCHES", "PRESETS", "STAGES", "Branch", "Switches"),
    "lafe.checkpoints.store": ("load",),
    "lafe.checkpoints.stored": ("CheckpointError",),
    "lafe.data.photo": ("PhotoError", "open_photo"),
    "lafe.errors": ("LafeError",),
    "lafe.explain.ablation": ("Flip", "Table", "factorial", "factorials"),
    "lafe.explain.attribution.methods": ("attribute",),
    "lafe.explain.attribution.registry": ("Attribution", "AttributionError"),
    "lafe.explain.controls": ("Controls",),
    "lafe.explain.evidence": (
        *("BranchEvidence", "Evidence", "branch_evidence", "evidence"),
        "lookalikes",
    ),
    "lafe.explain.game": ("Interactions", "interaction_indices"),
    "lafe.explain.levels": ("Depth", "depth"),
    "lafe.explain.prepare": ("Fused", "Prepared", "prepare"),
    "lafe.explain.region": ("Region", "region"),
    "lafe.explain.sufficient": ("Sufficient", "sufficient"),
    "lafe.explain.swap": ("Pasted", "Swap", "SwapError", "paste", "swap"),
    "lafe.model.compiled": ("compiled",),
    "lafe.model.lafe": ("LAFE",),
    "lafe.model.record": ("record",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, "__version__"])


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: ``import lafe.model`` stays light."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lafe' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
