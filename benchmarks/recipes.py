"""How the demo's recipe was chosen: variants of it, trained equally long and compared on the validation split.

    python benchmarks/recipes.py                 # all variants, seed 0; resumes from benchmarks/results/recipes.json
    python benchmarks/recipes.py --only "one hand" --seeds 3

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
from torchvision.utils import save_image  # noqa: E402

from games import Play  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.evidence import bootstrap_by_pool, gather  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.probes.iconicity import iconicity  # noqa: E402
from runs.run import assemble  # noqa: E402
from runs.train import Learner  # noqa: E402

LAST = 100  # steps whose rates in training are noted
RESULTS = Path(__file__).parent / "results" / "recipes.json"
TREMOR = "{kind: tremor}"
HALF_TREMOR = "{kind: tremor, turn: 0.06, scale: 0.05, shift: 0.04, jitter: 0.0075}"
EYE = "trunk: {kind: timm, name: packaged}"
BEFORE = [  # what the trials started from, key by key, so that the rows keep their meaning when the preset changes
    "pictures.views=4",
    "game.of=[{kind: referential, view: same}, {kind: referential, view: artist}]",
    "canvas={size: 64, sigma2: 1e-3}",
    f"sender={{{EYE}, levels: [3], pixels: true, dropout: 0.5, strokes: {{kind: line, count: 48}}}}",
    f"receiver={{{EYE}, levels: [3], reader: {{kind: convnet}}, dropout: 0.5}}",
    f"biases=[{{kind: likeness, weight: 4.0, share: 0.5, levels: [1, 2, 3]}}, {TREMOR}]",
    "train={games: 64, lr: 1e-3, flat: 0.1, weight_decay: 0.1}",
]
ONE_HAND = "game.of.0.hands=one"
LEAN = [  # what makes a step cheaper: narrower convnets, a smaller picture for the likeness
    ONE_HAND,
    "game.turns=[2, 1]",
    "receiver.pixels=true",
    "biases.0.weight=2.0",
    "biases.0.trunk={kind: timm, name: packaged, size: 48}",
    "sender.pixel_channels=[24, 48, 64]",
    "receiver.pixel_channels=[24, 48, 64]",
    "receiver.reader.channels=[24, 48, 64]",
    "pictures.views=2",
]
VARIANTS = {
    "before": [],
    "without likeness": [f"biases=[{TREMOR}]"],
    "without copies": ["pictures.views=1"],
    "one hand": [ONE_HAND],
    "receiver pixels": ["receiver.pixels=true"],
    "one hand, likeness 2": [ONE_HAND, "biases.0.weight=2.0"],
    "one hand, likeness on a quarter": [ONE_HAND, "biases.0.share=0.25"],
    "one hand, likeness on all": [ONE_HAND, "biases.0.share=1.0"],
    "one hand, receiver pixels": [ONE_HAND, "receiver.pixels=true"],
    "one hand, receiver pixels, likeness 2": [ONE_HAND, "receiver.pixels=true", "biases.0.weight=2.0"],
    "one hand, likeness 1": [ONE_HAND, "biases.0.weight=1.0"],
    "one hand, receiver pixels, likeness falls from 2 to 0.5": [
        ONE_HAND,
        "receiver.pixels=true",
        "biases.0.weight={from: 2.0, to: 0.5, over: 1400, start: 1400}",
    ],
    "one hand, receiver pixels, likeness 2, same twice": [
        ONE_HAND,
        "game.turns=[2, 1]",
        "receiver.pixels=true",
        "biases.0.weight=2.0",
    ],
    "one hand, receiver pixels, likeness 2 at 48 pixels, same twice, narrow, two views": LEAN,
    "one hand, half the tremor": [ONE_HAND, f"biases.1={HALF_TREMOR}"],
    "one hand, receiver levels 2 and 3": [ONE_HAND, "receiver.levels=[2, 3]"],
}


def measure(config: Config, pools: int, sheet: Path | None = None) -> dict[str, Any]:
    """Train and look at the validation split: rates with intervals, iconicity, CPU seconds; a sheet of drawings."""
    with tempfile.TemporaryDirectory() as folder:
        run = assemble(config, Path(folder), torch.device("cpu"))
    learner = Learner(run)
    began = time.process_time()
    while run.step < config.train.steps:
        if config.train.steps - run.step == LAST:
            learner.flush()
        learner.step()
    row: dict[str, Any] = {"steps": run.step, "cpu_seconds": round(time.process_time() - began, 1)}
    means = learner.flush()
    row |= {f"train: {part.label}": round(means.get(f"rate/{part.label}", means["rate"]), 4) for part in run.game.parts}
    for split in ("validation", "validation/unseen-artist", "validation/unseen-class"):
        for part in run.game.parts:
            evidence = gather(run, part, split, pools)
            low, high = bootstrap_by_pool([play.correct for play in evidence.plays])
            row[f"{split}: {part.label}"] = [round(x, 4) for x in (evidence.rate(), low, high)]
    if sheet is not None:
        draw_sheet(gather(run, run.game.parts[-1], "validation", 1).plays[0], sheet)
    found = iconicity(gather(run, run.game.parts[0], "validation", pools))
    row["iconicity"] = [round(x, 4) for x in (found.value, found.low, found.high)]
    row["iconicity untrained"] = round(found.baselines["untrained"], 4)
    row["games"] = found.n
    return row


def draw_sheet(play: Play, path: Path) -> None:
    """64 games of a play, eight pairs of photo and drawing a row."""
    photos = play.photo.pixels()  # [B, 3, H, W]
    paper = (1 - play.canvas)[:, None].expand(-1, 3, -1, -1)
    pairs = torch.nn.functional.interpolate(torch.stack([photos, paper], 1)[:64].flatten(0, 1), (96, 96))
    save_image(pairs, path, nrow=16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--pools", type=int, default=8)
    parser.add_argument("--sheets", type=Path, help="a folder for one picture a run: photos and drawings")
    parser.add_argument("--only", action="append", choices=list(VARIANTS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed in range(options.seeds):
        for name in options.only or VARIANTS:
            done = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            key = f"{name}, {options.steps} steps, seed {seed}"
            if key not in done:
                sets = [*BEFORE, *VARIANTS[name], f"seed={seed}", f"train.steps={options.steps}"]
                sheet = options.sheets and options.sheets / f"{key}.png"
                row = measure(load(Config, "demo", sets).config, options.pools, sheet)
                done = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
                done[key] = row
                RESULTS.write_text(json.dumps(done, indent=2) + "\n")
            print(key, json.dumps(done[key]))


if __name__ == "__main__":
    main()
