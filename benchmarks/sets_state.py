"""Objects from pictures of scenes: DSPN and iDSPN against an MLP, each for as much CPU time.

    python benchmarks/sets_state.py                            # seed 0 of all three, 15 CPU minutes each
    python benchmarks/sets_state.py --seeds 3                  # goes on from benchmarks/results/sets-state.json
    python benchmarks/sets_state.py --trunk --minutes 60 --decoders idspn    # from a frozen network's feature maps
    python benchmarks/sets_state.py --no-test --minutes 2 --set train.lr=1e-3 --results trials.json   # trying a recipe

The presets `sets/state` and `sets/state-trunk` on one thread: the same pictures and the same image encoder for each
decoder, and the preset's schedule over the part of the time that is spent instead of over steps. The time is that of
learning, by the process's own clock; making the scenes, validating and measuring come on top. A run is written to the
results file as soon as it is done, under a name that says what it was, and is not run again; one that is killed begins
anew. Recipes are chosen on validation (``--no-test``); a run that was made so is not made again for its test, which its
weights in out/ are asked for.
"""

import argparse
import json
import math
import statistics
import time
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import RESULTS, about  # noqa: E402

from runs import checkpoint  # noqa: E402
from runs.folder import write_text  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.sets import Data, SetPredictor, SetsConfig, answer, load_data, measured  # noqa: E402
from runs.sets.data import Split  # noqa: E402
from runs.sets.learner import SetLearner  # noqa: E402

TICKS = 10_000
"""Parts of the time that the schedule tells apart."""
LOOKS = 15
"""Validations of a run, evenly over its time."""
SAMPLES = 200
"""Of a bootstrap over sets."""
OUT = Path("out/sets-state")

#: What each decoder has of its own; the rest is the preset's.
DECODERS = {
    "mlp": ["decoder={kind: mlp, hidden: [512, 512]}", "measure.inner=[]", "train.late_steps=null"],
    "dspn": [
        "decoder={kind: dspn, encoder: {kind: fspool, hidden: [128, 128]}, steps: 10, rate: 50.0}",
        "measure.inner=[10, 20, 30]",
    ],
    "idspn": [],
}


class ByClock(SetLearner):
    """A learner whose schedule follows the CPU time that it has used, and ends with it."""

    def __init__(self, config: SetsConfig, model: SetPredictor, data: Data, budget: float) -> None:
        super().__init__(config, model, data)
        self.budget, self.spent, self.taken = budget, 0.0, 0

    @property
    def part(self) -> float:
        """How much of the time is used, [0, 1]."""
        return min(self.spent / self.budget, 1.0)

    def advance(self) -> None:
        """See `SetLearner`; ``step`` counts the ticks of the schedule, ``taken`` the steps."""
        self.step = min(int(self.part * TICKS), TICKS - 1)
        began = time.process_time()
        super().advance()
        self.spent += time.process_time() - began
        self.taken += 1


def config_of(decoder: str, seed: int, trunk: bool, sets: list[str]) -> SetsConfig:
    own = [*DECODERS[decoder], f"seed={seed}", f"train.steps={TICKS}"]
    return load(SetsConfig, "sets/state-trunk" if trunk else "sets/state", [*own, *sets]).config


def looked(config: SetsConfig, model: SetPredictor, data: Data, split: Split) -> dict[str, Any]:
    """Every figure of a split, by the number of inner steps."""
    pairs = data.held(split, config.measure.sets)
    own = config.test_steps
    rows: dict[str, Any] = {}
    for steps in [None] if own is None else sorted({own, *config.measure.inner}):
        answers = answer(model, pairs, steps)
        found = measured(config, answers.sets, pairs, SAMPLES)
        rows[str(steps or "none")] = {name: rounded(list(each.values())) for name, each in found.items()}
        if answers.gaps:
            rows[str(steps)] |= {"gap": rounded([answers.gaps[0], answers.gaps[-1]]), "moved": rounded(answers.moved)}
    return rows | {"n": len(pairs.wanted)}


