"""report.html of a run of description: scenes, their drawings, what is said of them, figures beside controls."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from markupsafe import Markup

from games import Description
from games.pictures import Gallery
from raster import InputError
from runs.drawings import one_of
from runs.folder import Folder, lines, read_json, write_text
from runs.report._pages import config_of, page
from runs.report.figures import as_data_uri, losses, sketch_svg
from runs.run import Run

if TYPE_CHECKING:
    from runs.sets.show import Row

SHOWN = 16
"""Scenes in the gallery."""


@dataclass(frozen=True)
class Described:
    """One scene of the gallery: photo, drawing, the scene that is said, the true one, and both in words."""

    photo: str
    sketch: Markup
    said: Markup
    true: Markup
    rows: "list[Row]"


def write_description_report(files: Folder, run: Run | None) -> Path:
    """Write ``report.html`` of a run of description (``runs.report.write_report``) and return its path."""
    from runs.start import pictures_of

    gallery = run.gallery if run is not None else pictures_of(files)
    split = "test" if files.journal("test").exists() else "validation"
    plays = [line for line in lines(files.journal(split)) if line["split"] == split]
    newest = max((line["step"] for line in plays), default=0)
    plays = [line for line in plays if line["step"] == newest]
    summary = read_json(files.summary) if files.summary.exists() else None
    config = config_of(files)
    assert isinstance(config.game, Description)
    html = page("runs.report", "description.html").render(
        name=files.path.resolve().name,
        status=read_json(files.status),
        summary=summary,
        tables=_tables(summary),
        sees=config.game.sees,
        split=split,
        shown=_gallery(plays, gallery, config.canvas.sigma2.at(newest)),
        curves=_curves(list(lines(files.metrics))),
        config=files.config.read_text(encoding="utf-8"),
        env=read_json(files.env),
        licences=gallery.licences,
    )
    write_text(files.report, html)
    return files.report


def _tables(summary: dict[str, Any] | None) -> list[tuple[str, list[tuple[str, dict[str, Any]]], int]]:
    """Of each condition: its name, rows of figures by what the describer was given, and how many scenes."""
    found = []
    for split, games in (summary or {}).get("splits", {}).items():
        for game, row in games.items():
            found.append((split, [(game, row["measures"]), *row["controls"].items()], row["n"]))
    return found


def _gallery(plays: list[dict[str, Any]], gallery: Gallery, sigma2: float) -> list[Described]:
    """A fixed random sample of all descriptions of some journal lines.

    Raises:
        InputError: lines that are no descriptions of scenes of this gallery.
    """
    from runs.sets import show  # which builds on this package

    every = [(line, number) for line in plays for number in range(len(line["shown"]))]
    found = []
    for line, number in random.Random(0).sample(every, min(SHOWN, len(every))):
        index = line["shown"][number]
        try:
            said = torch.tensor(line["said"][number], dtype=torch.float32)  # [N, C]
            assert gallery.sets is not None
            true = gallery.sets[index].cpu().float()  # [M, C]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError("a line of the plays is no description", None, "run again") from error
        sketch = sketch_svg(one_of(line, number), sigma2)
        found.append(
            Described(
                photo=as_data_uri(gallery.pixels[index]),
                sketch=Markup(sketch),  # noqa: S704 (numbers only)
                said=show.scene(said),
                true=show.scene(true),
                rows=show.objects(said, true),
            )
        )
    return found


def _curves(metrics: list[dict[str, Any]]) -> str | None:
    """Every cost and every validation figure over steps; None before there is any."""
    named = [
        {
            (key if key == "step" or line["split"] == "train" else f"held-out {key}"): value
            for key, value in line.items()
            if key in ("step", "loss", "AP_inf", "found")
        }
        for line in metrics
    ]
    return losses(named) if named else None
