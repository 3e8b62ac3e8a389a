"""Agents sit a study: their answers go through the page in a browser, as a person's do."""

import json
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import torch

from raster import InputError, Strokes
from raster.curves import flatten
from runs.study.browser import browser, download_of
from runs.study.drawn import LONGEST_STROKE, MOST_STROKES
from runs.study.eyes import Eye, picture_of
from runs.study.key import key_beside
from runs.study.results import read_study

__all__ = ["Simulation", "answers_of", "how_sure", "simulate", "simulated_beside"]

_PANEL = 64
"""Pictures of the study, at most, that a likeness is measured against."""
_ROUNDS = 24  # points of a curved stroke of a sender


@dataclass(frozen=True)
class Simulation:
    """The files that the page saved, one a sitting; they say themselves that they are simulated."""

    files: tuple[Path, ...]
    folder: Path
    lists: tuple[int, ...]


def simulated_beside(study: Path) -> Path:
    """Where simulated answers are put: ``DIR-simulated`` next to the study's folder."""
    return key_beside(study).with_name(Path(study).absolute().name + "-simulated")


def simulate(
    study_dir: Path | str,
    eye: Eye,
    *,
    name: str = "agent",
    out: Path | str | None = None,
    temperature: float = 0.0,
    sittings: int | None = None,
    seed: int = 0,
) -> Simulation:
    """Let an agent sit every list of a study, in jsPsych's own simulation mode in a headless browser.

    Args:
        study_dir: the folder that ``export`` wrote, with jsPsych inside.
        eye: who answers.
        name: what the participant is called, before the list's number.
        out: where the answer files go; ``DIR-simulated`` beside the study when left out.
        temperature: 0 takes the best choice; above, choices are drawn with softmax(scores / temperature).
        sittings: how many, list after list; one a list when left out.
        seed: of the choices that are drawn, and of what the page leaves to chance (nothing that is scored).

    Raises:
        InputError: no study there, no jsPsych in it, no browser, files of an earlier simulation in the way, or a page
            that did not come to its end.
    """
    folder = Path(study_dir)
    study = read_study(folder)
    if not (folder / "vendor").is_dir():
        what = "jsPsych is not in the study's folder, and a simulation asks nothing of the network"
        raise InputError(what, folder, "export it with --offline")
    where = Path(out) if out is not None else simulated_beside(folder)
    if where.is_file() or (where.is_dir() and any(where.iterdir())):
        raise InputError("there are files already", where, "give a folder that is new or empty (--out)")
    if sittings is not None and sittings < 1:
        raise InputError(f"{sittings} sittings", "study simulate", "give at least 1")
    many = len(study["lists"])
    lists = [place % many + 1 for place in range(many if sittings is None else sittings)]
    given = [answers_of(study, folder, number, eye, temperature, seed + place) for place, number in enumerate(lists)]
    where.mkdir(parents=True, exist_ok=True)
    files = [where / f"answers-{place:04d}.json" for place in range(1, len(lists) + 1)]
    sat = [(number, f"{name}-{place}", given[place - 1], files[place - 1]) for place, number in enumerate(lists, 1)]
    # In a thread of its own: playwright refuses to start where an event loop runs, as it does in a notebook.
    with ThreadPoolExecutor(1) as one:
        one.submit(_sit, (folder / "index.html").resolve().as_uri(), sat).result()
    return Simulation(tuple(files), where, tuple(lists))


def _sit(page: str, sittings: Sequence[tuple[int, str, Mapping[str, Any], Path]]) -> None:
    """Each sitting in turn: the page is told list, name and answers, plays itself to its end, and saves a file."""
    with browser() as opened:
        for number, who, answers, file in sittings:
            query = urlencode({"simulate": "data-only", "list": number, "participant": who})
            # ASCII: nothing in it ends the script, whatever classes are called.
            download_of(opened, f"{page}?{query}", f"window.STUDY_ANSWERS = {json.dumps(answers)};", file)


def answers_of(
    study: Mapping[str, Any], folder: Path, number: int, eye: Eye, temperature: float = 0.0, seed: int = 0
) -> dict[str, Any]:
    """What an agent answers to every question of a list, by trial, as the page takes it (docs/study.md, Formats).

    pick, class: its best choice. name: the best of its vocabulary. rate: where the picture stands among up to 64
    pictures of the study, by its scores, in as many equal steps as the scale has. compare: the drawing that
    gives the picture the greater probability among those 64, or the word among its vocabulary. draw: its own drawing.
    Attention checks it passes by the pixels. What it does not know it cannot tell.

    Args:
        study: study.json.
        folder: the study's folder.
        number: which list, from 1.
        eye: who answers.
        temperature: see ``simulate``.
        seed: of the choices that are drawn.
    """
    asked = [*study["lists"][number - 1], *study["catch"]]
    taker = _Taker(study, folder, eye, temperature, random.Random(f"lascaux simulate {seed}"))
    return {id: taker.answer(study["trials"][id]) for id in asked}


