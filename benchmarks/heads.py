"""CPU milliseconds of a training step by head, primitive and what strokes carry.

    python benchmarks/heads.py            # writes benchmarks/results/heads.json and prints a table

Digits at 64 px, 20 strokes, B = 64, K = 64 photos, default agents (packaged trunk), no bias. All configs take turns,
round after round, in one process; CPU seconds of the whole process are counted. `drawing` is the sender's part alone:
from features to strokes and canvas, and back.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)

from agents import Moment  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.run import Run, assemble  # noqa: E402
from runs.train import Learner  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "heads.json"
EVERYTHING = "width: {low: 0.02, high: 0.2}, opacity, colour, presence: soft"
ALL = {"width": {"low": 0.02, "high": 0.2}, "opacity": True, "colour": True, "presence": "soft"}
CASES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "onepass": ({"kind": "onepass"}, {}),
    "set": ({"kind": "set"}, {}),
    "recurrent": ({"kind": "recurrent"}, {}),
    "recurrent, per_step: 4": ({"kind": "recurrent", "per_step": 4}, {}),
    "onepass, cubics": ({"kind": "onepass"}, {"kind": "cubic"}),
    "set, cubics": ({"kind": "set"}, {"kind": "cubic"}),
    "recurrent, cubics": ({"kind": "recurrent"}, {"kind": "cubic"}),
    f"onepass, {EVERYTHING}": ({"kind": "onepass"}, ALL),
}


def config(head: dict[str, object], strokes: dict[str, object]) -> Config:
    return Config.model_validate(
        {
            "pictures": {"kind": "digits", "size": 64},
            "game": {"kind": "referential", "candidates": 64, "pool": "photos"},
            "sender": {"head": head, "strokes": {"count": 20, **strokes}},
            "train": {"games": 64},
        }
    )


def drawing(run: Run) -> Callable[[], None]:
    view = run.gallery.view(torch.arange(64))

    def once() -> None:
        moment = Moment(0, "sender", torch.Generator().manual_seed(0))
        run.config.canvas.draw(run.sender.draw(view, moment)).sum().backward()

    return once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="steps a round and case")
    options = parser.parse_args()
    torch.set_num_threads(1)
    work: dict[str, dict[str, Callable[[], object]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, case in CASES.items():
            run = assemble(config(*case), Path(folder), torch.device("cpu"))
            work[name] = {"step": Learner(run).step, "drawing": drawing(run)}
            for do in work[name].values():
                do(), do()  # warm: kernels compiled, caches filled
        seconds: dict[tuple[str, str], list[float]] = {(n, what): [] for n in work for what in work[n]}
        for _ in range(options.rounds):
            for (name, what), times in seconds.items():
                began = time.process_time()
                for _ in range(options.steps):
                    work[name][what]()
                times.append((time.process_time() - began) / options.steps)
    table = {
        name: {
            f"{what}_cpu_ms": [round(1e3 * f(seconds[name, what]), 1) for f in (min, statistics.median, max)]
            for what in work[name]
        }
        for name in work
    }
    found = {
        "machine": f"{platform.machine()}, 1 thread",
        "torch": torch.__version__,
        "n": f"{options.rounds} rounds of {options.steps} steps: least, median, most",
        "cases": table,
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    for name, row in table.items():
        print(f"{name:72} " + "   ".join(f"{what} {each[1]:7.1f} ms" for what, each in row.items()))


if __name__ == "__main__":
    main()
