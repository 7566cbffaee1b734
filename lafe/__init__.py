"""LAFE (ACM MM 2020): what did the model look at, and what if it hadn't?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lafe.version import __version__

if TYPE_CHECKING:
    from lafe.branches import BRANCHES, PRESETS, STAGES, Branch, Switches
    from lafe.checkpoints.store import CheckpointError, load
    from lafe.data.photo import PhotoError, open_photo
    from lafe.errors import LafeError
    from lafe.explain.ablation import Flip, Table, factorial, factorials
    from lafe.explain.attribution.methods import attribute
    from lafe.explain.attribution.registry import Attribution, AttributionError
    from lafe.explain.controls import Controls
    from lafe.explain.evidence import (
        BranchEvidence,
        Evidence,
        branch_evidence,
        evidence,
        lookalikes,
    )
    from lafe.explain.game import Interactions, interaction_indices
    from lafe.explain.levels import Depth, depth
    from lafe.explain.prepare import Fused, Prepared, prepare
    from lafe.explain.region import Region, region
    from lafe.explain.sufficient import Sufficient, sufficient
    from lafe.explain.swap import Pasted, Swap, SwapError, paste, swap
    from lafe.model.lafe import LAFE
    from lafe.model.record import record

_HOMES = {
    "lafe.branches": ("BRANCHES", "PRESETS", "STAGES", "Branch", "Switches"),
    "lafe.checkpoints.store": ("CheckpointError", "load"),
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