def how_sure(study: Mapping[str, Any], folder: Path, eye: Eye, targets: Mapping[str, int | None]) -> dict[str, float]:
    """How readable an agent finds each drawing of a study: to be held against what people made of it.

    pick, class, compare: its probability of what is right among the choices that people have (of two runs' drawings, of
    the first). rate: the part of up to 64 pictures of the study that fit the drawing no better than the one beside it.
    Names and people's own drawings have none, nor has what it knows nothing of.

    Args:
        study: study.json.
        folder: the study's folder.
        eye: who looks.
        targets: by trial, the position of what is right among its choices.

    Returns:
        By trial, from 0 to 1.
    """
    taker = _Taker(study, folder, eye, 0.0, random.Random(0))
    asked = {
        id: trial for id, trial in study["trials"].items() if trial["kind"] in ("pick", "class", "rate", "compare")
    }
    found = {}
    for id, trial in asked.items():
        if trial["kind"] == "rate":
            found[id] = taker.share(trial)
            continue
        scores, target = taker.scores(trial), targets[id] or 0
        if bool(torch.isfinite(scores).any()):
            found[id] = float(torch.softmax(scores.double(), 0)[target])
    return found


class _Taker:
    """One sitting's answers."""

    def __init__(
        self, study: Mapping[str, Any], folder: Path, eye: Eye, temperature: float, rng: random.Random
    ) -> None:
        self.study, self.folder, self.eye = study, folder, eye
        self.temperature, self.rng = temperature, rng
        trials = study["trials"].values()
        files = [file for trial in trials for file in _photos(trial)]
        self.panel = sorted(set(files))[:: max(1, -(-len(set(files)) // _PANEL))]

    def answer(self, trial: Mapping[str, Any]) -> Any:
        kind, choices = trial["kind"], trial["choices"]
        if kind == "catch":
            return self._same(trial)
        if kind in ("pick", "class", "compare"):
            return self._drawn(self.scores(trial))
        if kind == "name":
            return self._named(trial)
        if kind == "rate":
            return min(len(choices) - 1, int(self.share(trial) * len(choices)))
        photo = None if trial["photo"] is None else self._pixels([trial["photo"]])
        return _as_drawn(self.eye.sketch(photo, trial["about"]))

    def scores(self, trial: Mapping[str, Any]) -> torch.Tensor:
        """Of each choice of a question in which something is chosen; -inf for one that nothing is known of."""
        if trial["kind"] == "compare":
            return self._compared(trial)
        stimulus, choices = [self._at(trial["stimulus"])], trial["choices"]
        if trial["kind"] == "class":
            return self.eye.fits(stimulus, choices)[0]
        return self.eye.alike(stimulus, self._pixels(choices))[0]

    def share(self, trial: Mapping[str, Any]) -> float:
        """Part of the panel that fits the drawing no better than the picture beside it."""
        scores = self.eye.alike([self._at(trial["stimulus"])], self._pixels([trial["photo"], *self.panel]))[0]
        return float((scores[1:] <= scores[0]).double().mean())

    def _at(self, file: str) -> Path:
        return self.folder / file

    def _pixels(self, files: Sequence[str]) -> torch.Tensor:
        """Pictures [n, 3, h, w]; those of other sizes (runs on other pictures) as large as the first."""
        found = [picture_of(self._at(file))[None] for file in files]
        size = found[0].shape[-2:]
        return torch.cat(
            [
                each if each.shape[-2:] == size else torch.nn.functional.interpolate(each, size, mode="area")
                for each in found
            ]
        )

    def _drawn(self, scores: torch.Tensor) -> int:
        """The position of the choice; how many choices there are ("cannot tell") where nothing is known of any."""
        if not bool(torch.isfinite(scores).any()):
            return len(scores)
        if self.temperature <= 0:
            return int(scores.argmax())
        weights = torch.softmax(scores.double() / self.temperature, 0).tolist()
        return self.rng.choices(range(len(weights)), weights)[0]

    def _same(self, trial: Mapping[str, Any]) -> int:
        shown = self._pixels([trial["stimulus"]])[0]
        far = [float((picture_of(self._at(file)) - shown).abs().sum()) for file in trial["choices"]]
        return int(np.argmin(far))

    def _named(self, trial: Mapping[str, Any]) -> str | None:
        words = self.eye.vocabulary
        if not words:
            return None
        place = self._drawn(self.eye.fits([self._at(trial["stimulus"])], words)[0])
        name = words[place][:100] if place < len(words) else ""
        return name if name.strip() else None

    def _compared(self, trial: Mapping[str, Any]) -> torch.Tensor:
        drawings = [self._at(file) for file in trial["choices"]]
        if trial["about"] is not None:
            words = list(dict.fromkeys([trial["about"], *self.eye.vocabulary]))
            return torch.log_softmax(self.eye.fits(drawings, words), 1)[:, 0].nan_to_num(-torch.inf)
        return torch.log_softmax(self.eye.alike(drawings, self._pixels([trial["photo"], *self.panel])), 1)[:, 0]


def _photos(trial: Mapping[str, Any]) -> list[str]:
    return [*([trial["photo"]] if trial["photo"] else []), *(trial["choices"] if trial["kind"] == "pick" else [])]


def _as_drawn(strokes: Strokes | None) -> list[list[list[int]]] | None:
    """An agent's strokes as the page's sheet would have kept them: polylines of whole numbers, one after the other."""
    if strokes is None:
        return None
    present = [True] * strokes.count if strokes.presence is None else (strokes.presence >= 0.5).tolist()
    bare = Strokes(strokes.points, strokes.kind, knots=strokes.knots)
    lines = flatten(bare, 1 if strokes.kind in ("point", "line", "polyline") else _ROUNDS)
    whole = (lines.clamp(-2, 2) * 1000).round().to(torch.int64).tolist()
    drawn = [line for line, there in zip(whole, present, strict=True) if there][:MOST_STROKES]
    time = iter(range(0, 10**9, 20))
    found = [[[x, y, next(time)] for x, y in line[:LONGEST_STROKE]] for line in drawn]
    return found or None
