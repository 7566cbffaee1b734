"""Batches of neighbouring same-label pairs, which L_dis (Eq. 8) compares."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from lafe.data.dataset import DataError, members_of


class PairSampler(Sampler[list[int]]):
    """A batch sampler: every photo once an epoch, next to one of its own class.

    The photos at 2k and 2k + 1 of a batch fill a place: a pair with one label, drawn anew each
    epoch.  A class with an odd count leaves one photo over; these leftovers, at most one a class,
    fill places of their own, two by two.  So a place holds a pair exactly if its labels are equal.

    Places are mixed across classes and dealt into batches that are as equal as they can be, so
    that none is tiny.  The ranks share the batches of an epoch, each rank the same number.  Only
    when there are fewer places than batches are places repeated: `padding` is the number of photos,
    over all ranks, that are seen again.

    Args:
        labels: the N labels.
        batch_size: largest number of photos in a batch of one rank; even.
        seed: the same on all ranks.
        rank, world_size: which of how many processes this one is.

    Raises:
        DataError: an odd batch size, or no photo.
        ValueError: a rank outside of the world.
    """

    def __init__(
        self,
        labels: Sequence[int],
        batch_size: int,
        *,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size < 2 or batch_size % 2:
            raise DataError(
                f"The batch size is {batch_size}; batches of pairs need an even number."
            )
        if not 0 <= rank < world_size:
            raise ValueError(f"Rank {rank} is not one of {world_size} processes.")
        if len(labels) == 0:
            raise DataError("There is no photo to make pairs of.")
        self.labels = labels
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.epoch = 0
        places = -(-len(labels) // 2)
        self._batches_per_rank = -(-places // (batch_size // 2 * world_size))
        self.padding = sum(map(len, self._epoch_batches())) - len(labels)

    def set_epoch(self, epoch: int) -> None:
        """Draw the pairs and batches of this epoch; the same ones for the same seed and epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._batches_per_rank

    def __iter__(self) -> Iterator[list[int]]:
        yield from self._epoch_batches()[self.rank :: self.world_size]

    def _epoch_batches(self) -> list[list[int]]:
        """The batches of all ranks."""
        places = self._places(np.random.default_rng([self.seed, self.epoch]))
        count = self._batches_per_rank * self.world_size
        if len(places) < count:
            places = [places[i % len(places)] for i in range(count)]
        groups = np.array_split(np.arange(len(places)), count)
        return [[photo for i in group for photo in places[i]] for group in groups]

    def _places(self, rng: np.random.Generator) -> list[list[int]]:
        """Pairs and twos of leftovers, shuffled; a leftover that remains alone comes last."""
        pairs: list[list[int]] = []
        leftovers: list[int] = []
        for _, found in members_of(self.labels):
            members = rng.permutation(found).tolist()
            if len(members) % 2:
                leftovers.append(members.pop())
            pairs += _twos(members)
        rng.shuffle(leftovers)
        alone = [[leftovers.pop()]] if len(leftovers) % 2 else []
        places = pairs + _twos(leftovers)
        return [places[i] for i in rng.permutation(len(places))] + alone


def _twos(photos: list[int]) -> list[list[int]]:
    return [photos[i : i + 2] for i in range(0, len(photos), 2)]
