"""SVG pictures as sketches: what is stroked in them."""

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from os import PathLike

import torch

from raster.curves import to_bezier
from raster.errors import InputError
from raster.strokes import KINDS, KNOTS, Strokes
from raster.vector._svg_shapes import IDENTITY, SHAPES, Matrix, Piece, Point, apply, outline, path, times, transform
from raster.vector._svg_strokes import Found, assembled
from raster.vector._svg_style import NUMBER, Colour, Rules, colour, length, sheet, styles
from raster.vector._svg_view import fitted, view_box
from raster.vector._svg_xml import Element, parse, read

#: Pieces of paths in a file, pixels along a side of a picture, and a coordinate in canvas units.
MOST_PIECES = 200_000
MOST_PIXELS = 32_768
FURTHEST = 1e9
_BLACK: Colour = (0.0, 0.0, 0.0, 1.0)
_GROUPS = frozenset({"svg", "g", "a"})
#: Draws nothing where it stands, or nothing at all.
_SILENT = frozenset(
    {"", "animate", "animateMotion", "animateTransform", "clipPath", "defs", "desc", "filter", "linearGradient"}
    | {"marker", "mask", "metadata", "pattern", "radialGradient", "script", "set", "style", "symbol", "title", "view"}
)
_TOLD = frozenset({"foreignObject", "image", "switch", "text", "use"})


@dataclass(frozen=True)
class _State:
    """What an element inherits."""

    matrix: Matrix  # to canvas coordinates
    viewport: Point  # what per cents of lengths mean
    ratio: float  # canvas units a pixel
    half: Point  # half the canvas, canvas units
    fill: str = "black"
    stroke: str = "none"
    width: float = 1.0
    stroke_opacity: float = 1.0
    opacity: float = 1.0
    color: str = "black"
    visible: bool = True
    fixed: bool = False  # the stroke's width is in pixels, whatever the transform
    kind: tuple[str, str] = ("", "")


@dataclass
class _Reader:
    """One file being read: its strokes in order, and what was left out of it."""

    name: str
    cut: bool
    found: list[Found] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    rules: Rules = field(default_factory=dict)
    pieces: int = 0
    shapes: int = 0


def from_svg(
    source: str | bytes | PathLike[str], *, cut: bool = False, colours: bool = True
) -> tuple[Strokes, tuple[int, int]]:
    """An SVG picture's strokes in the order of the file, in canvas coordinates, and its (height, width) in pixels.

    What ``to_svg`` wrote comes back of the same kind, to the decimals of the file: points, width, opacity (times
    presence) and colour. From elsewhere: paths, lines, polylines, polygons, rectangles, circles and ellipses, wherever
    they have a stroke, with transforms, nested ``svg`` elements, inherited and ``style`` properties and simple style
    sheets. Each sub-path is a stroke. All get the lowest kind that holds them exactly: points, lines, polylines,
    quadratic curves, or (chains of) cubic curves; a shorter polyline or chain repeats its last point, by which nothing
    is drawn. Arcs become cubic curves (off by 3e-4 of their radius at most).

    The colour of ink: if all strokes are black the sketch has no ``colour``, and is ink on paper as in the raster.
    Otherwise each has the colour that it has in the file, and ``rasterise(..., compose="over", background=1.0)`` shows
    it as a viewer does, on white. Group opacity counts for each stroke by itself.

    What is no stroke (fills, text, pictures, dashes, gradients, masks, ``use``) is left out, and one warning counts it;
    the paper that ``to_svg`` draws is none of it. Caps and joins are round, whatever the file says; where a transform
    stretches, a width is the mean one.

    Args:
        source: the picture itself (text that begins with "<", or bytes), or the path of a file. Nothing that it
            refers to is fetched, nothing in it is run, and limits keep it from filling the memory.
        cut: one stroke for each piece of a sub-path, so that all have the fewest points: points, lines, quadratic
            curves, or single cubic ones.
        colours: False takes every stroke as ink, whatever its colour.

    Raises ``InputError``, with the file and the line, for what is no SVG picture, a damaged path or transform, numbers
    that are not finite, a picture without a size, and what goes beyond the limits.

    >>> strokes, size = from_svg('<svg viewBox="0 0 20 10"><path stroke="#000" fill="none" d="M0 5h10"/></svg>')
    >>> strokes.kind, strokes.points.tolist(), size
    ('line', [[[-2.0, 0.0], [0.0, 0.0]]], (10, 20))
    """
    data, name, decoded = read(source)
    root = parse(data, name, decoded)
    reader = _Reader(name, cut)
    reader.rules, other = sheet("\n".join("".join(each.text) for each in _all(root) if each.name == "style"))
    reader.left["rules of style sheets"] += other
    size, state = _canvas(root, name)
    # Depth first and in order, without recursion: a deep file costs no stack.
    waiting = [(root, state)]
    while waiting:
        element, state = waiting.pop()
        inner = _enter(reader, element, state, element is root)
        if inner is None:
            continue
        if element.name in _GROUPS:
            waiting += [(child, inner) for child in reversed(element.children)]
        else:
            _draw(reader, element, inner)
    strokes = assembled(reader.found, colours, name)
    left = ", ".join(f"{what} ({number})" for what, number in sorted(reader.left.items()) if number)
    if left:
        warnings.warn(f"{name}: only strokes are read; left out: {left}", stacklevel=2)
    return strokes, size


