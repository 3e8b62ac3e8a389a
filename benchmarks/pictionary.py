"""What a price on turns does to pictionary: turns used and games won, with the same agents and the same budget.

    python benchmarks/pictionary.py                       # every price, seed 0, test included; some minutes a run
    python benchmarks/pictionary.py --seeds 3             # goes on from benchmarks/results/pictionary.json
    python benchmarks/pictionary.py --no-test --prices 0.1 --set train.lr=2e-3    # trying a recipe: validation alone

The preset `pictionary` on one thread; of it only the price (and, with --steps, the length) changes. Every run is
written to the results file as soon as it is done, under a name that says what it was, and is not run again. All runs
are measured on the same pools, so a priced run is compared with the free one of its seed pool by pool: 95 % intervals
are bootstraps over the pools of all seeds. The figure that is asked for: a third of the turns or more saved at less
than 3 points of rate.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import numpy as np  # noqa: E402 (after settle, which torch's threads read)
import torch  # noqa: E402

from runs.config import Config  # noqa: E402
from runs.evidence import Evidence, bootstrap_by_pool, gather  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.run import assemble  # noqa: E402
from runs.train import Learner  # noqa: E402
from runs.turns import by_turn  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "pictionary.json"
PRICES = (0.0, 0.05, 0.1, 0.15)


def config(price: float, seed: int, steps: int | None, sets: list[str]) -> Config:
    """The preset with another price; schedules take the same parts of the steps, whatever their number."""
    chosen = load(Config, "pictionary", [f"seed={seed}", *([] if steps is None else [f"train.steps={steps}"]), *sets])
    total = chosen.config.train.steps
    rising = f"{{from: 0, to: {price}, over: {total // 3}, start: {total // 4}}}" if price else "0"
    falling = f"{{from: 1, to: 0.2, over: {total // 4}, start: {total // 4}}}"
    last = [f"seed={seed}", f"train.steps={total}", f"game.explore={falling}", *sets, f"game.price={rising}"]
    return load(Config, "pictionary", last).config


def measured(evidence: Evidence) -> dict[str, Any]:
    """Rate and turns with their intervals, turn by turn, and pool by pool for comparisons."""
    row = by_turn(evidence)
    right = [play.correct for play in evidence.plays]
    turns = [play.course.taken.double() + 1 for play in evidence.plays if play.course is not None]
    low, high = bootstrap_by_pool(right)
    return {
        "rate": _short([evidence.rate(), low, high]),
        "turns": _short([row["turns"], row["turns_low"], row["turns_high"]]),
        "answered_at": _short(row["answered_at"]),
        "rate_by_turn": _short(row["rate_by_turn"]),
        "games": evidence.n,
        "pools": {
            "rate": _short([float(each.double().mean()) for each in right]),
            "turns": _short([float(each.mean()) for each in turns]),
        },
    }


def one(chosen: Config, pools: int, splits: list[str]) -> dict[str, Any]:
    """Train, then look at the splits."""
    with tempfile.TemporaryDirectory() as folder:
        run = assemble(chosen, Path(folder), torch.device("cpu"))
    learner = Learner(run)
    began = time.process_time()
    while run.step < chosen.train.steps:
        learner.step()
    row: dict[str, Any] = {"steps": run.step, "cpu_seconds": round(time.process_time() - began, 1)}
    return row | {split: measured(gather(run, run.game, split, pools)) for split in splits}


def compared(free: list[dict[str, Any]], priced: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Part of the turns that is saved, and points of rate that are lost, with 95 % intervals over pools."""
    pools = {
        name: np.array([[pool for row in rows for pool in row["pools"][name]] for rows in (free, priced)])
        for name in ("rate", "turns")
    }
    count = pools["rate"].shape[1]
    chosen = np.random.default_rng(0).integers(0, count, (10_000, count))
    chosen[0] = np.arange(count)  # the first is the estimate itself
    rate, turns = (pools[name][:, chosen].mean(-1) for name in ("rate", "turns"))  # [2, 10000]
    found = {"turns saved": 1 - turns[1] / turns[0], "points lost": 100 * (rate[0] - rate[1])}
    return {name: _short([each[0], *np.quantile(each, [0.025, 0.975])]) for name, each in found.items()}


def _short(values: list[float]) -> list[float]:
    return [round(float(value), 4) for value in values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, help="the preset's own when left out")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--prices", type=float, nargs="+", default=PRICES)
    parser.add_argument("--pools", type=int, default=16)
    parser.add_argument("--no-test", action="store_true", help="leave the test split alone")
    parser.add_argument("--set", action="append", default=[], help="a key of the config, as for lascaux run")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    splits = ["validation"] if options.no_test else ["validation", "test"]
    done: dict[str, dict[str, Any]] = {}
    names: dict[float, list[str]] = {}
    for seed in range(options.seeds):
        for price in dict.fromkeys([0.0, *options.prices]):
            chosen = config(price, seed, options.steps, options.set)
            name = ", ".join([f"price {price:g}", f"{chosen.train.steps} steps", *options.set, f"seed {seed}"])
            done = json.loads(options.results.read_text()) if options.results.exists() else {}
            if name not in done or not set(splits) <= set(done[name]):
                row = one(chosen, options.pools, splits)
                done = json.loads(options.results.read_text()) if options.results.exists() else {}
                done[name] = row
                options.results.write_text(json.dumps(done, indent=1) + "\n")
            names.setdefault(price, []).append(name)
            told = {split: {key: done[name][split][key] for key in ("rate", "turns")} for split in splits}
            print(name, json.dumps(told), flush=True)
    for price in list(names)[1:]:
        for split in splits:
            free, priced = ([done[name][split] for name in names[each]] for each in (0.0, price))
            print(f"price {price:g} against none, {split}: {json.dumps(compared(free, priced))}")


if __name__ == "__main__":
    main()
