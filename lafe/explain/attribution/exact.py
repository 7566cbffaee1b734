"""Maps that need no approximation: evidence, and the features themselves."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from lafe.branches import EVERY_BRANCH, FULL, SIDES, Branch, Switches
from lafe.explain.attribution.registry import Question, Result, method
from lafe.explain.evidence import Evidence, evidence


def _evidence(q: Question) -> Evidence:
    return evidence(
        q.photo, target=q.target, switches=q.switches, versus=q.versus, strength=q.strength
    )


@method("evidence", "Evidence, all parts", "evidence", signed=True)
def _all(q: Question) -> Result:
    e = _evidence(q)
    return e.total, e.logit - e.bias


@method("evidence-backbone", "Evidence of the backbone", "evidence", signed=True)
def _backbone(q: Question) -> Result:
    return _evidence(q).backbone, None


def _side(side: str, q: Question) -> Result:
    return getattr(_evidence(q), side), None


def _attribute(side: str, q: Question) -> Result:
    return _mean(q.photo.attribute(side, q.switches))


for _key, _word in SIDES.items():
    _name, _title = f"evidence-{_key}", f"Evidence, {_word}"
    method(_name, _title, "evidence", signed=True, needs=FULL.side(_key))(partial(_side, _key))

for _name, _key in {"D": "dis", "C": "con"}.items():
    _title = f"{_name}, {SIDES[_key]} features"
    method(_name, _title, "map", signed=False, needs=FULL.side(_key))(partial(_attribute, _key))


@method("f5", "f\N{SUBSCRIPT FIVE}, features of the backbone", "map", signed=False)
def _features(q: Question) -> Result:
    return _mean(q.photo.features[-1])


@method("F5", "F\N{SUBSCRIPT FIVE}, final features", "map", signed=True)
def _final(q: Question) -> Result:
    return _mean(q.photo.fused(q.switches).F5)


def _branch(branch: Branch, q: Question) -> Result:
    return _mean(q.photo.branch_map(branch))


for _each in EVERY_BRANCH:
    _name, _title = str(_each), f"Map of {_each}"
    method(_name, _title, "map", signed=False, needs=Switches.only(_each))(partial(_branch, _each))


def _mean(features: Tensor) -> Result:
    """One photo's features (1, C, H, W): their mean over the channels."""
    return features[0].float().mean(0), None
