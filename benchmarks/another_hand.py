"""Does a drawing say what a thing is to someone who has another artist's picture of it? The preset `another-hand`.

    python benchmarks/another_hand.py                # seed 0; resumes from results/another_hand.json
    python benchmarks/another_hand.py --seeds 3
    python benchmarks/another_hand.py --only "a tenth kept for validation"
    python benchmarks/another_hand.py --trials       # how the recipe was chosen; resumes from its own results file

Each run reads the test once, at its end: K = 64, the sender's picture by an artist that no agent has seen, of things of
training (``test/unseen-artist``) and of things that are new too (``test``); the candidates are by any other hand.
CPU seconds are of learning and measuring; working out the trunk's features, once for all runs, is noted with the
run that had to.

The trials are read on the demo's validation split alone (another artist, other things), 8 pools, seed 0, one thread.
"""

import argparse
import json
import time
from pathlib import Path

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import RESULTS, about  # noqa: E402
from _finished import finished  # noqa: E402
from _sheet import at, blank, drawing, photo  # noqa: E402
from PIL import Image  # noqa: E402
from recipes import measure  # noqa: E402

import runs  # noqa: E402
from games import Referential  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.evidence import gather  # noqa: E402
from runs.loading import load  # noqa: E402

FILE, SHEET = RESULTS / "another_hand.json", RESULTS.parent.parent / "docs" / "another-hand.png"
TRIED = RESULTS / "another-hand-trials.json"
SHOWN = 12
KEPT_BACK = "{by: [class, artist], validation: 0.1, test: 0.15, artists: {validation: [openmoji], test: [twemoji]}}"
VARIANTS = {
    "another-hand": [],
    "a tenth kept for validation": [f"pictures.split={KEPT_BACK}"],
}

GAME = "{kind: referential, view: artist, candidates: 64}"
SAME = "{kind: referential, view: same, candidates: 64, hands: one}"
READER = "reader: {kind: convnet, channels: [24, 48, 64]}"


def agents(
    strokes: str, dropout: float = 0.5, eye: str = "size: 160", levels: str = "[4]", more: str = READER
) -> list[str]:
    """The two agents of a trial: what they see, and what the hand can do."""
    sees = f"trunk: {{kind: timm, name: packaged, {eye}}}, levels: {levels}, dropout: {dropout}"
    return [f"sender={{{sees}, strokes: {{kind: line, {strokes}}}}}", f"receiver={{{sees}, {more}}}"]


LINES = "count: 48"
INKED = "count: 48, opacity: true, width: {low: 0.08, high: 0.5}"
PAINTED = "count: 48, colour: true, opacity: true, width: "
LIKENESS = (
    "{kind: likeness, weight: 0.5, share: 0.25, levels: [1, 2, 3], trunk: {kind: timm, name: packaged, size: 48}}"
)
TREMOR, STRONG = "{kind: tremor}", "{kind: tremor, turn: 0.25, scale: 0.2, shift: 0.15, jitter: 0.04}"
BOTH = f"game={{kind: mixture, turns: [1, 1], of: [{SAME}, {GAME}]}}"
#: Steps, and what is set on top of the demo's pictures, the one game, and no bias.
TRIALS: dict[str, tuple[int, list[str]]] = {
    "thin lines, tremor, features of 128 pixels": (
        3000,
        [*agents(LINES, eye="size: 128", levels="[3, 4]"), f"biases=[{TREMOR}]"],
    ),
    "thin lines, tremor": (2000, [*agents(LINES), f"biases=[{TREMOR}]"]),
    "thin lines, tremor, more dropout": (2000, [*agents(LINES, 0.75), f"biases=[{TREMOR}]", "train.weight_decay=0.3"]),
    "thin lines, tremor, likeness": (2000, [*agents(LINES), f"biases=[{TREMOR}, {LIKENESS}]"]),
    "thin lines, strong tremor": (2000, [*agents(LINES), f"biases=[{STRONG}]"]),
    "thin lines, tremor, *same* in turn": (3000, [*agents(LINES), f"biases=[{TREMOR}]", BOTH]),
    "thin lines": (2000, agents(LINES)),
    "wide lines": (2000, [*agents(LINES), "canvas={size: 64, sigma2: 5e-3}"]),
    "colour, opacity, width": (2000, agents(PAINTED + "{low: 0.03, high: 0.3}")),
    "colour, opacity, more width": (2000, agents(PAINTED + "{low: 0.08, high: 0.5}")),
    "opacity, width": (2000, agents(INKED)),
    "opacity, width, four views, more dropout": (3000, [*agents(INKED, 0.7), "pictures.views=4"]),
    "opacity, width, *same* in turn": (3000, [*agents(INKED), BOTH]),
    "colour, opacity, width, 80 strokes, wider reader, *same* in turn": (
        2500,
        [
            *agents(
                "count: 80, colour: true, opacity: true, width: {low: 0.08, high: 0.5}",
                more="hidden: 512, reader: {kind: convnet, channels: [32, 64, 96]}",
            ),
            BOTH,
        ],
    ),
    "opacity, width, *same* every third, more dropout": (
        5000,
        [
            *agents(INKED, 0.7),
            f"game={{kind: mixture, turns: [1, 2], of: [{SAME}, {GAME}]}}",
            "train.weight_decay=0.3",
        ],
    ),
}
COMMON = [
    f"game={GAME}",
    "biases=[]",
    "canvas={size: 64, sigma2: 1e-3}",
    "train={games: 64, lr: 1e-3, flat: 0.1, weight_decay: 0.1}",
]


