"""What drawings tell of scenes: the description game beside its ceiling and its floor, and scenes among variants.

    python benchmarks/scene_game.py [--runs lines colour picture blank differ] [--minutes 5] [--seeds 1]

Each run has as many steps as CPU minutes on one thread allow, and its row is written as soon as it is done; a script
that was stopped goes on where it was: with finished rows, and with a run's own checkpoint. `picture` (the describer is
given the scene itself) is what can be read at best, `blank` (an empty sheet) what is said without looking: both learn
as long.
"""

import argparse
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _budget import affordable, one, spent  # noqa: E402

from runs.config import Config  # noqa: E402
from runs.folder import read_json, write_json  # noqa: E402
from runs.loading import load  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "scene_game.json"
OUT = Path("out") / "scene-game"
FEW = "pictures.count=8000"
"""A run of a few minutes does not see more of them often enough to know them by heart."""
RUNS: dict[str, tuple[str, list[str]]] = {
    "lines": ("scenes/describe", [FEW]),
    "colour": ("scenes/describe-colour", [FEW]),
    "picture": ("scenes/describe", [FEW, "game.sees=picture"]),
    "blank": ("scenes/describe", [FEW, "game.sees=blank"]),
    "differ": ("scenes/differ", []),
}
"""What is run: a preset, and what is changed in it."""
TIMED = 12
"""Steps that are timed to find how many there is time for."""
OF_SETS = ("measures", "controls", "n")
OF_CHOICES = ("rate", "low", "high", "chance", "blank", "shuffled", "untrained", "ceiling", "changes", "n")


def config(name: str, seed: int, steps: int, sets: list[str]) -> Config:
    """The preset in so many steps; the schedule of its ink takes the same part of them."""
    preset, own = RUNS[name]
    usual = load(Config, preset).config
    part = usual.canvas.sigma2.over / usual.train.steps
    asked = [
        f"seed={seed}",
        f"train.steps={steps}",
        "train.threads=1",
        f"canvas.sigma2.over={max(1, round(part * steps))}",
    ]
    asked += [f"train.validate_every={max(1, steps // 4)}", f"train.checkpoint_every={max(1, steps // 10)}"]
    return load(Config, preset, [*own, *asked, f"train.journal_every={steps}", *sets]).config


def kept(summary: dict[str, Any]) -> dict[str, Any]:
    """What a row has of the summary of a test."""
    return {key: summary[key] for key in (OF_SETS if "measures" in summary else OF_CHOICES)}


def told(name: str, row: dict[str, Any]) -> str:
    """A row for a person."""
    test = row["test"]
    head = f"{name}: {row['steps']} steps, {spent(row)}, n = {test['n']}"
    if "measures" in test:
        blank = test["controls"].get("blank")
        less = f"; blank sheets: AP_inf {_value(blank['AP_inf'])}" if blank else ""
        return f"{head}; {', '.join(f'{key} {_value(each)}' for key, each in test['measures'].items())}{less}"
    kinds = ", ".join(f"{kind} {100 * each['told']:.1f}" for kind, each in test["changes"].items())
    rate = f"rate {100 * test['rate']:.1f} % ({100 * test['low']:.1f} to {100 * test['high']:.1f})"
    return f"{head}; {rate}, chance {100 * test['chance']:.1f}, ceiling {100 * test['ceiling']:.1f}; {kinds}"


def _value(each: dict[str, Any]) -> str:
    return "-" if each["value"] is None else f"{each['value']:.3g} ({each['low']:.3g} to {each['high']:.3g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", default=list(RUNS), choices=list(RUNS))
    parser.add_argument("--minutes", type=float, default=5.0, help="CPU minutes of a run")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="a key of the config, as for lascaux run")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed in range(options.seeds):
        for which in options.runs:
            name = ", ".join([which, f"{options.minutes:g} minutes", *options.set, f"seed {seed}"])
            folder = OUT / "".join(each if each.isalnum() else "-" for each in name)
            done = read_json(options.results) if options.results.exists() else {}
            if name not in done:
                if (folder / "config.yaml").exists():  # begun before: as many steps as then
                    steps = load(Config, folder / "config.yaml", []).config.train.steps
                else:
                    steps = affordable(config(which, seed, 1000, options.set), options.minutes, TIMED)
                row = one(config(which, seed, steps, options.set), folder, kept)
                done = read_json(options.results) if options.results.exists() else {}
                write_json(options.results, {**done, name: row})
                done[name] = row
            print(told(name, done[name]), flush=True)


if __name__ == "__main__":
    main()