def _all(element: Element) -> Iterator[Element]:
    waiting = [element]
    while waiting:
        each = waiting.pop()
        yield each
        waiting += reversed(each.children)


def _where(reader: _Reader, element: Element) -> str:
    return f"{reader.name}, line {element.line}"


def _canvas(root: Element, name: str) -> tuple[tuple[int, int], _State]:
    """The picture's size in pixels, and the state in which its root is entered."""
    box = view_box(root, name)
    across, down = (box[2], box[3]) if box else (0.0, 0.0)
    wide = length(root.attributes.get("width", "100%"), across)
    high = length(root.attributes.get("height", "100%"), down)
    if wide is None or high is None or wide <= 0 or high <= 0:
        raise InputError("a picture without a size", name, "give it a width and a height, or a viewBox")
    if max(wide, high) > MOST_PIXELS:
        raise InputError(f"a picture of {wide:g} x {high:g} pixels", name, f"at most {MOST_PIXELS} a side")
    width, height = max(1, round(wide)), max(1, round(high))
    ratio = 2 / min(width, height)
    half = (width * ratio / 2, height * ratio / 2)
    to_canvas = (ratio, 0.0, 0.0, ratio, -half[0], -half[1])
    matrix = times(to_canvas, fitted(root, box, (float(width), float(height))))
    return (height, width), _State(matrix, (across, down) if box else (wide, high), ratio, half)


def _enter(reader: _Reader, element: Element, state: _State, is_root: bool) -> _State | None:
    """An element's own state; None where nothing in it is drawn."""
    name, attributes = element.name, element.attributes
    if name not in SHAPES | _GROUPS:
        if name not in _SILENT:
            reader.left[f"<{name}>" if name in _TOLD else "other elements"] += 1
        return None
    own = styles(element, reader.rules)
    if own.get("display") == "none":
        return None
    matrix = state.matrix
    if "transform" in attributes and not is_root:
        matrix = times(matrix, transform(attributes["transform"], _where(reader, element)))
    viewport = state.viewport
    if name == "svg" and not is_root:
        matrix, viewport = _nested(reader, element, matrix, viewport)
    for what in ("clip-path", "mask", "filter"):
        reader.left[what] += own.get(what, "none") != "none"
    reader.left["dashes"] += own.get("stroke-dasharray", "none") not in ("none", "inherit", "0")
    diagonal = math.hypot(*viewport) / math.sqrt(2)
    width = length(own.get("stroke-width", ""), diagonal)
    # Something else than a colour is no declaration: what was inherited holds.
    stroke, fill, color = (_paint(own, key) for key in ("stroke", "fill", "color"))
    seen = own.get("visibility", "inherit")
    kind = (attributes.get("data-kind", state.kind[0]), attributes.get("data-knots", state.kind[1]))
    return replace(
        state,
        matrix=matrix,
        viewport=viewport,
        fill=fill or state.fill,
        stroke=stroke or state.stroke,
        color=color or state.color,
        width=state.width if width is None or width < 0 else width,
        stroke_opacity=_share(own.get("stroke-opacity"), state.stroke_opacity),
        opacity=state.opacity * _share(own.get("opacity"), 1.0),
        visible=state.visible if seen == "inherit" else seen == "visible",
        fixed=own.get("vector-effect") == "non-scaling-stroke",
        kind=kind,
    )


def _nested(reader: _Reader, element: Element, matrix: Matrix, viewport: Point) -> tuple[Matrix, Point]:
    where = _where(reader, element)
    get = element.attributes.get
    x, y = length(get("x", "0"), viewport[0]), length(get("y", "0"), viewport[1])
    wide, high = length(get("width", "100%"), viewport[0]), length(get("height", "100%"), viewport[1])
    if x is None or y is None or wide is None or high is None or wide < 0 or high < 0:
        raise InputError("a nested picture without a size", where, "give it x, y, width and height")
    box = view_box(element, where)
    placed = times(matrix, times((1.0, 0.0, 0.0, 1.0, x, y), fitted(element, box, (wide, high))))
    return placed, (box[2], box[3]) if box else (wide, high)


