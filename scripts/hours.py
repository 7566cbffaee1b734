"""Hours that the paper's recipes take here: a few steps are timed, and the rest is arithmetic.

    python scripts/hours.py cub-resnet50 cub-resnet101

Random weights and photos of the recipe's size; decoding and validation are not counted.
"""

import statistics
import sys
import time

import torch

from lafe import LAFE
from lafe.model.losses import ConLoss
from lafe.train.objectives import draw, loss_parts
from lafe.train.recipe import load_recipe

STEPS = 3
TRAINING_PHOTOS = {"cub": (5_994, 200), "cars": (8_144, 196), "aircraft": (6_667, 100)}
"""Training photos and classes of the full benchmarks."""


def main(names: list[str]) -> None:
    for name in names:
        recipe = load_recipe(name)
        photos, classes = TRAINING_PHOTOS[recipe.data]
        model = LAFE(recipe.backbone, classes, recipe.input_size).train()
        model = model.to(memory_format=torch.channels_last)
        con = ConLoss(model.backbone.channels[-1], classes)
        sgd = torch.optim.SGD([*model.parameters(), *con.parameters()], recipe.lr, recipe.momentum)
        x = torch.randn(recipe.batch_size, 3, recipe.input_size, recipe.input_size)
        x = x.contiguous(memory_format=torch.channels_last)
        labels = torch.arange(recipe.batch_size) // 2
        seconds = []
        for _ in range(STEPS + 1):
            start = time.perf_counter()
            sgd.zero_grad()
            parts = loss_parts(model, con, recipe, x, labels, draw(recipe, 0, len(x) // 2))
            torch.stack(list(parts.values())).sum().backward()
            sgd.step()
            seconds.append(time.perf_counter() - start)
        step = statistics.median(seconds[1:])  # the first one warms up
        steps = recipe.epochs * photos // recipe.batch_size
        print(
            f"{name}: {step:.1f} s a step on {torch.get_num_threads()} threads, "
            f"{steps:,} steps: {step * steps / 3600:,.0f} hours",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
