"""Are the drawings legible to an eye that nothing trained against? The demo's game with few strokes, with and without
biases towards what can be read.

    python benchmarks/legibility.py                  # seed 0 of both; resumes from results/legibility.json
    python benchmarks/legibility.py --seeds 3

Agents see emoji and draw 32 lines; ``game only`` keeps the demo's tremor and nothing else, ``legible`` adds likeness on
every drawing. Each trains for as many steps as fit about ten minutes on two cores, by steps that are the same for
both. What is told is read from the test split, once, when a run ends: how often the judge finds a drawing's own photo
among 64 unseen ones, beside the rates of the games. The sheet of seed 0 shows drawings by a rule: of each test pool of
*same* the drawings are ranked by how far the judge's likeness to their own photo is above that to the likest other;
the best twelve and the worst twelve of all are shown.
"""

import argparse
import json
from pathlib import Path

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import RESULTS, about  # noqa: E402
from _finished import finished  # noqa: E402
from _sheet import at, blank, drawing, photo  # noqa: E402

import runs  # noqa: E402
from games import Referential  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.evidence import gather  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.probes.iconicity import likeness  # noqa: E402

FILE, SHEET = RESULTS / "legibility.json", RESULTS.parent.parent / "docs" / "legibility.png"
SHOWN = 12
STEPS = 2000
COMMON = ["sender.strokes={kind: line, count: 32}", f"train.steps={STEPS}", "probes=[rate, iconicity]"]
VARIANTS = {
    "game only": ["biases=[{kind: tremor}]"],
    "the demo's biases": [],
    "legible": ["biases.0.share=1.0", "biases.0.weight=4.0"],
}


def sheet(folder: Path) -> None:
    """The best and the worst drawings of a run, by the judge."""
    run = runs.load(folder)
    part = next(each for each in run.game.parts if isinstance(each, Referential) and each.label == "same")
    evidence = gather(run, part, "test", run.config.measure.test_pools)
    sketches = evidence.sketches
    above = []
    drawn, photos = sketches.by_pool(sketches.looks("drawings").places), sketches.by_pool(sketches.photos.places)
    for pool, seen in zip(drawn, photos, strict=True):
        found = likeness(pool, seen)
        others = found.masked_fill(torch.eye(len(found), dtype=torch.bool), -torch.inf)
        above.append(found.diagonal() - others.amax(dim=1))
    order = torch.cat(above).argsort(descending=True).tolist()
    first: dict[int, int] = {}  # of each picture its best drawing, or from the back its worst
    best = [first.setdefault(int(sketches.shown[n]), n) for n in order]
    last: dict[int, int] = {}
    worst = [last.setdefault(int(sketches.shown[n]), n) for n in reversed(order)]
    page = blank(SHOWN, 4)
    for row, chosen in ((0, list(dict.fromkeys(best))[:SHOWN]), (2, list(dict.fromkeys(worst))[:SHOWN])):
        for column, n in enumerate(chosen):
            page.paste(photo(run.gallery.pixels[int(sketches.shown[n])].cpu()), at(column, row))
            page.paste(drawing(sketches.strokes[n], 1e-3), at(column, row + 1))
    page.save(SHEET, optimize=True)
    print(SHEET)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", action="append", choices=list(VARIANTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/legibility"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for seed in range(options.seeds):
        for name in options.only or VARIANTS:
            done = json.loads(FILE.read_text()) if FILE.exists() else {}
            key, folder = f"{name}, seed {seed}", options.out / f"{name.replace(' ', '-').replace(chr(39), '')}-{seed}"
            if key not in done:
                config = load(Config, "demo", [*COMMON, *VARIANTS[name], f"seed={seed}"]).config
                row = {**finished(config, folder), "about": about()}
                done = json.loads(FILE.read_text()) if FILE.exists() else {}
                done[key] = row
                FILE.write_text(json.dumps(done, indent=1) + "\n")
                if key == "legible, seed 0":
                    sheet(folder)
            print(key, {k: v for k, v in done[key].items() if k.startswith("test: ")}, flush=True)


if __name__ == "__main__":
    main()
