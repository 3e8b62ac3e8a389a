"""How a picture's own coordinates are fitted to a place: SVG's viewBox and preserveAspectRatio."""

import math
import re

from raster.errors import InputError
from raster.vector._svg_shapes import IDENTITY, Matrix, Point
from raster.vector._svg_style import NUMBER
from raster.vector._svg_xml import Element


def view_box(element: Element, where: str) -> tuple[float, float, float, float] | None:
    """An element's viewBox: left, top, width and height, the last two above 0; None if it has none."""
    if "viewBox" not in element.attributes:
        return None
    text = element.attributes["viewBox"]
    numbers = re.findall(NUMBER, text)
    if len(numbers) != 4 or not all(math.isfinite(float(number)) for number in numbers):
        raise InputError(f"a viewBox {text!r:.40}", where, "expected four numbers")
    left, top, wide, high = (float(number) for number in numbers)
    if wide <= 0 or high <= 0:
        raise InputError(f"a viewBox {text!r:.40}", where, "its width and height must be above 0")
    return left, top, wide, high


def fitted(element: Element, box: tuple[float, float, float, float] | None, size: Point) -> Matrix:
    """From a viewBox to a place of ``size`` at 0, as ``preserveAspectRatio`` says."""
    if box is None:
        return IDENTITY
    left, top, wide, high = box
    words = element.attributes.get("preserveAspectRatio", "xMidYMid").split() or ["xMidYMid"]
    x, y = size[0] / wide, size[1] / high
    if words[0] != "none":
        x = y = max(x, y) if words[-1] == "slice" else min(x, y)
    parts = {"Min": 0.0, "Mid": 0.5, "Max": 1.0}
    right, down = parts.get(words[0][1:4], 0.5), parts.get(words[0][5:8], 0.5)
    if words[0] == "none":
        right = down = 0.0
    return x, 0.0, 0.0, y, right * (size[0] - wide * x) - left * x, down * (size[1] - high * y) - top * y
