from collections import Counter

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lafe.data import PairSampler

LABELS = st.lists(st.integers(0, 6), min_size=1, max_size=80)
HALF = st.integers(1, 6)
WORLD = st.integers(1, 5)


def epoch_of(labels, batch_size, world_size, *, seed=0, epoch=0):
    """The batches of each rank."""
    ranks = []
    for rank in range(world_size):
        sampler = PairSampler(labels, batch_size, seed=seed, rank=rank, world_size=world_size)
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler)
        ranks.append(batches)
    return ranks, sampler.padding


@given(LABELS, HALF, WORLD, st.integers(0, 3))
def test_every_photo_once_and_the_padding_is_counted(labels, half, world_size, epoch):
    ranks, padding = epoch_of(labels, 2 * half, world_size, epoch=epoch)
    seen = Counter(photo for batches in ranks for batch in batches for photo in batch)
    assert set(seen) == set(range(len(labels)))
    assert sum(seen.values()) - len(labels) == padding
    if world_size == 1:
        assert padding == 0


@given(LABELS, HALF, WORLD)
def test_ranks_have_equally_many_batches_of_at_most_the_batch_size(labels, half, world_size):
    ranks, _ = epoch_of(labels, 2 * half, world_size)
    assert len({len(batches) for batches in ranks}) == 1
    assert all(1 <= len(batch) <= 2 * half for batches in ranks for batch in batches)


@given(LABELS, HALF, WORLD)
def test_aligned_neighbours_of_one_label_are_as_many_as_the_labels_allow(labels, half, world_size):
    ranks, _ = epoch_of(labels, 2 * half, world_size)
    pairs = {
        frozenset(batch[k : k + 2])
        for batches in ranks
        for batch in batches
        for k in range(0, len(batch) - 1, 2)
        if labels[batch[k]] == labels[batch[k + 1]]
    }
    assert len(pairs) == sum(count // 2 for count in Counter(labels).values())
    assert all(len(pair) == 2 for pair in pairs)


@given(LABELS, HALF, WORLD)
def test_an_odd_batch_is_the_one_with_the_last_photo_alone(labels, half, world_size):
    ranks, padding = epoch_of(labels, 2 * half, world_size)
    odd = [batch for batches in ranks for batch in batches if len(batch) % 2]
    if not padding:
        assert len(odd) == len(labels) % 2


def test_full_batches_by_hand():
    # 1500 photos of 50 classes: 750 pairs over batches of 8 pairs are 94 batches, none below 7.
    ranks, padding = epoch_of([i % 50 for i in range(1500)], 16, 1)
    assert Counter(map(len, ranks[0])) == {16: 92, 14: 2}
    assert padding == 0


def test_no_batch_of_one_where_the_remainder_is_one():
    # 33 = 2 * 16 + 1: batch norm over pooled features cannot train on a single photo.
    ranks, _ = epoch_of([0] * 33, 16, 1)
    assert min(map(len, ranks[0])) > 1


def test_padding_by_hand():
    # Three places for four batches: the first pair is seen twice.
    ranks, padding = epoch_of([0, 0, 1, 1, 2, 2], 2, 2)
    assert padding == 2
    assert [len(batches) for batches in ranks] == [2, 2]


def test_pairs_are_drawn_anew_each_epoch_and_mixed_across_classes():
    labels = np.repeat(np.arange(10), 30)
    sampler = PairSampler(labels, 16, seed=3)
    pairs = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        pairs.append({frozenset(b[k : k + 2]) for b in batches for k in range(0, len(b), 2)})
        assert np.mean([len(set(labels[batch])) for batch in batches]) > 4
    # Of 150 pairs, a class of 30 repeats one with probability 1/29: about 5.
    assert len(pairs[0] & pairs[1]) < 20


def test_leftovers_change():
    labels = [0] * 5 + [1] * 4
    alone = set()
    for epoch in range(50):
        ranks, _ = epoch_of(labels, 4, 1, epoch=epoch)
        alone.add(ranks[0][-1][-1])
    assert alone == {0, 1, 2, 3, 4}


def test_the_same_seed_and_epoch_give_the_same_batches():
    labels = [i % 7 for i in range(100)]
    assert epoch_of(labels, 8, 2, seed=1, epoch=5) == epoch_of(labels, 8, 2, seed=1, epoch=5)
    assert epoch_of(labels, 8, 2, seed=1, epoch=5) != epoch_of(labels, 8, 2, seed=2, epoch=5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": [0, 1], "batch_size": 3}, "even"),
        ({"labels": [0, 1], "batch_size": 0}, "even"),
        ({"labels": [], "batch_size": 2}, "no photo"),
        ({"labels": [0], "batch_size": 2, "rank": 2, "world_size": 2}, "Rank 2"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        PairSampler(seed=0, **arguments)
