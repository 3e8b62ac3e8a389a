"""What a step of a community costs: against one pair, batched against loop, and by the number of pairs.

    python benchmarks/communities.py            # writes benchmarks/results/communities.json and prints tables

Digits, 32 px, cached features of the packaged trunk (level 3); 20 lines on a canvas of 64 px; no biases; agents of 64
hidden units. Meetings are a matching of all with all, so every agent plays once a step. CPU seconds of the whole
process, one thread; the cases take turns, round after round, in one process, so that the machine's moods hit all alike.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from _cases import RESULTS, about, spread, told, write

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)

from runs.config import Config  # noqa: E402
from runs.run import assemble  # noqa: E402
from runs.train import Learner  # noqa: E402

FEATURES = {"trunk": {"kind": "timm", "name": "packaged"}, "levels": [3], "hidden": 64}
PERCEPTRON = {"trunk": {"kind": "mlp", "hidden": [64], "size": 16}, "hidden": 64}
READERS = {
    "patches": {"kind": "patches", "size": 8, "channels": 16},
    "mlp": {"kind": "trunk", "trunk": {"kind": "mlp", "hidden": [64], "size": 16}},
}
WIDTHS = (64, 16)
PAIRS = (1, 2, 4, 8, 16, 32, 64, 128)


def config(
    pairs: int, games: int, executor: str, reader: str = "patches", eye: Any = None, draw: str = "matching"
) -> Config:
    return Config.model_validate(
        {
            "pictures": {"kind": "digits", "size": 32, "split": {"by": ["picture"], "validation": 0.1, "test": 0.1}},
            "game": {"kind": "referential", "candidates": min(games, 16), "pool": "photos"},
            "canvas": {"size": 64},
            "sender": {**(eye or FEATURES), "strokes": {"kind": "line", "count": 20}},
            "receiver": {**(eye or FEATURES), "dims": 32, "reader": READERS[reader]},
            "community": {"senders": pairs, "receivers": pairs, "draw": draw, "executor": executor},
            "train": {"games": games, "steps": 100_000, "log_every": 1000},
            "probes": ["rate"],
        }
    )


def cases(name: str) -> dict[str, Config]:
    """The configs that are held against each other."""
    if name == "a":
        found = {}
        for width in WIDTHS:
            eye = {**FEATURES, "hidden": width}
            for reader in READERS:
                found[f"one pair, B=256, {reader}, hidden {width}"] = config(1, 256, "loop", reader, eye)
                found[f"16 pairs, B=16, {reader}, hidden {width}"] = config(16, 16, "batched", reader, eye)
        return found
    if name == "b":
        small = {"pairs": 64, "games": 4, "reader": "mlp", "eye": PERCEPTRON}
        found = {
            f"64 pairs of perceptrons, B=4, {name}": config(executor=name, **small) for name in ("loop", "batched")
        }
        for pairs, games in ((2, 16), (2, 64), (8, 16), (8, 64)):
            for executor in ("loop", "batched"):
                found[f"{pairs} pairs, B={games}, {executor}"] = config(pairs, games, executor)
        for executor in ("loop", "batched"):
            found[f"8 pairs drawn independently, B=16, {executor}"] = config(8, 16, executor, draw="independent")
        return found
    return {f"{pairs} pairs": config(pairs, 16, "batched") for pairs in PAIRS}


def measured(configs: dict[str, Config], rounds: int, seconds: float) -> dict[str, Any]:
    """CPU milliseconds of a step of each, and games a CPU second."""
    times: dict[str, list[float]] = {name: [] for name in configs}
    with tempfile.TemporaryDirectory() as folder:
        learners = {name: Learner(assemble(each, Path(folder), torch.device("cpu"))) for name, each in configs.items()}
        steps = {}
        for name, learner in learners.items():
            learner.step(), learner.step()  # warm: kernels compiled, moments made
            began = time.process_time()
            learner.step()
            steps[name] = max(1, round(seconds / (time.process_time() - began)))
        for _ in range(rounds):
            for name, learner in learners.items():
                began = time.process_time()
                for _ in range(steps[name]):
                    learner.step()
                times[name].append(1e3 * (time.process_time() - began) / steps[name])
    return {
        name: {
            "cpu_ms_a_step": spread(own),
            "games_per_cpu_second": round(
                1e3 * configs[name].train.games * configs[name].community.senders / spread(own)["median"], 1
            ),
            "steps_a_round": steps[name],
        }
        for name, own in times.items()
    }


def ratio(found: dict[str, Any], one: str, other: str) -> float:
    return round(found[one]["cpu_ms_a_step"]["median"] / found[other]["cpu_ms_a_step"]["median"], 3)


def curve(rows: dict[str, Any]) -> None:
    """``docs/communities-cost.svg``: games a CPU second, and a pair's part of a step, by the number of pairs."""
    from matplotlib.figure import Figure

    pairs = [int(label.split()[0]) for label in rows]
    figure = Figure(figsize=(8, 2.8), layout="constrained")
    games, part = figure.subplots(1, 2)
    games.plot(pairs, [row["games_per_cpu_second"] for row in rows.values()], "o-", color="black")
    games.set(xscale="log", ylim=(0, None), xlabel="pairs", ylabel="games a CPU second")
    least, median, most = (
        [row["cpu_ms_a_step"][each] / n for n, row in zip(pairs, rows.values(), strict=True)]
        for each in ("least", "median", "most")
    )
    part.fill_between(pairs, least, most, color="0.8")
    part.plot(pairs, median, "o-", color="black")
    part.set(xscale="log", ylim=(0, None), xlabel="pairs", ylabel="CPU ms a pair and step")
    for axis in (games, part):
        axis.set_xticks(pairs, [str(each) for each in pairs], minor=False)
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS.parent.parent / "docs" / "communities-cost.svg", metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds a round and case")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = {**about(), "threads": 1, "n": f"{options.rounds} rounds of {options.seconds} s, seed 0"}
    for name, title in (("a", "16 pairs against one"), ("b", "batched against loop"), ("c", "by pairs")):
        found[title] = rows = measured(cases(name), options.rounds, options.seconds)
        for label, row in rows.items():
            print(
                f"{label:45} {told(row['cpu_ms_a_step'])} ms   {row['games_per_cpu_second']:8.1f} games/CPU s",
                flush=True,
            )
    rows = found["16 pairs against one"]
    found["ratios"] = {
        f"16 pairs against one, {rest}": ratio(rows, f"16 pairs, B=16, {rest}", f"one pair, B=256, {rest}")
        for rest in (f"{reader}, hidden {width}" for width in WIDTHS for reader in READERS)
    }
    rows = found["batched against loop"]
    for label in rows:
        if label.endswith("batched"):
            found["ratios"][label.replace(", batched", ": loop over batched")] = ratio(
                rows, label.replace("batched", "loop"), label
            )
    for label, value in found["ratios"].items():
        print(f"{label:60} {value:.2f}")
    write("communities.json", found)
    curve(found["by pairs"])


if __name__ == "__main__":
    main()
