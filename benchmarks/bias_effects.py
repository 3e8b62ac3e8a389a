"""What each bias does to the rate, to iconicity and to the drawings: the same agents with it and without.

    python benchmarks/bias_effects.py                   # seed 0 of all; resumes from results/bias_effects.json
    python benchmarks/bias_effects.py --seeds 3
    python benchmarks/bias_effects.py --only smooth
    python benchmarks/bias_effects.py --pages           # only writes tables and pictures into docs/biases/

The demo's pictures and games, 20 quadratic strokes, no other bias; every run has as many steps as every other. A bias
has the keys that its page shows. What is told is read from the validation split, since nothing is chosen here by which
a test could be spoilt, and nothing should be: same and another hand's picture, K = 64, and how often the judge finds a
drawing's own photo among 64. The gallery shows the first pictures of the split that have a name of their own, photo,
drawing without, drawing with, as they are hung: no hand picks.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import RESULTS, about  # noqa: E402
from _sheet import at, blank, drawing, photo  # noqa: E402
from PIL import Image  # noqa: E402

import runs  # noqa: E402
from raster import Strokes  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.evidence import bootstrap_by_pool, gather  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.probes.iconicity import iconicity  # noqa: E402
from runs.run import Run  # noqa: E402

FILE, DOCS = RESULTS / "bias_effects.json", RESULTS.parent.parent / "docs" / "biases"
STEPS, POOLS, SHOWN = 600, 8, 10
SIGMA2 = 1e-3  # of the preset's canvas
PLAIN = "no bias"
STROKES = "sender.strokes={kind: quadratic, count: 20}"
SOFT = "sender.strokes={kind: quadratic, count: 20, presence: soft}"
BASE = [
    STROKES,
    f"train.steps={STEPS}",
    f"train.validate_every={STEPS}",
    f"train.checkpoint_every={STEPS}",
    "measure={validation_pools: 1, test_pools: 2, probes_every: null}",
    "probes=[rate]",
]
#: What each is tried with: the keys that its page shows, or the defaults; and what else it cannot do without.
VARIANTS = {
    PLAIN: ["biases=[]"],
    "augment": ["biases=[{kind: augment, colour: 0.3}]"],
    "body": ["biases=[{kind: body, body: {page: {width: 100, height: 100}, pens: [{width: 2}], shortest: 3}}]"],
    "brevity": [SOFT, "biases=[{kind: brevity, free: 0.25, weight: {from: 0, to: 0.5, over: 300}}]"],
    "clip": ["biases=[{kind: clip, weight: 1.0, copies: 4, share: 0.25}]"],
    "copy": ["biases=[{kind: copy, by: laplacian, weight: 5.0}]"],
    "grip": ["biases=[{kind: grip, length: 0.8, lifts: 3}]"],
    "ink": ["biases=[{kind: ink, free: 0.1, weight: {from: 0, to: 1, over: 300}}]"],
    "inside": ["biases=[{kind: inside, margin: 0.1, weight: 1.0}]"],
    "likeness": ["biases=[{kind: likeness, weight: 4.0, levels: [1, 2, 3], weights: [0.5, 1, 1], share: 0.5}]"],
    "novelty": ["biases=[{kind: novelty, own_class: false, weight: 0.5}]"],
    "same-for-all": ["biases=[{kind: same-for-all, weight: 5.0}]"],
    "shape": ["biases=[{kind: shape, show: edges, eyes: sender}]"],
    "smooth": ["biases=[{kind: smooth, weight: 0.01}]"],
    "spread": ["biases=[{kind: spread, radius: 0.2, weight: 0.5}]"],
    "tremor": ["biases=[{kind: tremor}]"],
}
COLUMNS = {"same": "same", "artist": "another hand", "iconicity": "iconicity"}
MARK = "<!-- effect -->"


def folder(out: Path, name: str, seed: int) -> Path:
    return out / f"{name.replace(' ', '-')}-{seed}"


def measured(run: Run) -> dict[str, Any]:
    """Rates of both games and iconicity on validation, with intervals and controls."""
    found: dict[str, Any] = {}
    for part in run.game.parts:
        evidence = gather(run, part, "validation", POOLS)
        low, high = bootstrap_by_pool([play.correct for play in evidence.plays])
        found[part.label] = [round(each, 4) for each in (evidence.rate(), low, high)]
        if part.label == "same":
            icons = iconicity(evidence)
            found["iconicity"] = [round(each, 4) for each in (icons.value, icons.low, icons.high)]
            found["iconicity untrained"] = round(icons.baselines["untrained"], 4)
            found["ink"] = round(float(torch.cat([play.canvas for play in evidence.plays]).mean()), 4)
            found["n"] = icons.n
    return found


def drawn(run: Run) -> dict[int, Strokes]:
    """How the first pictures of validation's first pool are drawn, by picture."""
    (part,) = [each for each in run.game.parts if each.label == "same"]
    sketches = gather(run, part, "validation", 1).sketches
    return {int(sketches.shown[n]): sketches.strokes[n] for n in range(SHOWN)}


