"""Polylines of any number and length as one ``Strokes``."""

from collections.abc import Sequence

import torch

from raster.errors import InputError
from raster.shapes import Float, Tensor
from raster.strokes import Strokes

#: Control points that a file may come to, once every stroke is as long as the longest: 64 MB of coordinates.
MOST_POINTS = 8_000_000


def pad(sketches: Sequence[Strokes], count: int | None = None, points: int | None = None) -> Strokes:
    """Sketches of any numbers of polylines, of any lengths, as one batch [B, n, p, 2].

    A shorter polyline repeats its last point, which adds lines of no length: nothing is drawn by them. A sketch with
    fewer strokes gets strokes of presence 0 at its middle. What the sketches carry (width, colour, ...) is kept;
    the strokes added carry what the first stroke of their sketch carries, or else 1.

    Args:
        sketches: sketches without batch dimensions: lines or polylines, alike in what they carry.
        count: strokes a sketch; the most that one has, if left out.
        points: points a stroke; the most that one has, if left out, and 2 at least.

    Raises ``InputError`` for no sketches, a batch among them, other kinds, sketches that carry different things, or
    one that is larger than ``count`` and ``points`` allow.

    >>> one, two = Strokes(torch.zeros(1, 2, 2)), Strokes(torch.ones(3, 5, 2), "polyline")
    >>> both = pad([one, two])
    >>> tuple(both.points.shape), both.presence[0].tolist()
    ((2, 3, 5, 2), [1.0, 0.0, 0.0])
    """
    if not sketches:
        raise InputError("no sketches", "pad", "give one at least")
    for number, each in enumerate(sketches):
        if each.batch_shape or each.kind not in ("line", "polyline"):
            told = f"a batch of {list(each.batch_shape)}" if each.batch_shape else f"of kind {each.kind!r}"
            raise InputError(f"sketch {number} is {told}", "pad", "give single sketches of lines or polylines")
    most = max(each.count for each in sketches)
    longest = max(2, *(each.points.shape[-2] for each in sketches))
    count, points = most if count is None else count, longest if points is None else points
    if count < most or points < longest:
        larger = f"a sketch of {most} strokes and strokes of {longest} points"
        raise InputError(larger, f"pad to {count} strokes of {points} points", "allow more, or leave it out")
    refuse_large(len(sketches) * count * points, "pad")
    return Strokes.cat([_grown(each, count, points)._each(lambda value: value[None]) for each in sketches])


def _grown(sketch: Strokes, count: int, points: int) -> Strokes:
    missing, short = count - sketch.count, points - sketch.points.shape[-2]
    tensors = dict(sketch._tensors())
    present = tensors.pop("presence", None)
    drawn = tensors.pop("points")
    drawn = torch.cat([drawn, drawn[:, -1:].expand(-1, short, -1)], 1)
    grown = {"points": torch.cat([drawn, drawn.new_zeros(missing, points, drawn.shape[-1])])}
    for name, value in tensors.items():
        filler = value[:1] if len(value) else value.new_ones(1, *value.shape[1:])
        grown[name] = torch.cat([value, filler.expand(missing, *value.shape[1:])])
    present = drawn.new_ones(sketch.count) if present is None else present
    grown["presence"] = torch.cat([present, present.new_zeros(missing)])
    return Strokes(grown.pop("points"), "polyline", knots=sketch.knots, **grown)


def polylines(lines: Sequence[Float[Tensor, "_ d"]], where: str) -> Float[Tensor, "n p d"]:
    """Polylines of any lengths (1 at least) as one tensor, each repeating its last point; [0, 2, 2] of none.

    Raises ``InputError``, naming ``where``, if that would be more than ``MOST_POINTS``.
    """
    if not lines:
        return torch.zeros(0, 2, 2)
    longest = max(2, *(len(line) for line in lines))
    refuse_large(len(lines) * longest, where)
    missing = [longest - len(line) for line in lines]
    return torch.stack(
        [torch.cat([line, line[-1:].expand(n, -1)]) if n else line for line, n in zip(lines, missing, strict=True)]
    )


def refuse_large(points: int, where: str) -> None:
    if points > MOST_POINTS:
        told = f"{points} points, once every stroke is as long as the longest"
        raise InputError(told, where, f"at most {MOST_POINTS}; give less at once")
