"""The table of Learning to Draw on a laptop: three games, with and without the perceptual loss, over several seeds.

    python benchmarks/learning_to_draw.py --cifar10 DIR      # resumes from benchmarks/results/learning_to_draw.json
    python benchmarks/learning_to_draw.py --only emoji --seeds 2
    python benchmarks/learning_to_draw.py --table            # writes docs/results.md from what is there

DIR is where torchvision has (or downloads) CIFAR-10, or a folder with a sub-folder of pictures a class; what was used
is noted with each run. Each run is the preset of that name, one thread, its test split read once, at its end.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import about  # noqa: E402
from torchvision.utils import save_image  # noqa: E402

from raster import on_paper  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.evidence import gather  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.probes.iconicity import iconicity  # noqa: E402
from runs.probes.rate import rate  # noqa: E402
from runs.run import Run, assemble  # noqa: E402
from runs.spread import over_seeds  # noqa: E402
from runs.summary import row  # noqa: E402
from runs.train import Learner  # noqa: E402

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "learning_to_draw.json"
PAGE = HERE.parent / "docs" / "results.md"
PICTURES = ("cifar10", "emoji")
GAMES = ("original", "oo-same", "oo-different")
LOSSES = ("", "-perceptual")
MARK = "<!-- tables -->"
"""What stands before it in the page is written by hand."""
#: Communication rates of the submission, STL-10, 96 px, single runs: (game alone, with the perceptual loss).
PAPER = {"original": (69.0, 66.0), "oo-same": (96.3, 93.0), "oo-different": (87.0, 86.3)}
CONTROLS = ("chance", "blank", "shuffled", "untrained", "ceiling")


def measure(config: Config, sheet: Path | None) -> dict[str, Any]:
    """Train, then read the test split: the rate with its controls, and iconicity."""
    with tempfile.TemporaryDirectory() as folder:
        run = assemble(config, Path(folder), torch.device("cpu"))
    learner = Learner(run)
    began = time.process_time()
    while run.step < config.train.steps:
        learner.step()
    spent = time.process_time() - began
    evidence = gather(run, run.game.parts[0], "test", config.measure.test_pools)
    icons = iconicity(evidence)
    if sheet is not None:
        play = evidence.plays[0]
        pairs = torch.stack([play.photo.pixels()[:32], on_paper(play.canvas[:32])], 1).flatten(0, 1)
        save_image(pairs, sheet, nrow=16)
    return {
        **row(rate(evidence)),
        "iconicity": icons.value,
        "iconicity_low": icons.low,
        "iconicity_high": icons.high,
        "iconicity_untrained": icons.baselines["untrained"],
        "iconicity_chance": icons.chance,
        "steps": run.step,
        "cpu_seconds": round(spent, 1),
        "pictures": f"{_source(run)}, {len(run.gallery.label)} pictures",
    }


def _source(run: Run) -> str:
    """What was shown, in words that name no folder of whoever ran it."""
    folder = run.config.pictures.kind == "folder"
    return "a part of CIFAR-10, from a folder of files" if folder else run.gallery.source


def pictures(name: str, cifar10: Path | None) -> list[str]:
    """What is to be changed in the preset so that it finds CIFAR-10."""
    if name != "cifar10" or cifar10 is None:
        return []
    if any((cifar10 / each).is_dir() for each in ("airplane", "plane")):
        split = "{by: [picture], validation: 0.05, test: 0.2}"
        return [f"pictures={{kind: folder, path: {json.dumps(str(cifar10))}, size: 64, split: {split}}}"]
    return [f"pictures.data_root={json.dumps(str(cifar10))}", "pictures.download=true"]


def page(done: dict[str, Any]) -> str:
    """The tables of ``docs/results.md``, one for each set of pictures, and what each says beside the paper's."""
    parts = [_MADE.format(**done["about"]) + "\n"]
    for name in PICTURES:
        found = {
            (game, loss): [done["runs"][key] for key in sorted(done["runs"]) if _is(key, f"{name}-{game}{loss}")]
            for game in GAMES
            for loss in LOSSES
        }
        if not all(found.values()):
            continue
        parts.append(_table(name, found))
        parts.append(_said(found))
    return "\n".join(parts)


def _is(key: str, preset: str) -> bool:
    return key.rpartition(", seed ")[0] == preset


