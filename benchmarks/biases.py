"""CPU milliseconds of each bias, hooks and backward pass to the drawing, beside those of a step of training without.

    python benchmarks/biases.py            # writes benchmarks/results/biases.json and prints a table

64 px, 20 lines, B = 64, digits (always there). Biases take turns, round after round, in one process, so that the
machine's moods hit all alike; CPU seconds of the whole process are counted, one thread.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)

from agents import Bias, Moment  # noqa: E402
from agents.bias import biases  # noqa: E402
from agents.biases import Clip, Copy, Grip, Likeness, Novelty, Shape  # noqa: E402
from games import Play  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.run import assemble  # noqa: E402
from runs.train import Learner  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "biases.json"
SETTING = [
    "biases=[]",
    "canvas={size: 64}",
    "sender={strokes: {kind: line, count: 20}}",
    "receiver={}",
    "train.games=64",
]


def several() -> dict[str, Bias]:
    """Each shipped bias with its defaults, and some with other keys."""
    shipped = {name: kind() for name, kind in sorted(biases().items()) if name != "smooth"}  # lines have no bends
    return shipped | {
        "clip, a quarter of the games": Clip(share=0.25),
        "copy by gaussian": Copy(by="gaussian"),
        "copy by laplacian": Copy(by="laplacian"),
        "copy by dog": Copy(by="dog"),
        "copy by bce": Copy(by="bce"),
        "grip with every limit but turn": Grip(length=0.5, travel=0.3, lifts=5),
        "likeness, a quarter of the games": Likeness(share=0.25),
        "novelty with a memory of 1024": Novelty(memory=1024),
    }


def one_call(each: Bias, play: Play) -> Callable[[], None]:
    """All that ``each`` does in a step: its hooks, its part of the backward pass, its memory."""
    kept = each.keeps()

    def call() -> None:
        points = play.strokes.points.detach().clone().requires_grad_()
        canvas = play.canvas.detach().clone().requires_grad_()
        mine = replace(play, strokes=replace(play.strokes, points=points), canvas=canvas, kept=kept)
        moment = Moment(0, "sender", torch.Generator().manual_seed(0))
        if isinstance(each, Shape):
            each.see(mine.photo, moment).pixels()
        moved = each.move(mine.strokes, moment).points
        total = each.cost(mine).mean() + (moved.mean() if moved is not points else 0.0)
        if total.requires_grad:
            total.backward()
        with torch.no_grad():
            each.remember(mine)

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        learner = Learner(assemble(load(Config, "demo-digits", SETTING).config, Path(folder), torch.device("cpu")))
    (record,) = learner.step()
    calls: dict[str, Callable[[], object]] = {"a step without biases": learner.step}
    calls |= {name: one_call(each, record.play) for name, each in several().items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(options.rounds + 1):  # the first is to warm up
        for name, call in calls.items():
            began = time.process_time()
            call()
            if number:
                times[name].append(1e3 * (time.process_time() - began))
    rows = {name: [round(f(each), 2) for f in (min, statistics.median, max)] for name, each in times.items()}
    found = {
        "machine": f"{platform.machine()}, 1 thread",
        "torch": torch.__version__,
        "n": f"{options.rounds} rounds",
        "cpu_ms": rows,
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    for name, (low, middle, high) in rows.items():
        print(f"| {name} | {middle:.1f} | {low:.1f} to {high:.1f} |")


if __name__ == "__main__":
    main()
