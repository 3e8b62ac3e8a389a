"""Tracing MNIST: what each head reaches in a number of CPU minutes, read by a classifier that never saw a trace.

    python benchmarks/tracing.py                                   # every head, seed 0; ten minutes each
    python benchmarks/tracing.py --heads lines --minutes 2 --set game.loss=bce      # trying a recipe
    python benchmarks/tracing.py --sheet docs/tracing.png          # pictures beside the traces of finished runs

The pictures are mnist_5k.npz of the folder that LASCAUX_DATA names: 5,000 digits, of which the last 100 of each
are the test; a tenth of the others is for validation. The presets `tracing/HEAD` on one thread, but for the pictures
and the steps: how many there is time for is found by timing some first, so that a whole run (measuring included) takes
about so many minutes of CPU. Every run lies under out/tracing and goes on where it was stopped; its figures are
written to the results file as soon as it is done, under a name that says what it was, and it is not run again.
The figure that is asked for: the classifier reads the traces at 90 % of its rate on the pictures or better.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _budget import affordable, one, spent  # noqa: E402

import runs  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.tracing import sheet, trace_split  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "tracing.json"
OUT = Path("out") / "tracing"
HEADS = ("lines", "polyline", "catmull-rom", "beziers", "connected", "recurrent")
TIMED = 40
"""Steps that are timed to find how many there is time for."""
KEYS = (
    "mse",
    "mse_low",
    "mse_high",
    "bce",
    "bce_low",
    "bce_high",
    "ink",
    "ink_of_pictures",
    "strokes",
    "controls",
    "n",
)


def config(head: str, seed: int, steps: int, sets: list[str]) -> Config:
    """The preset with MNIST's digits; the schedule of its ink takes the same part of the steps."""
    path = Path(os.environ["LASCAUX_DATA"]) / "mnist_5k.npz"
    pictures = f"{{kind: npz, path: '{path}', size: 28, negative: true, views: 8, "
    pictures += "split: {by: [picture], validation: 0.1}}"
    preset = load(Config, f"tracing/{head}").config
    part = preset.canvas.sigma2.over / preset.train.steps
    own = [f"pictures={pictures}", f"seed={seed}", f"train.steps={steps}", "train.threads=1"]
    own += [f"canvas.sigma2.over={max(1, round(part * steps))}", f"train.validate_every={max(1, steps // 5)}"]
    own += [f"train.checkpoint_every={max(1, steps // 5)}", f"train.journal_every={steps}", f"train.log_every={50}"]
    return load(Config, f"tracing/{head}", [*own, *sets]).config


def kept(summary: dict[str, Any]) -> dict[str, Any]:
    """What a row has of the summary of a test."""
    return {key: summary[key] for key in (*KEYS, "readable")}


def told(name: str, row: dict[str, Any]) -> str:
    test, read = row["test"], row["test"]["readable"]
    return (
        f"{name}: {row['steps']} steps, {spent(row)}; mse {test['mse']:.4f}, bce {test['bce']:.3f}; "
        f"read {100 * read['rate']:.1f} %, pictures {100 * read['pictures']:.1f} %: {100 * read['of_pictures']:.1f} % "
        f"({100 * read['of_pictures_low']:.1f} to {100 * read['of_pictures_high']:.1f}), n = {test['n']}"
    )


def side_by_side(path: Path, folders: list[Path]) -> None:
    """A sheet of test digits, one of each, and their traces by the runs in these folders."""
    opened = [runs.load(folder) for folder in folders]
    first = opened[0]
    traces = trace_split(first, "test")
    chosen = torch.stack([traces.index[traces.label == label][0] for label in traces.label.unique()])
    sheet(opened, list(first.gallery.pixels[chosen].permute(0, 2, 3, 1).numpy()), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", nargs="+", default=HEADS, choices=HEADS)
    parser.add_argument("--minutes", type=float, default=10.0, help="CPU minutes of a run")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="a key of the config, as for lascaux run")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--sheet", type=Path, help="only write a sheet of the runs that are done")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folders = []
    for seed in range(options.seeds):
        for head in options.heads:
            name = ", ".join([head, f"{options.minutes:g} minutes", *options.set, f"seed {seed}"])
            folder = OUT / "".join(each if each.isalnum() else "-" for each in name)
            if options.sheet is not None:
                folders += [folder] if (folder / "summary.json").exists() else []
                continue
            done = json.loads(options.results.read_text()) if options.results.exists() else {}
            if name not in done:
                if (folder / "config.yaml").exists():  # begun before: as many steps as then
                    steps = load(Config, folder / "config.yaml", []).config.train.steps
                else:
                    steps = affordable(config(head, seed, 1000, options.set), options.minutes, TIMED)
                row = one(config(head, seed, steps, options.set), folder, kept)
                done = json.loads(options.results.read_text()) if options.results.exists() else {}
                done[name] = row
                options.results.write_text(json.dumps(done, indent=1) + "\n")
            print(told(name, done[name]), flush=True)
    if options.sheet is not None:
        side_by_side(options.sheet, folders)


if __name__ == "__main__":
    main()