def _paint(own: dict[str, str], key: str) -> str:
    """A paint as it is inherited: a word or a colour; "" for none of its own."""
    text = own.get(key, "")
    if text in ("none", "currentColor", "currentcolor") or text.startswith("url("):
        return text
    found = colour(text)
    return "" if found is None else text if found[3] else "none"


def _share(text: str | None, otherwise: float) -> float:
    value = None if text is None else length(text, 1.0)
    return otherwise if value is None else min(max(value, 0.0), 1.0)


def _draw(reader: _Reader, element: Element, state: _State) -> None:
    """The strokes of one shape."""
    where = _where(reader, element)
    reader.shapes += 1
    name, attributes = element.name, element.attributes
    if not state.visible:
        return
    try:
        data = outline(name, attributes, state.viewport, where)
        subpaths = path(data, where, MOST_PIECES - reader.pieces)
    except InputError:
        raise
    except (ArithmeticError, ValueError):  # numbers with which no arc can be computed
        told = "a shape whose numbers are too large or too small"
        raise InputError(told, where, "draw it nearer the canvas") from None
    reader.pieces += sum(map(len, subpaths))
    is_paper = name == "rect" and reader.shapes == 1 and _covers(state, subpaths)
    if state.fill != "none" and name != "line" and subpaths and not is_paper:
        reader.left["fills"] += 1
    if state.stroke == "none" or state.width == 0:
        return
    paint = state.color if state.stroke.lower() == "currentcolor" else state.stroke
    if paint.startswith("url("):
        reader.left["gradients and patterns of strokes"] += 1
        paint = paint.partition(")")[2].strip()
    red, green, blue, alpha = colour(paint) or _BLACK
    a, b, c, d, _, _ = state.matrix
    scale = math.sqrt(abs(a * d - b * c))
    scale = state.ratio if state.fixed else scale
    if scale == 0:  # a transform that leaves no area leaves no stroke
        return
    look = (state.width * scale, state.opacity * state.stroke_opacity * alpha, (red, green, blue))
    for pieces in subpaths:
        kind, ends = _declared(state, pieces, attributes.get("data-ends", ""))
        drawn = [tuple(apply(state.matrix, point) for point in piece) for piece in pieces]
        numbers = [value for piece in drawn for point in piece for value in point]
        if not all(abs(value) < FURTHEST for value in numbers) or not 0 < look[0] < FURTHEST:
            told = "a stroke with a width or a coordinate that is not finite, or far beyond the canvas"
            raise InputError(told, where, "draw it nearer the canvas")
        if reader.cut:
            reader.found += [Found([piece], *look, kind="", ends=()) for piece in drawn]
        else:
            reader.found.append(Found(drawn, *look, kind=kind, ends=ends))


def _covers(state: _State, subpaths: list[list[Piece]]) -> bool:
    """Whether a shape covers the canvas, as the paper does that `to_svg` begins with."""
    corners = [apply(state.matrix, piece[0]) for pieces in subpaths for piece in pieces]
    # A hundredth of a pixel may be missing to rounding.
    return bool(corners) and all(
        min(point[axis] for point in corners) <= -state.half[axis] + state.ratio / 100
        and max(point[axis] for point in corners) >= state.half[axis] - state.ratio / 100
        for axis in (0, 1)
    )


def _declared(state: _State, pieces: list[Piece], outer: str) -> tuple[str, tuple[Point, ...]]:
    """The kind that `to_svg` wrote beside a path, and a spline's outermost points: only while they tell the truth.

    A spline whose path was changed by another program is the curve that stands in the file, and no spline.
    """
    kind, knots = state.kind
    if kind != "catmull-rom":
        return kind if kind in KINDS else "", ()
    numbers = [float(number) for number in re.findall(NUMBER, outer)]
    still = max(abs(value - one) for value, one in zip(state.matrix, IDENTITY, strict=True)) < 1e-5
    if len(numbers) != 4 or knots not in KNOTS or not still or any(len(piece) != 4 for piece in pieces):
        return "", ()
    ends = ((numbers[0], numbers[1]), (numbers[2], numbers[3]))
    joints = [pieces[0][0], *(piece[-1] for piece in pieces)]
    spline = Strokes(torch.tensor([[ends[0], *joints, ends[1]]], dtype=torch.float64), "catmull-rom", knots=knots)
    apart = (to_bezier(spline)[0] - torch.tensor(pieces, dtype=torch.float64)).abs().max()
    return (f"catmull-rom {knots}", ends) if float(apart) < 1e-5 else ("", ())
