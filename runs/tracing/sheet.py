"""Pictures beside their traces by several runs on one sheet, and what lies between two pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from agents import Moment
from games.pictures import PictureView
from raster import InputError, Strokes, on_paper
from raster.shapes import Tensor, UInt8
from runs.folder import write_atomic
from runs.run import Run
from runs.tracing.files import draw

SIDE, GAP, HEAD = 112, 8, 22
"""Pixels of a cell, between cells, and of the line of names above them."""


def sheet(runs: Sequence[Run], pixels: Sequence[NDArray[np.uint8]], path: Path) -> Path:
    """Write a PNG: a row a picture, first itself, then its trace by each run, as in the figure of Mihai & Hare
    (arXiv 2103.16194). Atomically.

    Args:
        runs: tracing runs, their first senders; named by their configs above the columns.
        pixels: pictures, uint8 [S, S, 3].
        path: the file.

    Raises:
        InputError: ``path`` does not end in .png.
    """
    if path.suffix.lower() != ".png":
        raise InputError("a sheet is a PNG picture", path, "give a name that ends in .png")
    columns = [[_scaled(one) for one in pixels]]
    for run in runs:
        seen = [np.asarray(Image.fromarray(one).resize((run.gallery.size,) * 2)) for one in pixels]
        columns.append([drawn.permute(1, 2, 0).numpy() for drawn in large(run, draw(run, seen))])
    names = ["picture", *(run.config.name.removeprefix("tracing-") for run in runs)]
    wide, high = len(columns) * (SIDE + GAP) + GAP, len(pixels) * (SIDE + GAP) + GAP + HEAD
    page = Image.new("RGB", (wide, high), (232, 229, 222))
    pen = ImageDraw.Draw(page)
    for number, (name, column) in enumerate(zip(names, columns, strict=True)):
        left = GAP + number * (SIDE + GAP)
        pen.text((left + SIDE / 2, GAP), name[:18], fill=(60, 58, 52), font=ImageFont.load_default(13), anchor="ma")
        for place, cell in enumerate(column):
            page.paste(Image.fromarray(cell), (left, GAP + HEAD + place * (SIDE + GAP)))
    write_atomic(path, lambda temporary: page.save(temporary, format="PNG", optimize=True))
    return path


def large(run: Run, strokes: Strokes) -> UInt8[Tensor, "n 3 side side"]:
    """Drawings as pictures of ``SIDE`` pixels, whatever the size of the canvas: ink is as wide for its canvas."""
    canvas = run.config.canvas.model_copy(update={"size": SIDE})
    with torch.no_grad():
        ink = torch.cat([canvas.draw(strokes[n : n + 1].cpu(), run.step) for n in range(len(strokes.points))])
    return (on_paper(ink).clamp(0, 1) * 255).round().to(torch.uint8)


def between(run: Run, view: PictureView, other: PictureView, steps: int) -> Strokes:
    """What the run's first sender draws on the way from one picture to another, ``steps`` drawings, both ends among
    them (``Sender.between``).

    Args:
        run: a tracing run.
        view: one picture.
        other: another.
        steps: drawings, 2 or more.
    """
    part = torch.linspace(0, 1, steps, device=run.gallery.device)
    one, two = (run.gallery.view(each.index.expand(steps)) for each in (view, other))
    moment = Moment(run.step, "sender", torch.Generator().manual_seed(0), training=False)
    with torch.no_grad():
        return run.sender.between(one, two, part, moment).cpu()


def _scaled(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
