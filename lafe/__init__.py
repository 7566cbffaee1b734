"""LAFE (ACM MM 2020): what did the model look at, and what if it hadn't?"""

from lafe.branches import BRANCHES, PRESETS, STAGES, Switches
from lafe.model import LAFE
from lafe.record import record

__version__ = "0.1.0"
__all__ = ["BRANCHES", "LAFE", "PRESETS", "STAGES", "Switches", "record"]
