"""Every protocol by its name, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from lafe.measure.faithfulness import (  # noqa: F401  (they register)
    benchmark,
    drop,
    grid,
    part_scores,
    single_deletion,
    swap_parts,
)
from lafe.measure.faithfulness.registry import (
    REGISTERED,
    FaithfulnessError,
    Findings,
    Order,
    Protocol,
)
from lafe.measure.protocols import NAMES, Faithfulness

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType({name: REGISTERED[name] for name in NAMES})


def measure(protocol: str, order: Order) -> Findings:
    """Measure a checkpoint by a protocol, write its report, and say what was found.

    Raises:
        FaithfulnessError: there is no such protocol, or it needs data and there is none.
        LafeError: whatever else the protocol refuses, with what to do.
    """
    if protocol not in PROTOCOLS:
        raise FaithfulnessError(
            f"There is no protocol {protocol!r}: choose one of {', '.join(PROTOCOLS)}."
        )
    chosen = PROTOCOLS[protocol]
    if chosen.needs_data and order.data is None:
        raise FaithfulnessError(
            f"The protocol {protocol!r} needs --data, the folder of the data set or its parent."
        )
    return chosen.findings(chosen.measure(order))


def findings(found: Faithfulness) -> Iterator[tuple[Protocol, Findings]]:
    """The findings of every protocol that a checkpoint was measured by."""
    for name, protocol in PROTOCOLS.items():
        record = getattr(found.protocols, name)
        if record is not None:
            yield protocol, protocol.findings(record)
