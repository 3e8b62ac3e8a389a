"""Pictures of sets for the report: points, boxes, and objects rendered as the scene that a set says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from markupsafe import Markup

from games.scenes import LAMPS, Camera, from_set, render
from games.scenes.vocabulary import ATTRIBUTES
from perception.sets import CLEVR, Fields, assign
from raster.shapes import Float, Tensor, UInt8
from runs.report.figures import as_data_uri

SIDE = 120
"""Pixels a side of one small picture."""
FAINT = 0.05
"""Presence up to which a point is not drawn."""
INK, TRUE = "#22201c", "#9db8cf"


@dataclass(frozen=True)
class Cell:
    """A word or number of a table, and whether it is right."""

    text: str
    right: bool = True


@dataclass(frozen=True)
class Row:
    """A true object and what was said of it, or one that was said and is not there."""

    cells: tuple[Cell, ...]
    note: str = ""


def points(
    said: Float[Tensor, "n c"], true: Float[Tensor, "m c"], low: Sequence[float], high: Sequence[float], down: bool
) -> Markup:
    """Elements by their first two numbers (one number: along a line), the true ones as rings beneath.

    Args:
        said: a predicted set; a faint point is one of little presence, and one of hardly any is left out.
        true: the true set.
        low, high: the numbers at the picture's edges, (x, y).
        down: whether the second number grows downwards, as pixels do.
    """
    marks = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="none" stroke="{TRUE}" stroke-width="2"/>'
        for x, y, there in _placed(true, low, high, down)
        if there > 0.5
    ]
    marks += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{INK}" fill-opacity="{min(1.0, there):.2f}"/>'
        for x, y, there in _placed(said, low, high, down)
        if there > FAINT
    ]
    return _svg("".join(marks))


def _placed(
    elements: Tensor, low: Sequence[float], high: Sequence[float], down: bool
) -> list[tuple[float, float, float]]:
    """Where elements stand in the picture, and their presence; what lies outside is put at the edge."""
    found = []
    for element in elements.tolist():
        numbers = element[:-1]
        x, y = numbers[0], numbers[1] if len(numbers) > 1 else (low[1] + high[1]) / 2
        parts = [(value - a) / max(b - a, 1e-9) for value, a, b in ((x, low[0], high[0]), (y, low[1], high[1]))]
        x, y = (SIDE * min(1.0, max(0.0, part)) for part in parts)
        found.append((x, y if down else SIDE - y, element[-1]))
    return found


def boxes(said: Float[Tensor, "n 5"], true: Float[Tensor, "m 5"], picture: UInt8[Tensor, "3 h w"] | None) -> Markup:
    """Boxes over the picture, the true ones pale; those of little presence are left out."""
    size = f'width="{SIDE}" height="{SIDE}" preserveAspectRatio="none"'
    marks = "" if picture is None else f'<image href="{as_data_uri(picture)}" {size}/>'
    for elements, colour in ((true, TRUE), (said, "#ffffff")):
        for x0, y0, x1, y1, there in elements.tolist():
            if there > 0.5:
                x, y, width, height = (SIDE * each for each in (x0, y0, max(x1 - x0, 0), max(y1 - y0, 0)))
                place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
                marks += f'<rect {place} fill="none" stroke="{colour}" stroke-width="1.5"/>'
    return _svg(marks)


def scene(said: Float[Tensor, "n 19"]) -> Markup:
    """The scene that a set says, as a picture."""
    picture = imagined(said, SIDE * 3 // 2, SIDE)
    return Markup(f'<img src="{as_data_uri(picture)}" alt="the scene that is said">')  # noqa: S704 (bytes only)


def imagined(said: Float[Tensor, "n 19"], width: int, height: int) -> UInt8[Tensor, "3 {height} {width}"]:
    """The scene that a set says, from the camera's mean place, where a set tells no other."""
    told = from_set(said)
    told = type(told)(tuple(thing for thing in told.things if max(map(abs, thing.coords)) < 6), told.directions)
    made = render(told, Camera.at(np.zeros(3)), np.array(LAMPS), width, height, 2)
    return torch.from_numpy(made.pixels).permute(2, 0, 1)


def photo(picture: UInt8[Tensor, "3 h w"]) -> Markup:
    """A picture as it was told."""
    return Markup(f'<img class="photo" src="{as_data_uri(picture)}" alt="what was told">')  # noqa: S704 (bytes only)


def objects(said: Float[Tensor, "n 19"], true: Float[Tensor, "m 19"]) -> list[Row]:
    """True objects with what is said of each, wrong words marked, then what is said and is not there.

    Coordinates are in units of the world; one further off than 1 counts as wrong.
    """
    rows = []
    left = list(range(len(said)))
    real = true[true[:, -1] > 0.5]
    slots: list[int] = assign((said[:, None] - real[None]).square().sum(-1)[None])[0].tolist() if len(real) else []
    for element, slot in zip(real, slots, strict=True):
        left.remove(slot)
        answer = said[slot]
        far = 3 * float((answer[:3] - element[:3]).norm())
        cells = [Cell(_words(element))]
        cells += [Cell(word, word == wanted) for word, wanted in zip(_values(answer), _values(element), strict=True)]
        cells.append(Cell(f"{far:.2f} away", far <= 1))
        rows.append(Row((*cells, Cell(f"{float(answer[-1]):.2f}", float(answer[-1]) > 0.5))))
    for slot in left:
        if said[slot, -1] > 0.5:
            cells = [Cell("nothing", right=False), *(Cell(word, right=False) for word in _values(said[slot]))]
            rows.append(Row((*cells, Cell("-", right=False), Cell(f"{float(said[slot, -1]):.2f}", right=False))))
    return rows


def _values(element: Float[Tensor, "c"]) -> list[str]:
    return [
        values[int(element[where].argmax())]
        for where, values in zip(CLEVR.attributes, ATTRIBUTES.values(), strict=True)
    ]


def _words(element: Float[Tensor, "c"]) -> str:
    x, y = (3 * element[:2]).tolist()
    return f"{' '.join(_values(element))} at {x:.1f}, {y:.1f}"


def numbers(said: Float[Tensor, "n c"], true: Float[Tensor, "n c"], fields: Fields) -> list[Row]:
    """Of each class the numbers that its elements were given, those wrong that are double or too large, or missing."""
    kinds, places = fields.attributes

    def told(sets: Tensor) -> list[tuple[int, int]]:
        return sorted(zip(sets[:, kinds].argmax(-1).tolist(), sets[:, places].argmax(-1).tolist(), strict=True))

    given, wanted = told(said), told(true)
    rows = []
    for kind in range(fields.classes[0]):
        right = [number for each, number in wanted if each == kind]
        cells = []
        for number in (number for each, number in given if each == kind):
            cells.append(Cell(str(number), number in right))
            if number in right:
                right.remove(number)
        rows.append(Row((Cell(f"class {kind}"), *cells), f"missing {', '.join(map(str, right))}" if right else ""))
    return rows


def _svg(marks: str) -> Markup:
    return Markup(f'<svg viewBox="-6 -6 {SIDE + 12} {SIDE + 12}" role="img">{marks}</svg>')  # noqa: S704 (numbers and bytes)