def rounded(values: list[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def one(name: str, config: SetsConfig, data: Data, budget: float, splits: list[Split]) -> dict[str, Any]:
    """Learn for so many CPU seconds, then look at the splits. The weights are kept in out/, for pictures."""
    model = SetPredictor(config, data.held("validation", 1).given.shape[1:])
    learner = ByClock(config, model, data, budget)
    learner.prepare()
    held = data.held("validation", config.measure.validation)
    curve = []
    while learner.part < 1:
        learner.advance()
        if learner.part * LOOKS >= len(curve) + 1 or learner.taken == 1:
            means = learner.flush()
            found = measured(config, answer(model, held, config.test_steps).sets, held, samples=1)
            line = {"seconds": round(learner.spent), "steps": learner.taken, "loss": means.pop("loss")}
            line |= {"held-out loss": found["loss"]["value"], "AP_inf": found["AP_inf"]["value"], **means}
            curve.append({key: float(f"{value:.4g}") for key, value in line.items()})
            print(name, json.dumps(curve[-1]), flush=True)
            if not all(map(math.isfinite, curve[-1].values())):
                break
    checkpoint.save(kept(name), model, learner.taken, {})
    return {
        "steps": learner.taken,
        "cpu_seconds": round(learner.spent, 1),
        "parameters": sum(each.numel() for each in model.parameters()),
        "data": data.source,
        **{split: looked(config, model, data, split) for split in splits},
        "curve": curve,
        "about": about() | {"threads": 1},
    }


def again(name: str, config: SetsConfig, data: Data, splits: list[Split]) -> dict[str, Any] | None:
    """The splits that a run was not asked for when it was made; None where its weights are gone."""
    model = SetPredictor(config, data.held("validation", 1).given.shape[1:])
    if checkpoint.go_on(kept(name), model, lambda step, state: None) is None:
        return None
    return {split: looked(config, model, data, split) for split in splits}


def kept(name: str) -> Path:
    return OUT / name.replace(" ", "-").replace(",", "")


SHOWN = {"loss": ".4f", "AP_inf": ".1f", "AP_1": ".1f", "AP_0.5": ".2f", "AP_0.25": ".2f", "AP_0.125": ".3f"}
"""The figures of a row, and how each is written."""


def table(done: dict[str, Any], names: dict[str, list[str]], split: str) -> list[str]:
    """Markdown: a row a decoder and number of inner steps, median (least to most) over its seeds."""
    found = [f"| {split} | inner steps | seeds | steps | {' | '.join(SHOWN)} |", "| --- " * (len(SHOWN) + 4) + "|"]
    for decoder, keys in names.items():
        runs = [done[key] for key in keys]
        for inner in (key for key in runs[0][split] if key != "n"):
            cells = [decoder, inner, str(len(runs)), _spread([run["steps"] for run in runs], ".0f")]
            for name, form in SHOWN.items():
                cells.append(_spread([run[split][inner][name][0] for run in runs], form))
            found.append(f"| {' | '.join(cells)} |")
    return found


def _spread(values: list[float], form: str) -> str:
    middle, least, most = (format(each, form) for each in (statistics.median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({least} to {most})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--decoders", nargs="+", choices=list(DECODERS), default=["idspn", "mlp", "dspn"])
    parser.add_argument("--minutes", type=float, default=15, help="CPU minutes of learning")
    parser.add_argument("--trunk", action="store_true", help="from a frozen network's feature maps")
    parser.add_argument("--no-test", action="store_true", help="leave the test split alone")
    parser.add_argument("--set", action="append", default=[], help="a key of the config, as for lascaux run")
    parser.add_argument("--results", type=Path, default=RESULTS / "sets-state.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    splits: list[Split] = ["validation"] if options.no_test else ["validation", "test"]
    data: Data | None = None
    names: dict[str, list[str]] = {}
    done: dict[str, Any] = {}
    for seed in range(options.seeds):
        for decoder in options.decoders:
            config = config_of(decoder, seed, options.trunk, options.set)
            said = [decoder, *(["trunk"] if options.trunk else []), f"{options.minutes:g} minutes", *options.set]
            name = ", ".join([*said, f"seed {seed}"])
            done = json.loads(options.results.read_text()) if options.results.exists() else {}
            left = [split for split in splits if split not in done.get(name, {})]
            if left:
                data = data or load_data(config.task, config.encoder, 0, torch.device("cpu"), say=print)
                row = again(name, config, data, left) if name in done else None
                row = {**done[name], **row} if row else one(name, config, data, 60 * options.minutes, splits)
                done = json.loads(options.results.read_text()) if options.results.exists() else {}
                done[name] = row
                write_text(options.results, json.dumps(done, indent=1) + "\n")
            names.setdefault(decoder, []).append(name)
    for split in splits:
        print("\n".join(table(done, names, split)))


if __name__ == "__main__":
    main()
