"""Names of objectives, of gates and of the trained variants: light, for who only lists them."""

from __future__ import annotations

from typing import Any

OBJECTIVES = ("paper", "switched", "attentive")
GATES = ("plain", "standardised", "constant")

VARIANTS: dict[str, dict[str, Any]] = {
    "lafe": {},
    "no-region": {"region": False},
    "no-fusion": {"fusion": False},
    "no-losses": {"dis_loss": 0.0, "con_loss": 0.0},
    "no-con-loss": {"con_loss": 0.0},
    "plain": {"attention": False},
    "constant-gates": {"gates": "constant"},
    "switched": {"objective": "switched"},
    "attentive": {
        "objective": "attentive",
        "gates": "standardised",
        "con_loss": 0.0,
        "counterfactual_loss": 1.0,
        "overlap_loss": 0.3,
        "correlation_loss": 1.0,
        "correlation_allowed": 0.3,
        "subtraction_loss": 0.5,
        "rivals": 5,
        "distillation": 0.7,
        "switch_share": 0.33,
    },
}
"""The trained variants of Table 4, constant gates and our objectives, as changes to a recipe."""