def gallery(name: str, plain: Run, run: Run) -> None:
    """``docs/biases/NAME.png``: photos, drawings without, drawings with."""
    before, after = drawn(plain), drawn(run)  # one seed deals both the same pools
    page = blank(SHOWN, 3)
    for column, (picture, strokes) in enumerate(before.items()):
        page.paste(photo(run.gallery.pixels[picture].cpu()), at(column, 0))
        page.paste(drawing(strokes, SIGMA2), at(column, 1))
        page.paste(drawing(after[picture], SIGMA2), at(column, 2))
    page.quantize(64, dither=Image.Dither.NONE).save(DOCS / f"{name}.png", optimize=True)


def told(rows: list[dict[str, Any]], key: str) -> str:
    """A cell: of one seed with the bootstrap's interval, of several the mean with the least and the most."""
    values = [100 * row[key][0] for row in rows]
    if len(rows) == 1:
        return "{:.1f} ({:.1f} to {:.1f})".format(*(100 * each for each in rows[0][key]))
    return f"{statistics.fmean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def section(name: str, done: dict[str, Any]) -> str:
    """What stands at the end of a bias's page."""
    pairs = [(done[f"{PLAIN}, {key}"], row) for key, row in _rows(done, name).items() if f"{PLAIN}, {key}" in done]
    without, with_it = [a for a, _ in pairs], [b for _, b in pairs]
    keys = ", ".join(f"`{each.removeprefix('biases=')}`" for each in VARIANTS[name])
    spread = "over pools, 95 %" if len(pairs) == 1 else "mean, least and most"
    lines = [
        f"{MARK}\n\n## What it does\n",
        f"| {len(pairs)} seed{'s' * (len(pairs) > 1)}, {spread} | same | another hand | iconicity | ink |",
        "|---|---|---|---|---|",
    ]
    for words, rows in (("without", without), ("with", with_it)):
        cells = " | ".join(told(rows, key) for key in COLUMNS)
        lines.append(f"| {words} | {cells} | {100 * statistics.fmean(row['ink'] for row in rows):.1f} |")
    lines.append(
        f"\n{keys}. Per cent, K = 64, chance 1.6, n = {with_it[0]['n']} games a cell and seed, unseen things by an "
        f"unseen hand (validation). The demo's pictures and games, 20 quadratic strokes, no other bias, {STEPS} steps: "
        "a short training, to compare and not to win. *Another hand*: the target is another artist's picture of the "
        "thing. *Iconicity*: the judge finds the drawing's own photo. *Ink*: mean darkness of the canvas. "
        "`python benchmarks/bias_effects.py`.\n\n"
        f"![Photos, drawings without and with {name}]({name}.png)\n\n"
        "*The first ten pictures of the first pool: photo, drawing without, drawing with. Seed 0.*\n"
    )
    return "\n".join(lines)


def _rows(done: dict[str, Any], name: str) -> dict[str, Any]:
    return {key.removeprefix(f"{name}, "): row for key, row in done.items() if key.startswith(f"{name}, seed")}


def pages(done: dict[str, Any]) -> None:
    """Put what is known of each bias at the end of its page, in the place of what stood there."""
    for name in VARIANTS:
        if name != PLAIN and _rows(done, name):
            page = DOCS / f"{name}.md"
            page.write_text(page.read_text().split(MARK)[0].rstrip() + "\n\n" + section(name, done))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", action="append", choices=list(VARIANTS))
    parser.add_argument("--pages", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("out/bias-effects"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed in range(0 if options.pages else options.seeds):
        for name in options.only or VARIANTS:
            done = json.loads(FILE.read_text()) if FILE.exists() else {}
            key = f"{name}, seed {seed}"
            if key not in done:
                config = load(Config, "demo", [*BASE, *VARIANTS[name], f"seed={seed}", "train.threads=1"]).config
                began = time.process_time()
                run = runs.launch(config, folder(options.out, name, seed), resume=True, progress=False)
                spent = time.process_time() - began
                row = measured(run) | {"cpu_seconds": round(spent, 1), "about": about()}
                if seed == 0 and name != PLAIN:
                    gallery(name, runs.load(folder(options.out, PLAIN, 0)), run)
                done[key] = row
                FILE.write_text(json.dumps(done, indent=1) + "\n")
            print(key, json.dumps({each: done[key][each] for each in COLUMNS}), flush=True)
    pages(json.loads(FILE.read_text()))


if __name__ == "__main__":
    main()
