"""What the probes say of the demo's agents under the game alone, under likeness, and under the demo's whole recipe.

    python benchmarks/meaning.py                        # trains what is not there, then asks every probe; resumes
    python benchmarks/meaning.py --only train
    python benchmarks/meaning.py --only probe

Three seeds a condition, equally many steps, one thread. Runs stand in out/meaning; what a probe found in a run is
written to the results as soon as it is known. The vectors of names are name_vectors.npz of the folder that LASCAUX_DATA
names. The means over seeds that docs/meaning.md tells are printed at the end, with their controls.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import about  # noqa: E402

import runs  # noqa: E402
from raster.errors import InputError  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.evidence import gather  # noqa: E402
from runs.finding import plain  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.probes import probes, probes_of  # noqa: E402
from runs.spread import over_seeds  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "meaning.json"
OUT = Path("out") / "meaning"
STEPS, SEEDS = 600, 3
GAME, POOLS = "same", 16
KEPT = ("value", "low", "high", "n", "chance", "measure", "baselines", "parts")
LIKENESS = "{kind: likeness, weight: 2.0, share: 0.5, levels: [1, 2, 3], trunk: {kind: timm, name: packaged, size: 48}}"
CONDITIONS = {
    "game only": ["biases=[]"],
    "likeness": [f"biases=[{LIKENESS}]"],
    "the demo's recipe": [],  # likeness and tremor
}
SETTING = [
    f"train.steps={STEPS}",
    "train.validate_every=100",
    "train.checkpoint_every=200",
    "measure={validation_pools: 2, test_pools: 2, probes_every: null}",
    "probes=[rate]",
]


def folder(condition: str, seed: int) -> Path:
    return OUT / f"{condition.replace(' ', '-').replace(chr(39), '')}-{seed}"


def config(condition: str, seed: int) -> Config:
    found: Config = load(Config, "demo", [*SETTING, *CONDITIONS[condition], f"seed={seed}"]).config
    return found


def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def keep(key: str, part: str, value: Any) -> None:
    done = kept()
    done.setdefault(key, {})[part] = value
    RESULTS.write_text(json.dumps(done, indent=1) + "\n")


def train() -> None:
    for seed in range(SEEDS):
        for condition in CONDITIONS:
            key, began = f"{condition}, seed {seed}", time.process_time()
            if "run" in kept().get(key, {}):
                continue
            run = runs.launch(
                config(condition, seed), folder(condition, seed), resume=True, device="cpu", progress=False
            )
            keep(key, "run", {"steps": run.step, "cpu_seconds": round(time.process_time() - began, 1), **about()})
            print(key, kept()[key]["run"], flush=True)


def ask() -> None:
    """Every probe that is registered, of every run; of one that is new since the last time alone."""
    for seed in range(SEEDS):
        for condition in CONDITIONS:
            key = f"{condition}, seed {seed}"
            wanted = [name for name in probes_of(config(condition, seed).game) if name not in kept().get(key, {})]
            if not wanted or "run" not in kept().get(key, {}):
                continue
            run = runs.load(folder(condition, seed))
            told = {"word_vectors": str(Path(os.environ["LASCAUX_DATA"]) / "name_vectors.npz")}
            run.config = run.config.model_copy(update={"measure": run.config.measure.model_copy(update=told)})
            (part,) = [each for each in run.game.parts if each.label == GAME]
            evidence = gather(run, part, "test", POOLS)
            for name in wanted:
                began = time.process_time()
                try:
                    found = plain(probes()[name](evidence))
                except InputError as error:  # a probe that these runs do not suit is told of, and asked no more
                    keep(key, name, {"refused": error.what})
                    print(key, name, error.what, flush=True)
                    continue
                row = {word: found.get(word) for word in KEPT if word in found}
                keep(key, name, _short({**row, "cpu_seconds": time.process_time() - began}))
                print(key, name, kept()[key][name]["value"], kept()[key][name]["cpu_seconds"], flush=True)


SHOWN = {  # parts that stand in the table beside a probe's value
    "calibration": ["overconfidence", "temperature", "error at that temperature", "absence noticed"],
    "generalisation": ["unseen hands", "unseen things", "128 candidates", "100% nearest distractors"],
    "iconicity": ["similarity", "margin"],
    "robustness": ["noise", "jitter", "missing", "rotation", "attack beyond noise, 0.01"],
    "semanticity": ["beyond photos"],
    "standins": ["kappa, judge, by photos and packaged, by photos"],
    "symbolicity": ["above photos", "separability"],
}


def tables() -> None:
    """Means over seeds with their interval: of each probe, of some of its parts, and of its controls."""
    done = kept()
    names = [name for name in probes() if name in done[f"{next(iter(CONDITIONS))}, seed 0"]]
    print(f"| probe | measure | {' | '.join(CONDITIONS)} |\n| --- | --- {'| --- ' * len(CONDITIONS)}|")
    for name in names:
        rows = {
            each: [done.get(f"{each}, seed {seed}", {}).get(name, {}) for seed in range(SEEDS)] for each in CONDITIONS
        }
        if any("value" not in row for each in rows.values() for row in each):
            continue
        measure = rows[next(iter(CONDITIONS))][0]["measure"]
        values = [_told([row["value"] for row in each]) for each in rows.values()]
        print(f"| **{name}** | {measure} | {' | '.join(values)} |")
        for part in SHOWN.get(name, ()):
            cells = [_told([row["parts"][part] for row in each]) for each in rows.values()]
            print(f"| | {part} | {' | '.join(cells)} |")
        for control in rows[next(iter(CONDITIONS))][0]["baselines"]:
            means = [sum(row["baselines"][control] for row in each) / SEEDS for each in rows.values()]
            print(f"| | *{control}* | {' | '.join(f'*{mean:.3f}*' for mean in means)} |")


def _told(values: list[float]) -> str:
    mean, low, high = over_seeds(values)
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(each) for name, each in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["train", "probe"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.only != "probe":
        train()
    if options.only != "train":
        ask()
        tables()


if __name__ == "__main__":
    main()
