"""Pictures and drawings side by side in one PNG, for the docs."""

import io

import resvg_py
from PIL import Image

from raster import Strokes, in_sight, to_svg
from raster.shapes import Tensor

SIDE, GAP = 96, 8
CELL = SIDE + GAP


def blank(columns: int, rows: int) -> Image.Image:
    """A white sheet for so many cells."""
    return Image.new("RGB", (CELL * columns + GAP, CELL * rows + GAP), "white")


def photo(rgb: Tensor) -> Image.Image:
    """A picture of the gallery, uint8 [3, H, W], as a cell."""
    return Image.fromarray(rgb.permute(1, 2, 0).numpy()).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def drawing(strokes: Strokes, sigma2: float) -> Image.Image:
    """Strokes [N, P, 2], black on white, as a cell."""
    svg = to_svg(in_sight(strokes), (SIDE, SIDE), sigma2=sigma2)
    ink = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE))))
    sheet = Image.new("RGB", (SIDE, SIDE), "white")
    sheet.paste(ink.convert("RGB"), (0, 0), ink.convert("RGBA").getchannel("A"))
    return sheet


def at(column: int, row: int) -> tuple[int, int]:
    """The upper left corner of a cell."""
    return GAP + column * CELL, GAP + row * CELL
