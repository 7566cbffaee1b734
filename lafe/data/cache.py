"""Decode every photo once and keep it in memory: cheaper than decoding it every epoch."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from lafe.data.dataset import PhotoDataset


def decode(dataset: PhotoDataset, size: int) -> torch.Tensor:
    """All photos, each squashed to a square (antialiased, bilinear): uint8 (N, 3, size, size).

    Raises:
        DataError: a photo cannot be decoded; the message names its file.
    """
    pixels = torch.empty((len(dataset), 3, size, size), dtype=torch.uint8)

    def store(index: int) -> None:
        photo = dataset.photo(index).resize((size, size), Image.Resampling.BILINEAR)
        pixels[index] = torch.from_numpy(np.array(photo)).permute(2, 0, 1)

    # Threads suffice: Pillow decodes and resizes outside the interpreter lock.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        jobs = threads.map(store, range(len(dataset)))
        try:
            for _ in tqdm(jobs, total=len(dataset), desc=f"Decoding {dataset.name}", unit="photo"):
                pass
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    return pixels
