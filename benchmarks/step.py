"""Games per CPU second of a training step: without likeness, with it on a quarter of the sketches, and the demo.

    python benchmarks/step.py            # writes benchmarks/results/step.json and prints a table

64 px, 20 lines, B = 64, K = 64, emoji (needs them: see docs/pictures.md). The three recipes take turns, round after
round, in one process, so that the machine's moods hit all alike; CPU seconds of the whole process are counted.
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
from runs.loading import load  # noqa: E402
from runs.run import assemble  # noqa: E402
from runs.train import Learner  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "step.json"


def recipes() -> dict[str, Config]:
    """The three configs: the issue's two settings (20 lines, default agents) and the demo's own."""
    plain = ["biases=[]", "sender={strokes: {kind: line, count: 20}}", "receiver={}", "pictures.views=1"]
    quarter = "biases=[{kind: likeness, weight: 5.0, share: 0.25}]"
    return {
        "without likeness": load(Config, "demo", plain).config,
        "likeness on a quarter": load(Config, "demo", [*plain[1:], quarter]).config,
        "the demo's recipe": load(Config, "demo", []).config,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="steps a round and recipe")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    learners = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, config in recipes().items():
            learners[name] = Learner(assemble(config, Path(folder), torch.device("cpu")))
            for _ in range(3):
                learners[name].step()  # warm: kernels compiled, caches filled
        seconds: dict[str, list[float]] = {name: [] for name in learners}
        for _ in range(options.rounds):
            for name, learner in learners.items():
                began = time.process_time()
                for _ in range(options.steps):
                    learner.step()
                seconds[name].append((time.process_time() - began) / options.steps)
    table = {
        name: {
            "games_per_cpu_second": round(learners[name].train.games / statistics.median(times), 1),
            "cpu_ms_a_step": [round(1e3 * f(times), 1) for f in (min, statistics.median, max)],
        }
        for name, times in seconds.items()
    }
    found = {
        "machine": f"{platform.machine()}, {options.threads} thread(s)",
        "torch": torch.__version__,
        "n": f"{options.rounds} rounds of {options.steps} steps",
        "recipes": table,
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    for name, row in table.items():
        low, middle, high = row["cpu_ms_a_step"]
        print(f"{name:24} {row['games_per_cpu_second']:8.1f} games/CPU s   {middle:7.1f} ms a step ({low} to {high})")


if __name__ == "__main__":
    main()
