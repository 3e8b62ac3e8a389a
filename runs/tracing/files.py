"""Any picture to strokes on disk: ``lascaux trace``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from games.pictures import Album, Gallery, PictureView, SplitConfig
from games.pictures.edges import outlined
from games.pictures.images import read_picture
from raster import InputError, Strokes, in_sight, to_quickdraw, to_svg
from raster.curves import FIXED, flatten
from runs.folder import write_text
from runs.run import Run
from runs.tracing.features import THERE

AT_ONCE = 64
"""Pictures drawn at once."""


@dataclass(frozen=True)
class Traced:
    """One picture and what was written of it."""

    picture: Path
    svg: Path
    ndjson: Path


def trace_files(run: Run, pictures: Sequence[Path], out: Path) -> tuple[list[Traced], list[InputError]]:
    """Trace pictures of any mode and size, and write each as NAME.svg and NAME.ndjson (QuickDraw's simplified form).

    Each file is whole or not there. A picture that cannot be read stops no other.

    Args:
        run: who draws: the first sender.
        pictures: files, or folders whose files are taken (hidden ones left out).
        out: where to; made if need be. Of two pictures of one name the second is written as NAME-2.

    Returns:
        What was written, and what could not be read.

    Raises:
        InputError: not one picture, or ``out`` is a file.
    """
    if out.exists() and not out.is_dir():
        raise InputError("this is a file, not a folder", out, "give another --out")
    read, problems = read_all(run, files_of(pictures))
    sigma2, size = run.config.canvas.sigma2.at(run.step), run.config.canvas.size
    done: list[Traced] = []
    names: set[str] = set()
    for first in range(0, len(read), AT_ONCE):
        some = read[first : first + AT_ONCE]
        strokes = draw(run, [pixels for _, pixels in some])
        for number, (path, _) in enumerate(some):
            name = _free(path.stem, names)
            one = strokes[number]
            svg, ndjson = out / f"{name}.svg", out / f"{name}.ndjson"
            write_text(svg, to_svg(in_sight(one), (size, size), sigma2=sigma2))
            write_text(ndjson, to_quickdraw(pen_lines(one), path.stem))
            done.append(Traced(path, svg, ndjson))
    return done, problems


def files_of(pictures: Iterable[Path]) -> list[Path]:
    """The pictures, with the files of a folder in its place.

    Raises:
        InputError: a folder without files.
    """
    found: list[Path] = []
    for each in pictures:
        if not each.is_dir():
            found.append(each)
            continue
        inside = sorted(path for path in each.iterdir() if path.is_file() and not path.name.startswith("."))
        if not inside:
            raise InputError("no pictures in this folder", each, "give pictures, or a folder of them")
        found += inside
    return found


def read_all(run: Run, paths: Sequence[Path]) -> tuple[list[tuple[Path, NDArray[np.uint8]]], list[InputError]]:
    """Pictures as uint8 [size, size, 3], made square and as large as the run's; and what is wrong with the others."""
    config = run.config.pictures
    read, problems = [], []
    for path in paths:
        try:
            read.append((path, read_picture(path, config.size, getattr(config, "fit", "pad"))))
        except InputError as error:
            problems.append(InputError(error.what, error.where, "give another picture"))
    return read, problems


def view_of(run: Run, pixels: Sequence[NDArray[np.uint8]]) -> PictureView:
    """Pictures [size, size, 3] as a run's agents see theirs: a gallery of their own, outlines if the run has them."""
    album = Album(
        pixels=np.stack(pixels).transpose(0, 3, 1, 2).copy(),
        label=np.zeros(len(pixels), dtype=np.int64),
        artist=np.zeros(len(pixels), dtype=np.int64),
        classes=["picture"],
        groups=[""],
        source="pictures to be traced",
    )
    if run.config.pictures.outlines:
        album = outlined(album)
    none = SplitConfig(by=("picture",), validation=0, test=0)
    gallery = Gallery(album, none, run.trunks, None, run.gallery.device)
    return gallery.view(torch.arange(len(pixels), device=run.gallery.device))


def draw(run: Run, pixels: Sequence[NDArray[np.uint8]]) -> Strokes:
    """What the run's first sender draws of pictures [size, size, 3]: points [B, N, P, 2] on the CPU."""
    with torch.no_grad():
        return run.pair(0, 0).draw(view_of(run, pixels), torch.Generator().manual_seed(0)).cpu()


def pen_lines(strokes: Strokes) -> Strokes:
    """One sketch as the lines that a pen can draw: curves as polylines, on the canvas, strokes below half a presence
    left out. QuickDraw's format has nothing else.
    """
    if strokes.presence is not None:
        strokes = strokes.select((strokes.presence >= THERE).nonzero()[:, 0])
    lines = flatten(strokes.detach(), FIXED).clamp(-1, 1)
    kind = strokes.kind if strokes.kind in ("point", "line") else "polyline"
    return Strokes(lines, kind)


def _free(name: str, taken: set[str]) -> str:
    """A name that is not taken yet: the name itself, or with -2, -3 ..."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free
