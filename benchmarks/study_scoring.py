"""Scoring a study with every statistic: 200 participants of 60 trials, read, counted, and written with the report.

    python benchmarks/study_scoring.py             # writes benchmarks/results/study-scoring.json

The participants are simulated: each has a skill, each drawing is more or less readable, some cannot tell. Two
conditions of three runs each, four lists, 40 classes; a participant picks 20 pictures and 10 classes, writes 10 names,
rates 10 drawings and chooses 10 times between two. Three seeds, a fresh process each, so that imports count as they do
for a user. What is asked for: less than 30 seconds.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _cases import about, spread, write

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.runs.study.rooms import Maker, Room

PEOPLE, LISTS = 200, 4
EACH = {"pick": 20, "class": 10, "name": 10, "rate": 10, "compare": 10}
WORDS = ("blob", "thing", "a face", "house", "some lines")


def room(folder: Path, seed: int) -> Room:
    """The study, its trials dealt to the lists in turn."""
    classes = [f"class {chr(97 + number % 26)}{number // 26} of things" for number in range(40)]
    maker = Maker(classes, ("game only", "likeness"), choices=20, lists=LISTS, seed=seed)
    for kind, many in EACH.items():
        for number in range(many * LISTS):
            condition = number // LISTS % 2
            own = {} if kind == "compare" else {"run": f"run-{condition}{number % 3}", "strokes": 5 + number % 4}
            maker.add(kind, number * 7 % 40, condition, **own)
    for number in range(2):
        maker.add("catch", number)
    return maker.room(folder)


def person(made: Room, number: int, seed: int):
    """Answers of one simulated participant."""
    rng = np.random.default_rng([seed, number])
    skill, careful = rng.normal(0.3, 0.8), rng.random() < 0.95

    def answer(id: str, target: int | None, many: int):
        kind, name = made.data["trials"][id]["kind"], made.key[id]["class"]
        easy = np.random.default_rng(int(id[1:])).normal(0, 1)
        right = rng.random() < 1 / (1 + np.exp(-skill - easy))
        if kind == "catch":
            return target if careful else (target + 1) % many
        if rng.random() < 0.08:
            return None
        if kind == "name":
            return name if right else str(rng.choice([*WORDS, name[:-1] + "z"]))
        if kind == "rate":
            return int(np.clip(round(3 + easy + rng.normal()), 0, many - 1))
        if kind == "compare":
            return int(rng.random() < 0.6)
        return target if right else int(rng.integers(many))

    return answer


def main() -> None:
    rows = []
    for seed in range(3):
        with tempfile.TemporaryDirectory() as folder:
            made = room(Path(folder), seed)
            answers = Path(folder) / "answers"
            answers.mkdir()
            for number in range(PEOPLE):
                sat = made.rows(f"p{number}", person(made, number, seed), number % LISTS + 1)
                (answers / f"{number:03}.json").write_text(json.dumps(sat, indent=1))
            began = time.perf_counter()
            command = [sys.executable, "-m", "runs.cli", "study", "score", str(made.study.path), str(answers)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            took = time.perf_counter() - began
            summary = json.loads((Path(folder) / "study-scores" / "summary.json").read_text())
            assert summary["everyone"]["participants"] == PEOPLE
            assert not summary["refused"]
            rows.append({"seed": seed, "seconds": round(took, 2)})
            print(rows[-1], flush=True)
    seconds = [row["seconds"] for row in rows]
    figures = {"participants": PEOPLE, "trials": sum(EACH.values()), "seconds": spread(seconds), "runs": rows}
    write("study-scoring.json", {"about": about()} | figures)


if __name__ == "__main__":
    main()
