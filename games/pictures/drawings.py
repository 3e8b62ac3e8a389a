"""QuickDraw's ndjson files as pictures: people's strokes, drawn by the house's own raster."""

import itertools
from pathlib import Path

import numpy as np
import torch

from games.pictures.album import Album, check_room
from games.pictures.config import QuickdrawPictures
from raster import Strokes, from_quickdraw, on_paper, rasterise
from raster.errors import InputError
from raster.vector import pad

MARGIN = 0.9
"""The longer side of a drawing spans so much of the canvas: ink has a width."""
_AT_ONCE = 64
_GIVE = "give an .ndjson file of drawings, or a folder of them, a class each"


def load_quickdraw(config: QuickdrawPictures) -> Album:
    """Drawings of .ndjson files, one class a file, named like it: black on white, centred, the longer side nine tenths
    of the picture.

    Raises:
        InputError: no such file or folder, a file without drawings, or a line that is none, with its number.
    """
    path = Path(config.path).expanduser()
    files = _files(path)
    drawings: list[list[Strokes]] = [_drawings(file, config) for file in files]
    count = sum(map(len, drawings))
    check_room(count, config.size, path)
    every = list(itertools.chain.from_iterable(drawings))
    pixels = np.empty((count, 3, config.size, config.size), dtype=np.uint8)
    for first in range(0, count, _AT_ONCE):
        batch = pad(every[first : first + _AT_ONCE])
        ink = rasterise(batch, (config.size, config.size), sigma2=(config.width / 2) ** 2 / np.log(2))
        pixels[first : first + len(ink)] = (on_paper(ink).clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return Album(
        pixels=pixels,
        label=np.repeat(np.arange(len(files)), [len(each) for each in drawings]).astype(np.int64),
        artist=np.zeros(count, dtype=np.int64),
        classes=[file.stem for file in files],
        groups=[""] * len(files),
        source=f"QuickDraw drawings of {path.name}, {config.size} px",
        licences=["Quick, Draw!: Google, CC-BY-4.0"],
        place=path,
    )


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix == ".ndjson" and not each.name.startswith("."))
        if not files:
            raise InputError("no .ndjson file in this folder", path, _GIVE)
        return files
    if not path.is_file():
        raise InputError("there is no such file", path, "check pictures.path")
    return [path]


def _drawings(file: Path, config: QuickdrawPictures) -> list[Strokes]:
    """The first drawings of a file, centred; those without a stroke, or (if asked) not recognised, are passed over."""
    there = (
        each.strokes
        for each in from_quickdraw(file)
        if each.strokes.count and (each.recognized is not False or not config.recognized)
    )
    found = [_centred(each) for each in itertools.islice(there, config.per_class)]
    if not found:
        raise InputError("no drawing in this file", file, _GIVE)
    return found


def _centred(strokes: Strokes) -> Strokes:
    flat = strokes.points.reshape(-1, 2)
    low, high = flat.amin(dim=0), flat.amax(dim=0)
    half = float((high - low).max()) / 2
    points = (strokes.points - (low + high) / 2) * (MARGIN / half if half > 0 else 0.0)
    return Strokes(points if points.shape[-2] > 1 else points.expand(-1, 2, -1), "polyline")  # a dot has two ends
