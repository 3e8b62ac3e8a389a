"""Seconds for the average precision of 10,000 pictures of 10 objects, by distance and by overlap.

    python benchmarks/average_precision.py   # writes benchmarks/results/average_precision.json and prints a table

CLEVR's objects (19 channels), six thresholds; boxes (5 channels), five. Predictions are the truth with noise, a part of
the attributes wrong and the slots shuffled. The bar is 5 seconds.
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import torch

from perception import sets

RESULTS = Path(__file__).parent / "results" / "average_precision.json"


def scenes(images: int, objects: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions and truth, [images, objects, 19]: 3 to `objects` objects a picture."""
    truth = torch.zeros(images, objects, sets.CLEVR.channels)
    truth[..., :3] = torch.rand(images, objects, 3, generator=generator) * 2 - 1
    for where in sets.CLEVR.attributes:
        size = where.stop - where.start
        kind = torch.randint(size, (images, objects), generator=generator)
        truth[..., where] = torch.nn.functional.one_hot(kind, size).float()
    count = torch.randint(3, objects + 1, (images, 1), generator=generator)
    there = torch.arange(objects) < count
    truth[..., -1] = 1.0
    truth = truth * there[..., None]
    prediction = truth + 0.15 * torch.randn(truth.shape, generator=generator)
    shuffle = torch.rand(images, objects, generator=generator).argsort(1)
    return prediction.gather(1, shuffle[..., None].expand_as(prediction)), truth


def boxes(images: int, objects: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions and truth, [images, objects, 5]."""
    corner = torch.rand(images, objects, 2, generator=generator)
    size = 0.05 + 0.2 * torch.rand(images, objects, 2, generator=generator)
    truth = torch.cat([corner, corner + size, torch.ones(images, objects, 1)], -1)
    return truth + 0.01 * torch.randn(truth.shape, generator=generator), truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--objects", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    state, box = (make(options.images, options.objects, generator) for make in (scenes, boxes))
    ways = {
        "distance": lambda: sets.average_precision(*state, sets.CLEVR, scale=3.0),
        "overlap": lambda: sets.average_precision(*box, by="iou"),
    }
    table = {}
    for name, way in ways.items():
        seconds = []
        for _ in range(options.rounds):
            began = time.perf_counter()
            answer = way()
            seconds.append(time.perf_counter() - began)
        table[name] = {
            "seconds": [round(f(seconds), 2) for f in (min, statistics.median, max)],
            "percent": {str(threshold): round(value, 2) for threshold, value in answer.items()},
        }
        print(f"{name:10} {statistics.median(seconds):6.2f} s   {table[name]['percent']}")
    found = {
        "machine": f"{platform.machine()}, 1 thread",
        "n": f"{options.images} pictures of {options.objects} slots, {options.rounds} rounds; least, median, most",
        "ways": table,
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
