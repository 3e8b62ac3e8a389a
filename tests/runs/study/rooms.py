"""Studies and people's answers as data, without an export: for what is scored, and how fast."""

import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from runs.study import score
from runs.study.files import read_table, table
from runs.study.key import KEY_COLUMNS
from runs.study.layout import FORMAT, study_id

QUIET = "A participant who misses at least one of the attention checks is left out."
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><path d="M8 {y} L56 {z}" stroke="black"/></svg>'
ASKED = ("pick", "catch", "class", "name", "rate", "compare", "draw")


def checksum(rows: Sequence[dict[str, Any]]) -> str:
    """CRC-32 of the answers, as the page's script makes it."""

    def cell(value: Any) -> str:
        if value is None:
            return ""
        return json.dumps(value, separators=(",", ":")) if isinstance(value, list) else str(value)

    lines = ["|".join(str(rows[0][key]) for key in ("study", "participant", "list"))]
    lines += [
        "|".join(cell(row[key]) for key in ("kind", "trial", "position", "response", "choice", "rt"))
        for row in rows
        if row["kind"] in ASKED
    ]
    return f"{zlib.crc32(chr(10).join(lines).encode('utf-8', 'replace')):08x}"


class Room:
    """A study, and people who answer it as they are told."""

    def __init__(self, study: Any, folder: Path):
        self.study, self.folder = study, folder
        self.data = json.loads((study.path / "study.json").read_text())
        self.key = {row["trial"]: row for row in read_table(study.key)}

    def rows(self, participant: str, chosen: Callable[..., Any], number: int = 1, simulated: bool = False) -> list:
        """Rows as the page saves them; ``chosen(trial, target, many)`` gives an answer, or None."""
        common = {"study": self.data["id"], "participant": participant, "list": number, "simulated": simulated}
        rows = [common | {"kind": "consent", "response": 0}]
        for position, id in enumerate([*self.data["lists"][number - 1], *self.data["catch"]], 1):
            trial, target = self.data["trials"][id], self.key[id]["target"]
            many = len(trial["choices"])
            response = chosen(id, int(target) if target else None, many)
            row = {"kind": trial["kind"], "trial": id, "position": position, "rt": 1000 + position}
            rows.append(common | row | self._said(trial, response))
        rows.append(common | {"kind": "end", "checksum": checksum(rows)})
        return rows

    @staticmethod
    def _said(trial: dict[str, Any], response: Any) -> dict[str, Any]:
        kind, choices = trial["kind"], trial["choices"]
        if kind in ("name", "draw"):
            told = {"name": "named", "draw": "drawn"}[kind]
            return {"response": response, "choice": "cannot-tell" if response is None else told}
        if response is None:
            return {"response": len(choices), "choice": "cannot-tell"}
        choice = choices[response]
        return {"response": response, "choice": choice if kind in ("class", "rate") else choice.split("/")[-1]}

    def file(self, participant: str, chosen: Callable[..., Any] | None = None, name: str | None = None, **options: Any):
        path = self.folder / (name or f"{participant}.json")
        path.write_text(json.dumps(self.rows(participant, chosen or right, **options)), encoding="utf-8")
        return path

    def score(self, *files: Path, **options: Any) -> Any:
        from rich.console import Console

        with (self.folder / "printed.txt").open("w") as printed:
            return score(self.study.path, list(files), console=Console(file=printed, width=120), **options)

    @property
    def printed(self) -> str:
        return (self.folder / "printed.txt").read_text()

    def table(self, name: str) -> list[dict[str, str]]:
        """A table that was written."""
        return read_table(self.folder / "study-scores" / name)


def right(id: str, target: int | None, many: int) -> int:
    return 0 if target is None else target


def wrong_but_awake(id: str, target: int, many: int) -> int:
    return target if id.startswith("c") else (target + 1) % many


def asleep(id: str, target: int, many: int) -> int:
    return (target + 1) % many


def shy(id: str, target: int, many: int) -> int | None:
    """Tells the even trials (rightly) and the attention checks."""
    return target if id.startswith("c") or int(id[1:]) % 2 == 0 else None


