"""Sketches as vector files, in and out: SVG, QuickDraw's ndjson, and the sequences stroke-3 and stroke-5.

Every reader checks what it reads: a damaged file is one ``InputError`` that says where, and a stranger's file runs no
code, fetches nothing and is refused before it fills the memory.
"""

from raster.vector.padding import pad
from raster.vector.quickdraw import Drawing, from_quickdraw, to_quickdraw
from raster.vector.sequences import from_stroke3, from_stroke5, to_stroke3, to_stroke5
from raster.vector.svg import to_svg
from raster.vector.svg_read import from_svg

__all__ = [
    "Drawing",
    "from_quickdraw",
    "from_stroke3",
    "from_stroke5",
    "from_svg",
    "pad",
    "to_quickdraw",
    "to_stroke3",
    "to_stroke5",
    "to_svg",
]
