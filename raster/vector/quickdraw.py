"""QuickDraw's ndjson: a drawing a line, simplified (256 x 256) or raw (any coordinates, and when each point was drawn).

The dataset's simplified drawings stand at the top left, the longer side from 0 to 255; here 0 is the canvas's left or
upper edge and 255 the right or lower one. Raw drawings are put there in the same way.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from raster.curves import flatten, pieces_for
from raster.errors import InputError
from raster.shapes import Float, Tensor
from raster.strokes import Strokes
from raster.vector.padding import polylines

#: A longer line is no drawing.
MOST_BYTES = 16_000_000
#: The last of the 256 places along a side.
LAST = 255
_WORDS = ("word", "key_id", "countrycode", "timestamp")


@dataclass(frozen=True, eq=False)
class Drawing:
    """One line of a file: the strokes, and what the file says of them (empty or None where it says nothing).

    Attributes:
        strokes: polylines [n, p, 2] in canvas coordinates, shorter ones repeating their last point.
        times: of a raw drawing, when each point was drawn, milliseconds [n, p].
        word: what the player was asked to draw.
        key_id: the drawing's own number.
        recognized: whether the game knew it.
        countrycode: where the player was.
        timestamp: when it was drawn.
    """

    strokes: Strokes
    times: Float[Tensor, "n p"] | None = None
    word: str = ""
    key_id: str = ""
    recognized: bool | None = None
    countrycode: str = ""
    timestamp: str = ""


def from_quickdraw(source: str | PathLike[str] | Iterable[str | bytes]) -> Iterator[Drawing]:
    """The drawings of a file, or of lines from elsewhere, one after another; empty lines are none.

    A ``str`` that begins with "{" is the lines themselves, any other the path of a file.

    ``pad`` makes a batch of them: ``pad([each.strokes for each in from_quickdraw("cat.ndjson")])``. A stroke of three
    lists (x, y, t) is raw: such a drawing is moved to the top left and scaled so that its longer side is the canvas's,
    as the dataset's authors did.

    Raises ``InputError`` with the file and the line for what cannot be read, when its turn comes.

    >>> first, = from_quickdraw(['{"word": "line", "drawing": [[[0, 255], [0, 255]], [[51], [0]]]}'])
    >>> first.word, first.strokes.points[0].tolist()
    ('line', [[-1.0, -1.0], [1.0, 1.0]])
    """
    if isinstance(source, str) and source.lstrip().startswith("{"):
        return _of_lines(source.split("\n"), "line ")  # not splitlines: a word may hold a line separator
    if isinstance(source, str | PathLike):
        return _of_file(Path(source))
    return _of_lines(source, "line ")


def to_quickdraw(
    strokes: Strokes,
    word: str | Sequence[str] = "",
    *,
    key_id: str | Sequence[str] = "",
    countrycode: str = "",
    timestamp: str = "",
    recognized: bool = True,
    fit: bool = False,
) -> str:
    """Sketches as lines of QuickDraw's simplified form, one a sketch, in the order of the batch dimensions.

    Coordinates are whole numbers, 0 to 255 from edge to edge of a square canvas. Curves become polylines that stray
    from them by less than one of those steps; a point that repeats the one before it is left out, and so are strokes
    of presence 0. Widths, colours and other presences have no place in the format.

    Args:
        strokes: any number of sketches, points of two coordinates.
        word: what they show: one word, or one for each.
        key_id: their numbers; left out, they are counted from 0.
        countrycode: of whoever drew them.
        timestamp: when they were drawn.
        recognized: whether they were.
        fit: move and scale each drawing to the top left, its longer side from 0 to 255, as the dataset's are. Left
            out, each stays where it is on the canvas.

    Raises ``InputError`` for points outside the canvas (unless ``fit``), not finite or not of two coordinates, and
    words that are not as many as sketches.

    >>> print(to_quickdraw(Strokes(torch.tensor([[[-1.0, -1.0], [1.0, 0.0]]])), "slope"), end="")
    {"word":"slope","countrycode":"","timestamp":"","recognized":true,"key_id":"0","drawing":[[[0,255],[0,128]]]}
    """
    points = strokes.points.detach()
    if points.shape[-1] != 2:
        raise InputError(f"points of {points.shape[-1]} coordinates", "to_quickdraw", "expected 2")
    if not bool(torch.isfinite(points).all()):
        raise InputError("a coordinate that is not finite", "to_quickdraw", "coordinates must be finite")
    plain = Strokes(points.double().cpu(), strokes.kind, knots=strokes.knots)
    drawn = flatten(plain, pieces_for(plain, 1.0, LAST + 1, 0.5)[0])
    drawn = drawn.reshape(math.prod(strokes.batch_shape), *drawn.shape[-3:])  # [b n v 2]
    present = torch.ones(drawn.shape[:2], dtype=torch.bool)
    if strokes.presence is not None:
        present = strokes.presence.detach().cpu().reshape(drawn.shape[:2]) > 0
    words = [word] * len(drawn) if isinstance(word, str) else list(word)
    keys = list(key_id) if not isinstance(key_id, str) else [key_id or str(n) for n in range(len(drawn))]
    for what, given in (("words", words), ("key_ids", keys)):
        if len(given) != len(drawn):
            raise InputError(f"{len(given)} {what} for {len(drawn)} sketches", "to_quickdraw", "give one for each")
    lines = []
    for number, (sketch, there) in enumerate(zip(drawn, present, strict=True)):
        row = {
            "word": words[number],
            "countrycode": countrycode,
            "timestamp": timestamp,
            "recognized": recognized,
            "key_id": keys[number],
            "drawing": _places(sketch[there], fit, f"sketch {number}"),
        }
        lines.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
    return "".join(lines)


def _places(sketch: Float[Tensor, "n v 2"], fit: bool, where: str) -> list[list[list[int]]]:
    """Strokes as QuickDraw's lists, [n][2][...]."""
    if fit and sketch.numel():
        sketch = _top_left(sketch) / LAST * 2 - 1
    elif sketch.numel() and float(sketch.abs().max()) > 1 + 1e-6:
        raise InputError("points outside the canvas", f"to_quickdraw, {where}", "QuickDraw has no place: give fit=True")
    steps = ((sketch + 1) * (LAST / 2)).round().clamp(0, LAST).long()
    found = []
    for stroke in steps:
        moved = torch.cat([torch.ones(1, dtype=torch.bool), (stroke.diff(dim=0) != 0).any(-1)])
        found.append(stroke[moved].T.tolist())
    return found


