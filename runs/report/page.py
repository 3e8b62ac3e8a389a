"""report.html: gallery, results with their controls, curves, confusions, config, how to do it again."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from raster import InputError, in_sight, to_svg
from raster.shapes import Tensor
from runs.drawings import one_of, strokes_of
from runs.folder import Folder, lines, read_json, write_text
from runs.report.figures import as_data_uri, confusion, curves
from runs.report.turns import curves_by_turn, strips
from runs.run import Run

GALLERY = 18
"""Right and wrong guesses shown of each game."""


@dataclass(frozen=True)
class Shown:
    """One game in the gallery."""

    name: str
    photo: str
    sketch: Markup
    guess: str
    guess_name: str
    target: str
    target_name: str
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
    split = "test" if files.journal("test").exists() else "validation"
    plays = [line for line in lines(files.journal(split)) if line["split"] == split]
    newest = max((line["step"] for line in plays), default=0)
    plays = [line for line in plays if line["step"] == newest]
    games = list(dict.fromkeys(line["game"] for line in plays))
    pixels = gallery.pixels
    sigma2 = _final_sigma2(files)
    environment = Environment(loader=PackageLoader("runs.report"), autoescape=select_autoescape(default=True))
    html = environment.get_template("report.html").render(
        name=files.path.resolve().name,
        status=read_json(files.status),
        summary=summary,
        rows=_rows(summary),
        split=split,
        galleries={
            game: choose([line for line in plays if line["game"] == game], pictures, pixels, sigma2) for game in games
        },
        turns={
            game: (curve, strips([line for line in plays if line["game"] == game], pictures, pixels, sigma2))
            for game in games
            if (curve := curves_by_turn([line for line in plays if line["game"] == game], _row(summary, split, game)))
        },
        curves=curves(metrics) if metrics else None,
        confusions={game: _confused([line for line in plays if line["game"] == game], pictures) for game in games},
        classes={game: _by_class([line for line in plays if line["game"] == game], pictures) for game in games},
        config=files.config.read_text(encoding="utf-8"),
        env=read_json(files.env),
        licences=gallery.licences,
    )
    write_text(files.report, html)
    return files.report


def choose(plays: list[dict[str, Any]], pictures: dict[str, Any], pixels: Tensor, sigma2: float) -> list[Shown]:
    """Games for the gallery: a fixed random sample of all, so right and wrong ones stand in their true proportion.

    Args:
        plays: journal lines of one game.
        pictures: pictures.json.
        pixels: uint8 [n, 3, H, W].
        sigma2: ink width of the drawings.
    """
    every = [(line, number) for line in plays for number in range(len(line["target"]))]
    chosen = random.Random(0).sample(every, min(GALLERY, len(every)))
    found = []
    for line, number in chosen:
        target, choice = line["pool"][line["target"][number]], line["pool"][line["choice"][number]]
        shown = line["shown"][number]
        found.append(
            Shown(
                name=pictures["names"][shown],
                photo=as_data_uri(pixels[shown]),
                sketch=Markup(sketch_svg(one_of(line, number), sigma2)),  # noqa: S704 (numbers only)
                guess=as_data_uri(pixels[choice]),
                guess_name=pictures["names"][choice],
                target=as_data_uri(pixels[target]),
                target_name=pictures["names"][target],
                right=target == choice,
                probability=line["probability"][number],
            )
        )
    return found


def sketch_svg(drawing: Mapping[str, Any], sigma2: float) -> str:
    """A drawing of the journal (``drawings.one_of``) as an SVG element of 96 px, in the colours that a viewer sees."""
    return to_svg(in_sight(strokes_of(drawing)), (96, 96), sigma2=sigma2)


def _final_sigma2(files: Folder) -> float:
    from runs.config import Config
    from runs.loading import load

    config = load(Config, files.config, []).config
    return config.canvas.sigma2.at(config.train.steps)


def _rows(summary: dict[str, Any] | None) -> list[tuple[str, str, dict[str, Any]]]:
    from runs.progress import rows

    return rows(summary) if summary else []


def _row(summary: dict[str, Any] | None, split: str, game: str) -> dict[str, Any]:
    """What the summary says of a game on a split; nothing where there is no summary yet."""
    found = (summary or {}).get("splits", {}).get(split, {}).get(game, {})
    return found if isinstance(found, dict) else {}


def _outcomes(plays: list[dict[str, Any]], pictures: dict[str, Any]) -> list[tuple[int, int]]:
    """(class meant, class taken) of every game."""
    label = pictures["label"]
    return [
        (label[line["pool"][target]], label[line["pool"][choice]])
        for line in plays
        for target, choice in zip(line["target"], line["choice"], strict=True)
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
    for meant, taken in _outcomes(plays, pictures):
        total[meant] += 1
        right[meant] += meant == taken
    order = sorted(total, key=lambda label: (-right[label] / total[label], pictures["classes"][label]))
    table = [(pictures["classes"][label], right[label], total[label]) for label in order]
    return {"best": table[:8], "worst": table[::-1][:8]}