def sheet(folder: Path) -> None:
    """The first games of the test's first pool: the sender's picture, its drawing, and what the receiver took."""
    run = runs.load(folder)
    part = next(each for each in run.game.parts if isinstance(each, Referential) and each.label == "artist")
    evidence = gather(run, part, "test", 1)
    (play,) = evidence.plays
    page = blank(SHOWN, 3)
    candidates = play.round.pool[play.round.pool_of].gather(1, play.choice[:, None])[:, 0]
    for column in range(SHOWN):
        page.paste(photo(run.gallery.pixels[int(play.round.shown[column])].cpu()), at(column, 0))
        page.paste(drawing(evidence.sketches.strokes[column], 1e-3), at(column, 1))
        page.paste(photo(run.gallery.pixels[int(candidates[column])].cpu()), at(column, 2))
    page.quantize(128, dither=Image.Dither.NONE).save(SHEET, optimize=True)


def trials() -> None:
    """Every trial that is not in the file yet."""
    torch.set_num_threads(1)
    for name, (steps, sets) in TRIALS.items():
        done = json.loads(TRIED.read_text()) if TRIED.exists() else {}
        if name not in done:
            config = load(Config, "demo", [*COMMON, *sets, f"train.steps={steps}"]).config
            done[name] = measure(config, 8) | {"about": about()}
            TRIED.write_text(json.dumps(done, indent=1) + "\n")
        print(name, json.dumps(done[name]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", action="append", choices=list(VARIANTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/another-hand"))
    parser.add_argument("--trials", action="store_true", help="only the trials of recipes")
    options = parser.parse_args()
    if options.trials:
        trials()
        return
    torch.set_num_threads(options.threads)
    for seed in range(options.seeds):
        for name in options.only or VARIANTS:
            done = json.loads(FILE.read_text()) if FILE.exists() else {}
            key, folder = f"{name}, seed {seed}", options.out / f"{name.replace(' ', '-')}-{seed}"
            if key not in done:
                sets = [*VARIANTS[name], f"seed={seed}", f"train.threads={options.threads}"]
                began = time.process_time()
                row = finished(load(Config, "another-hand", sets).config, folder)
                row |= {"cpu_seconds": round(time.process_time() - began, 1), "about": about()}
                done = json.loads(FILE.read_text()) if FILE.exists() else {}
                done[key] = row
                FILE.write_text(json.dumps(done, indent=1) + "\n")
                if key == f"{next(iter(VARIANTS))}, seed 0":
                    sheet(folder)
            print(key, {k: v["rate"] for k, v in done[key].items() if k.startswith("test")}, flush=True)


if __name__ == "__main__":
    main()
