"""The benchmarks, their pairs and their transforms."""

from lafe.data.benchmarks import load_benchmark
from lafe.data.cache import decode
from lafe.data.dataset import DataError, PhotoDataset
from lafe.data.pairs import PairSampler
from lafe.data.transforms import DecodedDataset, test_transform, train_transform

__all__ = [
    "DataError",
    "DecodedDataset",
    "PairSampler",
    "PhotoDataset",
    "decode",
    "load_benchmark",
    "test_transform",
    "train_transform",
]
