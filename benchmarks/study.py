"""Exporting a study: the time of 500 trials, as pixels and as paths, and of a study of every kind of question.

    python benchmarks/study.py             # writes benchmarks/results/study.json

Pictures are scikit-learn's digits at 64 px, pools are 64 of them, a drawing is 20 lines anywhere; three seeds, each an
export of its own. jsPsych comes from the cache, and plays and pictures are in memory: reading a run's folder costs what
its pictures cost, once. Scoring has its own script, study_scoring.py.
"""

import random
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _cases import about, spread, write

from games.pictures import DigitPictures, load_gallery
from perception import Trunks
from raster import CanvasConfig
from runs.study import StudyConfig, export_sources
from runs.study.bundle import vendor
from runs.study.plays import Game, Pictures
from runs.study.sources import Source
from runs.study.stimuli import drawer

CANDIDATES, STROKES, POOLS = 64, 20, 120
EVERY = [{"kind": kind, "trials": 80} for kind in ("name", "pick", "class", "rate", "compare", "draw")]
STUDIES = {
    "raster": {"parts": [{"kind": "pick", "trials": 500}], "shown": "raster"},
    "vector": {"parts": [{"kind": "pick", "trials": 500}], "shown": "vector"},
    "ten lists": {"parts": [{"kind": "pick", "trials": 50}], "lists": 10},
    "every kind": {"parts": EVERY},
}


def source(seed: int, shown: str) -> Source:
    """A run's plays, made up: games of one target on pools of digits."""
    gallery = load_gallery(DigitPictures(size=64), Trunks(torch.device("cpu")))
    label = tuple(gallery.label.tolist())
    pictures = Pictures(tuple(f"{digit}/{n}" for n, digit in enumerate(label)), tuple(gallery.classes), label, "digits")
    chance, points = random.Random(seed), np.random.default_rng(seed)
    games = []
    for _ in range(POOLS):
        pool = tuple(chance.sample(range(len(label)), CANDIDATES))
        for target in range(CANDIDATES):
            scores = tuple(round(chance.gauss(0, 3), 3) for _ in pool)
            strokes = points.uniform(-1, 1, (STROKES, 2, 2)).round(4).tolist()
            games.append(Game("same", "test", 1, "0", "0", pool, target, pool[target], scores, {"strokes": strokes}))
    draw = drawer(CanvasConfig(size=64), "vector" if shown == "vector" else "raster")
    return Source("made-up", games, "same", pictures, gallery.pixels.permute(0, 2, 3, 1).numpy(), draw, 64)


def seconds(name: str, seed: int) -> tuple[float, int, int]:
    """Seconds of one export, the trials in all lists, and the files."""
    config = StudyConfig.model_validate({**STUDIES[name], "seed": seed})
    run, parts = source(seed, config.shown), vendor(None)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        made = export_sources([run], config, Path(folder) / "study", consent="Consent.", parts=parts)
        spent = time.perf_counter() - began
        files = sum(path.is_file() for path in made.path.rglob("*"))
    return spent, made.trials * made.lists, files


def main() -> None:
    torch.set_num_threads(1)
    seconds("raster", 0)  # kernels are compiled at first use, and libraries imported
    found = {}
    for name in STUDIES:
        runs = [seconds(name, seed) for seed in range(3)]
        found[name] = {"seconds": spread([each[0] for each in runs]), "trials": runs[0][1], "files": runs[0][2]}
        print(name, found[name])
    write("study.json", {"about": about(), "export": found})


if __name__ == "__main__":
    main()
