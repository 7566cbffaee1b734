"""Each result is computed once, whoever asks, and the oldest give way."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lafe.explain.memo import Memo


def test_a_result_is_computed_once_by_many_threads() -> None:
    memo, computed = Memo(3), []

    def compute() -> object:
        time.sleep(0.01)  # long enough for the others to ask
        computed.append(1)
        return object()

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: memo.get("a", compute), range(40)))
    assert len(computed) == len(set(found)) == 1


def test_what_was_not_asked_for_the_longest_gives_way() -> None:
    memo, computed = Memo(2), []

    def get(key: str) -> None:
        memo.get(key, lambda: computed.append(key))

    for key in "abacab":
        get(key)
    assert computed == ["a", "b", "c", "b"]


def test_a_failure_is_not_kept() -> None:
    memo = Memo(2)
    with pytest.raises(ZeroDivisionError):
        memo.get("a", lambda: 1 // 0)
    assert memo.get("a", lambda: 7) == 7