def _top_left(points: Float[Tensor, "*any 2"]) -> Float[Tensor, "*any 2"]:
    """Coordinates from 0, the longer side to 255; a drawing without extent lies at 0."""
    flat = points.reshape(-1, 2)
    low = flat.amin(0)
    extent = float((flat.amax(0) - low).max())
    return (points - low) * (LAST / extent if extent > 0 else 0.0)


def _of_file(path: Path) -> Iterator[Drawing]:
    try:
        with path.open("rb") as file:
            lines = iter(lambda: file.readline(MOST_BYTES + 1), b"")
            yield from _of_lines(lines, f"{path.name}, line ")
    except OSError as error:
        raise InputError(f"cannot read drawings: {error.strerror}", path, "give an .ndjson file") from None


def _of_lines(lines: Iterable[str | bytes], where: str) -> Iterator[Drawing]:
    for number, line in enumerate(lines, 1):
        if len(line) > MOST_BYTES:
            raise InputError("a line too long for a drawing", f"{where}{number}", f"at most {MOST_BYTES} bytes")
        if line.strip():
            yield _drawing(line, f"{where}{number}")


def _drawing(line: str | bytes, where: str) -> Drawing:
    try:
        found = json.loads(line if isinstance(line, str) else line.decode("utf-8"))
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or a number of thousands of digits
        raise InputError("not a line of JSON", where, 'expected {..., "drawing": [[[x...],[y...]], ...]}') from None
    drawing = found.get("drawing") if isinstance(found, dict) else None
    if not isinstance(drawing, list):
        raise InputError("a line without a drawing", where, 'expected {..., "drawing": [[[x...],[y...]], ...]}')
    told = {name: _word(found, name, where) for name in _WORDS}
    recognized = found.get("recognized")
    if not isinstance(recognized, bool | None):
        raise InputError(f"recognized is {recognized!r}", where, "expected true or false")
    read = [_stroke(stroke, f"{where}, stroke {n}") for n, stroke in enumerate(drawing)]  # each [length, 2 or 3]
    if len({each.shape[-1] for each in read}) > 1:
        raise InputError("some strokes with times and some without", where, "expected [x, y], or [x, y, t], in each")
    rows = polylines(read, where)
    places, times = rows[..., :2], rows[..., 2] if rows.shape[-1] == 3 and read else None
    if times is not None:
        places = _top_left(places)
    points = (places / (LAST / 2) - 1).float() if read else rows
    return Drawing(Strokes(points, "polyline"), times, recognized=recognized, **told)


def _word(found: dict[str, Any], name: str, where: str) -> str:
    value = found.get(name, "")
    if isinstance(value, int) and not isinstance(value, bool) and name == "key_id":
        return str(value)
    if not isinstance(value, str):
        raise InputError(f"{name} is {value!r:.40}", where, "expected text")
    return value


def _stroke(stroke: object, where: str) -> Float[Tensor, "length columns"]:
    expected = "expected [[x...],[y...]], or with [t...], of as many finite numbers each, one at least"
    if not (isinstance(stroke, list) and len(stroke) in (2, 3) and all(isinstance(each, list) for each in stroke)):
        raise InputError("a stroke that is not two or three lists", where, expected)
    if len({len(each) for each in stroke}) != 1 or not stroke[0]:
        lengths = " and ".join(str(len(each)) for each in stroke)
        raise InputError(f"lists of {lengths} numbers", where, expected)
    if not all(type(value) in (int, float) for each in stroke for value in each):  # a bool is no number here
        raise InputError("a coordinate that is no number", where, expected)
    try:
        rows = torch.tensor([[float(value) for value in each] for each in stroke], dtype=torch.float64).T
    except OverflowError:
        rows = torch.tensor([[math.inf, math.inf]], dtype=torch.float64)
    # As large as float64 holds, but differences and scales of them must be finite too.
    if not bool((rows.abs() < 1e15).all()):
        raise InputError("a coordinate that is not finite, or beyond all canvases", where, expected)
    return rows
