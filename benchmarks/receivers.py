"""CPU milliseconds of a training step by how the receiver compares, and by whether agents learn their trunk on.

    python benchmarks/receivers.py            # writes benchmarks/results/receivers.json and prints a table

Digits at 64 px, 20 lines, B = 64, K = 64 photos, default agents (packaged trunk, level 3), no bias. All configs take
turns, round after round, in one process; CPU seconds of the whole process are counted.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)

from runs.config import Config  # noqa: E402
from runs.run import assemble  # noqa: E402
from runs.train import Learner  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "receivers.json"
LEARNED = {"kind": "timm", "frozen": False}
SHARED = {**LEARNED, "shared": True}
CONVNET = {"kind": "convnet"}
CASES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "cosine": ({}, {}),
    "dot": ({}, {"score": "dot"}),
    "attention": ({}, {"score": "attention"}),
    "attention, levels: [2, 3]": ({}, {"score": "attention", "levels": [2, 3]}),
    "cosine, a frozen trunk as the reader": ({}, {"reader": {"kind": "trunk"}}),
    "cosine, convnets as trunks": ({"trunk": CONVNET}, {"trunk": CONVNET}),
    "cosine, trunks learned on": ({"trunk": LEARNED}, {"trunk": LEARNED}),
    "cosine, one learned trunk shared, the reader's too": (
        {"trunk": SHARED},
        {"trunk": SHARED, "reader": {"kind": "trunk", "trunk": SHARED}},
    ),
}


def config(sender: dict[str, object], receiver: dict[str, object]) -> Config:
    return Config.model_validate(
        {
            "pictures": {"kind": "digits", "size": 64},
            "game": {"kind": "referential", "candidates": 64, "pool": "photos"},
            "sender": {"strokes": {"count": 20}, **sender},
            "receiver": receiver,
            "train": {"games": 64},
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="steps a round and case")
    options = parser.parse_args()
    torch.set_num_threads(1)
    learners: dict[str, Learner] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, case in CASES.items():
            learners[name] = Learner(assemble(config(*case), Path(folder), torch.device("cpu")))
            learners[name].step(), learners[name].step()  # warm: kernels compiled, caches filled
        seconds: dict[str, list[float]] = {name: [] for name in learners}
        for _ in range(options.rounds):
            for name, times in seconds.items():
                began = time.process_time()
                for _ in range(options.steps):
                    learners[name].step()
                times.append((time.process_time() - began) / options.steps)
    found = {
        "machine": f"{platform.machine()}, 1 thread",
        "torch": torch.__version__,
        "n": f"{options.rounds} rounds of {options.steps} steps: least, median, most CPU ms",
        "cases": {
            name: [round(1e3 * f(times), 1) for f in (min, statistics.median, max)] for name, times in seconds.items()
        },
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    for name, times in seconds.items():
        print(f"{name:52} {1e3 * statistics.median(times):7.1f} ms")


if __name__ == "__main__":
    main()
