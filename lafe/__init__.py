"""LAFE (ACM MM 2020): what did the model look at, and what if it hadn't?"""

from lafe.ablation import Flip, Table, factorial, factorials
from lafe.attribution import Attribution, AttributionError, attribute
from lafe.branches import BRANCHES, PRESETS, STAGES, Switches
from lafe.checkpoint import CheckpointError, load
from lafe.controls import Controls
from lafe.evidence import BranchEvidence, Evidence, branch_evidence, evidence
from lafe.model import LAFE
from lafe.photo import PhotoError, open_photo
from lafe.prepare import Fused, Prepared, prepare
from lafe.record import record

__version__ = "0.1.0"
__all__ = [
    "BRANCHES",
    "LAFE",
    "PRESETS",
    "STAGES",
    "Attribution",
    "AttributionError",
    "BranchEvidence",
    "CheckpointError",
    "Controls",
    "Evidence",
    "Flip",
    "Fused",
    "PhotoError",
    "Prepared",
    "Switches",
    "Table",
    "attribute",
    "branch_evidence",
    "evidence",
    "factorial",
    "factorials",
    "load",
    "open_photo",
    "prepare",
    "record",
]