def interval(runs: list[dict[str, Any]], key: str) -> tuple[float, float, float]:
    """Mean over seeds and its 95 % interval (Student's t over seeds), in percent."""
    return over_seeds([100 * run[key] for run in runs])


def _table(name: str, found: dict[tuple[str, str], list[dict[str, Any]]]) -> str:
    first = next(iter(found.values()))
    lines = [
        f"## {name}\n",
        f"{first[0]['pictures']}; {len(first)} seeds, {first[0]['n']} games of the test a seed.\n",
        "| game | loss | rate, % (95 % over seeds) | " + " | ".join(CONTROLS) + " | iconicity, % | paper, STL-10 |",
        "|---|---|---|" + "---|" * (len(CONTROLS) + 2),
    ]
    for (game, loss), runs in found.items():
        mean, low, high = interval(runs, "rate")
        icon = interval(runs, "iconicity")
        controls = " | ".join(f"{100 * statistics.fmean(run[each] for run in runs):.1f}" for each in CONTROLS)
        words = "game + perceptual" if loss else "game"
        lines.append(
            f"| {game} | {words} | **{mean:.1f}** ({low:.1f} to {high:.1f}) | {controls} | "
            f"{icon[0]:.1f} ({icon[1]:.1f} to {icon[2]:.1f}) | {PAPER[game][bool(loss)]:.1f} |"
        )
    seconds = [run["cpu_seconds"] for runs in found.values() for run in runs]
    lines.append(f"\nCPU seconds a run: {statistics.median(seconds):.0f} ({min(seconds):.0f} to {max(seconds):.0f}).\n")
    return "\n".join(lines)


def _said(found: dict[tuple[str, str], list[dict[str, Any]]]) -> str:
    """Where the direction agrees with the paper's and where it does not, in words made from the numbers."""
    lines = []
    for low, high in (("original", "oo-different"), ("oo-different", "oo-same")):
        for loss in LOSSES:
            pairs = list(zip(found[low, loss], found[high, loss], strict=False))
            gaps = [100 * (b["rate"] - a["rate"]) for a, b in pairs]
            verdict = "agrees" if min(gaps) > 0 else "does not agree" if max(gaps) < 0 else "differs from seed to seed"
            words = "with the perceptual loss" if loss else "with the game alone"
            gap = f"{statistics.fmean(gaps):+.1f} points ({min(gaps):+.1f} to {max(gaps):+.1f} over {len(gaps)} seeds)"
            lines.append(f"- {low} < {high}, {words}: **{verdict}**, {gap}.")
    for game in GAMES:
        plain, seen = found[game, ""], found[game, "-perceptual"]
        price = statistics.fmean(100 * (b["rate"] - a["rate"]) for a, b in zip(plain, seen, strict=False))
        before, after = (statistics.fmean(100 * run["iconicity"] for run in runs) for runs in (plain, seen))
        times = f", {after / before:.1f} times" if before > 0 else ""
        lines.append(
            f"- the perceptual loss, {game}: {price:+.1f} points of rate, "
            f"iconicity from {before:.1f} to {after:.1f} %{times}."
        )
    return "\n".join(lines) + "\n"


_MADE = """{machine}, {cores} cores, one thread a run, torch {torch}."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar10", type=Path, help="torchvision's data root, or a folder of class folders")
    parser.add_argument("--only", choices=PICTURES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sheets", type=Path, help="a folder for one picture a run: photos and drawings")
    parser.add_argument("--table", action="store_true", help="only write docs/results.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    done: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"about": about(), "runs": {}}
    for seed in range(0 if options.table else options.seeds):
        for name in (options.only,) if options.only else PICTURES:
            for preset in (f"{name}-{game}{loss}" for game in GAMES for loss in LOSSES):
                key = f"{preset}, seed {seed}"
                if key not in done["runs"]:
                    sets = [*pictures(name, options.cifar10), f"seed={seed}", "train.threads=1"]
                    sheet = options.sheets and options.sheets / f"{key}.png"
                    done["runs"][key] = measure(load(Config, f"learning-to-draw/{preset}", sets).config, sheet)
                    RESULTS.write_text(json.dumps(done, indent=1) + "\n")
                found = done["runs"][key]
                print(f"{key}: rate {found['rate']:.3f}, iconicity {found['iconicity']:.3f}", flush=True)
    PAGE.write_text(PAGE.read_text().split(MARK)[0] + MARK + "\n\n" + page(done))


if __name__ == "__main__":
    main()
