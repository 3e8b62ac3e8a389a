"""report.html: gallery, results with their controls, curves, confusions, config, how to do it again."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from raster import InputError
from raster.shapes import Tensor
from runs.config import Config
from runs.drawings import one_of
from runs.folder import Folder, lines, read_json, write_text
from runs.report._pages import config_of, page
from runs.report.description import write_description_report
from runs.report.figures import as_data_uri, confusion, curves, sketch_svg
from runs.report.probes import Found, Probed, Section, photos_of, sections
from runs.report.tracing import write_tracing_report
from runs.report.turns import curves_by_turn, strips
from runs.run import Run

GALLERY = 18
"""Right and wrong guesses shown of each game."""
MOST_TAKEN = 6
"""Pictures shown of what a receiver took in one game, where it may take any number."""


@dataclass(frozen=True)
class Picture:
    """A picture in the gallery, by data address; ``right`` is whether it was meant."""

    uri: str
    name: str
    right: bool = True


@dataclass(frozen=True)
class Shown:
    """One game in the gallery: what was shown, drawn, taken, and what was meant but not taken.

    ``right`` is whether exactly what was meant was taken.
    """

    photos: tuple[Picture, ...]
    sketch: Markup
    taken: tuple[Picture, ...]
    missed: tuple[Picture, ...]
    right: bool
    probability: float


def write_report(folder: Path | str, run: Run | None = None) -> Path:
    """Write ``report.html`` into a run's folder from what it has written so far, and return its path.

    Args:
        folder: a run's folder; an unfinished run gives a report of what there is.
        run: the run itself when it is at hand; its pictures are loaded anew otherwise.

    Raises:
        InputError: no run there, or a file of it is damaged.
    """
    files = Folder.of_run(Path(folder))
    config = run.config if run is not None else config_of(files)
    if config.game.describes:
        return write_description_report(files, run)
    if not config.game.chooses:
        return write_tracing_report(files, run)
    if run is None:
        from runs.start import pictures_of

        gallery = pictures_of(files)
    else:
        gallery = run.gallery
    summary = read_json(files.summary) if files.summary.exists() else None
    pictures = read_json(files.pictures)
    if not isinstance(pictures, dict) or not {"names", "classes", "label"} <= pictures.keys():
        raise InputError("the list of pictures is damaged", files.pictures, "run again, or put back the run's own")
    metrics = list(lines(files.metrics))
    learned = [line for line in metrics if line["split"] != "probes"]
    split = "test" if files.journal("test").exists() else "validation"
    plays = [line for line in lines(files.journal(split)) if line["split"] == split]
    newest = max((line["step"] for line in plays), default=0)
    plays = [line for line in plays if line["step"] == newest]
    games = list(dict.fromkeys(line["game"] for line in plays))
    pixels = gallery.pixels
    sigma2 = config.canvas.sigma2.at(config.train.steps)
    html = page("runs.report", "report.html").render(
        name=files.path.resolve().name,
        status=read_json(files.status),
        summary=summary,
        rows=_rows(summary),
        judged=[(game, where, row["balanced"]) for game, where, row in _rows(summary) if "balanced" in row],
        among=[
            (game, where, candidates, found)
            for game, where, row in _rows(summary)
            for candidates, found in row.get("candidates", {}).items()
        ],
        changes=[(game, where, row["changes"]) for game, where, row in _rows(summary) if "changes" in row],
        split=split,
        galleries={
            game: choose([line for line in plays if line["game"] == game], pictures, pixels, sigma2) for game in games
        },
        turns={
            game: (curve, strips([line for line in plays if line["game"] == game], pictures, pixels, sigma2))
            for game in games
            if (curve := curves_by_turn([line for line in plays if line["game"] == game], _row(summary, split, game)))
        },
        curves=curves(learned) if learned else None,
        probed=_probed(files, config, [line for line in metrics if line["split"] == "probes"], pixels),
        confusions={game: _confused([line for line in plays if line["game"] == game], pictures) for game in games},
        classes={game: _by_class([line for line in plays if line["game"] == game], pictures) for game in games},
        config=files.config.read_text(encoding="utf-8"),
        env=read_json(files.env),
        licences=gallery.licences,
    )
    write_text(files.report, html)
    return files.report


def _probed(files: Folder, config: Config, asked: list[dict[str, Any]], pixels: Tensor) -> list[Section]:
    """What the run's probes found at its end and on the way; the rate has the page's own tables."""
    answers = read_json(files.probes) if files.probes.exists() else {}
    if not isinstance(answers, dict):
        raise InputError("what probes found is damaged", files.probes, "run again, or put back the run's own")
    found: Found = {name: answers.get(name, {}) for name in config.probes if name != "rate"}
    sigma2 = config.canvas.sigma2.at(config.train.steps)
    return sections([Probed("", config, found, asked, photos_of(found, pixels), sigma2)])


def choose(plays: list[dict[str, Any]], pictures: dict[str, Any], pixels: Tensor, sigma2: float) -> list[Shown]:
    """Games for the gallery: a fixed random sample of all, so right and wrong ones stand in their true proportion.

    Args:
        plays: journal lines of one game.
        pictures: pictures.json.
        pixels: uint8 [n, 3, H, W].
        sigma2: ink width of the drawings.
    """
    every = [(line, number) for line in plays for number in range(len(line["shown"]))]
    chosen = random.Random(0).sample(every, min(GALLERY, len(every)))

    def seen(index: int, right: bool = True) -> Picture:
        return Picture(as_data_uri(pixels[index]), pictures["names"][index], right)

    found = []
    for line, number in chosen:
        pool, (meant, taken) = line["pool"], outcome(line, number)
        photos = line["shown"][number] if several(line) else [line["shown"][number]]
        found.append(
            Shown(
                photos=tuple(seen(index) for index in photos),
                sketch=Markup(sketch_svg(one_of(line, number), sigma2)),  # noqa: S704 (numbers only)
                taken=tuple(seen(pool[place], place in meant) for place in taken[:MOST_TAKEN]),
                missed=tuple(seen(pool[place]) for place in meant if place not in taken),
                right=set(meant) == set(taken),
                probability=line["probability"][number],
            )
        )
    return found


def several(line: Mapping[str, Any]) -> bool:
    """Whether the games of a journal line may have several targets, or none."""
    return "targets" in line


def outcome(line: Mapping[str, Any], number: int) -> tuple[list[int], list[int]]:
    """Which positions of the pool were meant in a game of a journal line, and which were taken."""
    if several(line):
        return line["targets"][number], line["taken"][number]
    return [line["target"][number]], [line["choice"][number]]


def _rows(summary: dict[str, Any] | None) -> list[tuple[str, str, dict[str, Any]]]:
    from runs.progress import rows

    return rows(summary) if summary else []


def _meant(line: Mapping[str, Any], number: int, pictures: dict[str, Any]) -> int:
    """The class that a game is about."""
    shown = line["shown"][number]
    label: int = pictures["label"][shown[0] if several(line) else shown]
    return label


def _row(summary: dict[str, Any] | None, split: str, game: str) -> dict[str, Any]:
    """What the summary says of a game on a split; nothing where there is no summary yet."""
    found = (summary or {}).get("splits", {}).get(split, {}).get(game, {})
    return found if isinstance(found, dict) else {}


def _outcomes(plays: list[dict[str, Any]], pictures: dict[str, Any]) -> list[tuple[int, int]]:
    """(class meant, class taken) of every candidate that was taken."""
    return [
        (_meant(line, number, pictures), pictures["label"][line["pool"][place]])
        for line in plays
        for number in range(len(line["shown"]))
        for place in outcome(line, number)[1]
    ]


def _confused(plays: list[dict[str, Any]], pictures: dict[str, Any]) -> dict[str, Any]:
    """Confusion by class: the whole matrix for up to 20 classes, and the pairs that are confused most."""
    outcomes = _outcomes(plays, pictures)
    names = pictures["classes"]
    seen = sorted({meant for meant, _ in outcomes} | {taken for _, taken in outcomes})
    matrix = None
    if 2 <= len(seen) <= 20:
        at = {label: number for number, label in enumerate(seen)}
        counts = np.zeros((len(seen), len(seen)), dtype=int)
        for meant, taken in outcomes:
            counts[at[meant], at[taken]] += 1
        matrix = confusion(counts, [names[label] for label in seen])
    pairs = Counter((meant, taken) for meant, taken in outcomes if meant != taken)
    often = [(names[meant], names[taken], count) for (meant, taken), count in pairs.most_common(12)]
    return {"matrix": matrix, "pairs": often}


def _by_class(plays: list[dict[str, Any]], pictures: dict[str, Any]) -> dict[str, list[tuple[str, int, int]]]:
    """The classes that are found most and least: (name, right, games)."""
    total: Counter[int] = Counter()
    right: Counter[int] = Counter()
    for line in plays:
        for number in range(len(line["shown"])):
            label = _meant(line, number, pictures)
            meant, taken = outcome(line, number)
            total[label] += 1
            # Of one target its class is enough: two photos of a pool may show the same thing.
            same = pictures["label"][line["pool"][taken[0]]] == label if not several(line) else set(meant) == set(taken)
            right[label] += same
    order = sorted(total, key=lambda label: (-right[label] / total[label], pictures["classes"][label]))
    table = [(pictures["classes"][label], right[label], total[label]) for label in order]
    return {"best": table[:8], "worst": table[::-1][:8]}