class Maker:
    """Makes a study of any kinds of question: its folder and its key."""

    def __init__(
        self,
        classes: Sequence[str] = ("cat", "dog", "polar bear", "sports car"),
        conditions: Sequence[str] = ("game only", "likeness"),
        choices: int = 4,
        lists: int = 1,
        rule: dict[str, Any] | None = None,
        seed: int = 0,
    ):
        self.classes, self.conditions, self.lists = list(classes), list(conditions), lists
        self.choices, self.rng = choices, np.random.default_rng(seed)
        self.trials: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.rule = rule or {"catch_missed_at_least": 1, "median_rt_below_ms": None, "rule": QUIET}

    def add(self, kind: str, of_class: int = 0, condition: int = 0, **more: Any) -> str:
        """A trial of a class drawn under a condition; ``more`` replaces columns of its key. Returns its id."""
        id = f"c{len(self.trials)}" if kind == "catch" else f"t{len(self.trials):04d}"
        drawing, name = f"stimuli/d{len(self.trials)}.svg", self.classes[of_class]
        others = [i for i in range(len(self.classes)) if i != of_class]
        shown = [of_class, *self.rng.choice(others, min(self.choices, len(self.classes)) - 1, replace=False).tolist()]
        shown = self.rng.permutation(shown).tolist()
        target = shown.index(of_class)
        names = [f"{self.classes[i]}/noto" for i in shown]
        pictures = [f"stimuli/p{i}.svg" for i in shown]
        trial = {"kind": kind, "part": None if kind == "catch" else 0, "stimulus": drawing, "photo": None}
        trial |= {"about": None, "choices": []}
        key = {
            "trial": id,
            "kind": kind,
            "part": 0,
            "game": "class",
            "split": "test",
            "step": 100,
            "item": f"i{of_class}",
        }
        key |= {"target_name": f"{name}/noto", "class": name, "shown": "raster", "drawing": drawing, "strokes": 5}
        if kind != "catch":
            agent = target if self.rng.random() < 0.8 else (target + 1) % len(shown)
            scores = self.rng.normal(0, 1, len(shown)).round(3)
            scores[agent] = scores.max() + 1
            sure = round(float(np.exp(scores[target]) / np.exp(scores).sum()), 4)
            key |= {"run": f"run-{condition}", "condition": self.conditions[condition], "biases": "[]", "seed": 0}
            key |= {"sender": "0", "receiver": "0", "agent_correct": agent == target, "agent_probability": sure}
        if kind in ("pick", "catch"):
            trial["choices"] = pictures
            key |= {"target": target, "names": json.dumps(names), "classes": _list([self.classes[i] for i in shown])}
        if kind == "class":
            trial["choices"] = [self.classes[i] for i in shown]
            key |= {"target": target, "names": _list(trial["choices"]), "classes": _list(trial["choices"])}
        if kind in ("pick", "class"):
            key |= {"agent_choice": agent, "agent_scores": json.dumps(scores.tolist())}
        if kind == "rate":
            trial |= {"photo": f"stimuli/p{of_class}.svg", "choices": [str(step) for step in range(1, 8)]}
            key |= {"names": json.dumps(trial["choices"])}
        if kind == "compare":
            trial |= {"stimulus": None, "photo": f"stimuli/p{of_class}.svg"}
            trial["choices"] = [drawing, f"stimuli/e{len(self.trials)}.svg"]
            key |= {"run": "", "condition": "", "names": _list([key["target_name"]] * 2), "classes": _list([name] * 2)}
            key["sides"] = json.dumps([self._side(name, number, sure / (1 + number)) for number in range(2)])
        if kind == "draw":
            trial |= {"stimulus": None, "photo": f"stimuli/p{of_class}.svg"}
        if kind == "catch":
            trial["stimulus"] = f"stimuli/c{len(self.trials)}.svg"
        key["n_choices"] = len(trial["choices"])
        self.trials[id], self.keys[id] = trial, key | more
        return id

    def _side(self, name: str, condition: int, sure: float) -> dict[str, Any]:
        side = {"run": f"run-{condition}", "condition": self.conditions[condition], "sender": "0"}
        return side | {"name": f"{name}/noto", "of_class": name, "strokes": 5, "agent_probability": sure}

    def write(self, folder: Path) -> Any:
        """The study's folder and its key beside it."""
        asked = [id for id, trial in self.trials.items() if trial["kind"] != "catch"]
        data = {"format": FORMAT, "title": "t", "shown": "raster", "canvas": 64, "exclusion": self.rule}
        data |= {"lists": [asked[number :: self.lists] for number in range(self.lists)], "trials": self.trials}
        data |= {"catch": [id for id in self.trials if id not in asked]}
        data = json.loads(json.dumps(data))
        (folder / "stimuli").mkdir(parents=True)
        (folder / "study.json").write_text(json.dumps({"id": study_id(data), **data}))
        for number, name in enumerate(sorted({name for trial in self.trials.values() for name in _files(trial)})):
            (folder / name).write_text(SVG.format(y=8 + number % 48, z=56 - number % 40))
        key = folder.with_name(folder.name + "-key.csv")
        rows = [{"study": study_id(data)} | row for row in self.keys.values()]
        key.write_bytes(table(KEY_COLUMNS, rows))
        return SimpleNamespace(path=folder, key=key, id=study_id(data))

    def room(self, folder: Path) -> Room:
        """A room in which this study is answered."""
        return Room(self.write(folder / "study"), folder)


def _list(words: Sequence[str]) -> str:
    return json.dumps(list(words), ensure_ascii=False)


def _files(trial: dict[str, Any]) -> list[str]:
    names = [trial["stimulus"], trial["photo"], *trial["choices"]]
    return [name for name in names if name and name.startswith("stimuli/")]
