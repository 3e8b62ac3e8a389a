"""report.html of a tracing run: pictures beside traces, what lies between pictures, errors with their controls."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from markupsafe import Markup

from games.pictures import Gallery
from raster import InputError, Strokes, in_sight, to_svg
from raster.shapes import Tensor
from runs.drawings import one_of, strokes_of
from runs.folder import Folder, lines, read_json, write_text
from runs.report._pages import page
from runs.report.figures import as_data_uri, curves
from runs.run import Run

SHOWN, WAYS, STEPS = 32, 4, 7
"""Traces in the gallery; rows of drawings between two pictures, and how many stand in a row."""


@dataclass(frozen=True)
class Traced:
    """A picture of the gallery, its trace, and how far they are apart."""

    uri: str
    name: str
    sketch: Markup
    mse: float


@dataclass(frozen=True)
class Way:
    """From one picture to another: both, and the drawings between."""

    first: str
    last: str
    sketches: tuple[Markup, ...]


def write_tracing_report(files: Folder, run: Run | None) -> Path:
    """Write ``report.html`` of a tracing run (``runs.report.write_report``) and return its path.

    What lies between pictures needs the agents: of a run that has no checkpoint yet it is left out.
    """
    from runs.start import load, pictures_of

    if run is None and (files.checkpoints / "last.safetensors").exists():
        run = load(files.path)
    gallery = run.gallery if run is not None else pictures_of(files)
    pictures = read_json(files.pictures)
    if not isinstance(pictures, dict) or not {"names", "classes", "label"} <= pictures.keys():
        raise InputError("the list of pictures is damaged", files.pictures, "run again, or put back the run's own")
    split = "test" if files.journal("test").exists() else "validation"
    plays = [line for line in lines(files.journal(split)) if line["split"] == split]
    newest = max((line["step"] for line in plays), default=0)
    plays = [line for line in plays if line["step"] == newest]
    summary = read_json(files.summary) if files.summary.exists() else None
    metrics = list(lines(files.metrics))
    html = page("runs.report", "tracing.html").render(
        name=files.path.resolve().name,
        status=read_json(files.status),
        summary=summary,
        rows=[(where, row) for where, games in (summary or {}).get("splits", {}).items() for row in games.values()],
        split=split,
        shown=_gallery(plays, pictures["names"], gallery.pixels, _sigma2(files, newest)),
        ways=[] if run is None else ways(run, split),
        curves=curves(metrics) if metrics else None,
        config=files.config.read_text(encoding="utf-8"),
        env=read_json(files.env),
        licences=gallery.licences,
    )
    write_text(files.report, html)
    return files.report


def _gallery(plays: list[dict[str, Any]], names: list[str], pixels: Tensor, sigma2: float) -> list[Traced]:
    """A fixed random sample of all traces of some journal lines."""
    every = [(line, number) for line in plays for number in range(len(line["shown"]))]
    found = []
    for line, number in random.Random(0).sample(every, min(SHOWN, len(every))):
        index, strokes = line["shown"][number], strokes_of(one_of(line, number))
        found.append(Traced(as_data_uri(pixels[index]), names[index], _svg(strokes, sigma2), line["mse"][number]))
    return found


def ways(run: Run, split: str) -> list[Way]:
    """What a run's first sender draws between pictures of a split, of two classes where there are several."""
    from runs.tracing.sheet import between

    gallery = run.gallery
    if split not in gallery.splits:
        return []
    there = gallery.splits[split].shown.nonzero()[:, 0]
    there = there[torch.randperm(len(there), generator=torch.Generator().manual_seed(0))]
    sigma2 = run.config.canvas.sigma2.at(run.step)
    found: list[Way] = []
    for first in there[:WAYS]:
        others = there[gallery.label[there] != gallery.label[first]]
        last = others[len(found)] if len(others) > len(found) else there[-1]
        one, two = (gallery.view(index[None].to(gallery.device)) for index in (first, last))
        drawn = between(run, one, two, STEPS)
        sketches = tuple(_svg(drawn[number], sigma2) for number in range(STEPS))
        found.append(Way(_uri(gallery, first), _uri(gallery, last), sketches))
    return found


def _uri(gallery: Gallery, index: Tensor) -> str:
    return as_data_uri(gallery.pixels[int(index)])


def _svg(strokes: Strokes, sigma2: float) -> Markup:
    return Markup(to_svg(in_sight(strokes), (96, 96), sigma2=sigma2))  # noqa: S704 (numbers only)


def _sigma2(files: Folder, step: int) -> float:
    from runs.config import Config
    from runs.loading import load

    return load(Config, files.config, []).config.canvas.sigma2.at(step)
