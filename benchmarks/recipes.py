"""How the demo's recipe was chosen: variants of it, trained equally long and compared on the validation split.

    python benchmarks/recipes.py                 # all variants, seed 0; resumes from benchmarks/results/recipes.json
    python benchmarks/recipes.py --only shipped --seeds 3

Each run is written to the results file as soon as it is done. The test split is not touched.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)

from runs.config import Config  # noqa: E402
from runs.evidence import bootstrap_by_pool, gather  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.probes import iconicity  # noqa: E402
from runs.run import assemble  # noqa: E402
from runs.train import Learner  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "recipes.json"
TREMOR = "{kind: tremor}"
VARIANTS = {
    "shipped": [],
    "without likeness": [f"biases=[{TREMOR}]"],
    "without tremor": ["biases=[{kind: likeness, weight: 4.0, share: 0.5, levels: [1, 2, 3]}]"],
    "without copies": ["pictures.views=1"],
    "half the likeness": [f"biases=[{{kind: likeness, weight: 2.0, share: 0.5, levels: [1, 2, 3]}}, {TREMOR}]"],
    "twice the likeness": [f"biases=[{{kind: likeness, weight: 8.0, share: 0.5, levels: [1, 2, 3]}}, {TREMOR}]"],
}


def measure(config: Config, pools: int) -> dict[str, Any]:
    """Train and look at the validation split: rates with intervals, iconicity, CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        run = assemble(config, Path(folder), torch.device("cpu"))
    learner = Learner(run)
    began = time.process_time()
    while run.step < config.train.steps:
        learner.step()
    row: dict[str, Any] = {"steps": run.step, "cpu_seconds": round(time.process_time() - began, 1)}
    for split in ("validation", "validation/unseen-artist"):
        for part in run.game.parts:
            evidence = gather(run, part, split, pools)
            low, high = bootstrap_by_pool([play.correct for play in evidence.plays])
            row[f"{split}: {part.label}"] = [round(x, 4) for x in (evidence.rate(), low, high)]
    found = iconicity(gather(run, run.game.parts[0], "validation", pools))
    row["iconicity"] = [round(x, 4) for x in (found.value, found.low, found.high)]
    row["iconicity untrained"] = round(found.baselines["untrained"], 4)
    row["games"] = found.n
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--pools", type=int, default=8)
    parser.add_argument("--only", action="append", choices=list(VARIANTS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed in range(options.seeds):
        for name in options.only or VARIANTS:
            done = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            key = f"{name}, {options.steps} steps, seed {seed}"
            if key not in done:
                sets = [*VARIANTS[name], f"seed={seed}", f"train.steps={options.steps}"]
                row = measure(load(Config, "demo", sets).config, options.pools)
                done = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
                done[key] = row
                RESULTS.write_text(json.dumps(done, indent=2) + "\n")
            print(key, json.dumps(done[key]))


if __name__ == "__main__":
    main()
