"""Scenes as data: the objects, where the camera stood, and the way to a set's channels and back."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from games.scenes.vocabulary import ATTRIBUTES, RADIUS, REACH, Colour, Material, Shape, Size
from perception.sets import CLEVR, pack
from raster.errors import InputError
from raster.shapes import Float, Tensor

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Thing:
    """One object of a scene.

    Attributes:
        shape, size, material, color: CLEVR's words.
        coords: its centre (x, y, z) in units of the world, z up, the ground at 0.
        rotation: about the upright, in degrees.
        pixel: where its centre is in the picture, (x, y) in pixels from the top left, and how deep, along the camera's
            axis; None where nobody said.
        box: x0, y0, x1, y1 of the whole object in pixels, hidden parts included, cut at the picture's edges.
        seen_box: the same of what is seen of it.
        visibility: the part of it that is seen, 0..1; None where nobody said.
    """

    shape: Shape
    size: Size
    material: Material
    color: Colour
    coords: tuple[float, float, float]
    rotation: float = 0.0
    pixel: tuple[float, float, float] | None = None
    box: Box | None = None
    seen_box: Box | None = None
    visibility: float | None = None

    @property
    def radius(self) -> float:
        """Half its height, in units of the world."""
        return RADIUS[self.size]

    @property
    def words(self) -> str:
        """As one would call it: "small red metal cube"."""
        return f"{self.size} {self.color} {self.material} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """Objects on a ground, and which way is left, right, front and behind for who looks (unit vectors)."""

    things: tuple[Thing, ...]
    directions: dict[str, tuple[float, float, float]]

    def relationships(self, margin: float = 0.2) -> dict[str, list[list[int]]]:
        """For each direction and object, which others lie further that way by more than `margin` (CLEVR's 0.2)."""
        found = {}
        for name, towards in self.directions.items():
            if name in {"above", "below"}:
                continue
            along = [sum(x * d for x, d in zip(thing.coords, towards, strict=True)) for thing in self.things]
            found[name] = [[j for j, b in enumerate(along) if j != i and b > a + margin] for i, a in enumerate(along)]
        return found


def to_sets(scenes: Sequence[Scene], slots: int = 10) -> Float[Tensor, "b {slots} 19"]:
    """Scenes as sets of `slots` slots, [B, N, 19]: coordinates / 3, one-hot attributes, presence (last).

    Raises InputError for no scene at all, for more objects than slots and for coordinates that are not finite.
    """
    return pack([_rows(scene) for scene in scenes], slots)


def _rows(scene: Scene) -> Float[Tensor, "n 18"]:
    rows = torch.zeros(len(scene.things), CLEVR.channels - 1)
    for row, thing in zip(rows, scene.things, strict=True):
        row[:3] = torch.tensor(thing.coords) / REACH
        for where, (name, values) in zip(CLEVR.attributes, ATTRIBUTES.items(), strict=True):
            row[where][values.index(getattr(thing, name))] = 1.0
    return rows


def from_set(elements: Float[Tensor, "n 19"], threshold: float = 0.5) -> Scene:
    """The scene that a set says, true or predicted: slots whose presence is above `threshold`, the likeliest words.

    Objects stand on the ground, whatever height was said; a set says nothing of rotation or of where one looks from.
    Raises InputError for elements that are not CLEVR's.
    """
    CLEVR.check(elements.shape[1])
    things = []
    for row in elements.detach().cpu():
        if row[-1] > threshold:
            said = {
                name: values[int(row[where].argmax())]
                for where, (name, values) in zip(CLEVR.attributes, ATTRIBUTES.items(), strict=True)
            }
            x, y = (float(each) * REACH for each in row[:2])
            things.append(Thing(**said, coords=(x, y, RADIUS[said["size"]])))  # type: ignore[arg-type, index]
    return Scene(tuple(things), {})


def boxes_of(scenes: Sequence[Scene], width: int, height: int, slots: int = 10) -> Float[Tensor, "b {slots} 5"]:
    """Objects' boxes as sets, [B, N, 5]: x0, y0, x1, y1 as parts of the picture, and presence.

    Raises InputError where a scene does not say its objects' boxes.
    """
    rows = []
    scale = torch.tensor([width, height, width, height], dtype=torch.float32)
    for index, scene in enumerate(scenes):
        found = [thing.box for thing in scene.things]
        if any(box is None for box in found):
            raise InputError("an object has no box", f"scene {index}", "render the scene, or read it with its camera")
        rows.append(torch.tensor(found, dtype=torch.float32).reshape(-1, 4) / scale)
    return pack(rows, slots)
