"""Results that are kept by key: each is computed once, and the oldest give way."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

V = TypeVar("V")


class Memo:
    """The last ``size`` results that were asked for.  Safe to share between threads.

    A thread that asks for what another one computes waits for it.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: Hashable, compute: Callable[[], V]) -> V:
        """The result of a key, computed if it is not kept; an exception keeps nothing."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = compute()
                if len(self._kept) > self._size:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]  # type: ignore[return-value]
