"""Scenes to pictures, by casting rays: exact shapes, three lamps with shadows, metal that mirrors what is around it."""

import math
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from games.scenes.camera import ASPECT, FOCAL, Camera
from games.scenes.scene import Box, Scene
from games.scenes.vocabulary import MATERIALS, RGB, SHAPES

#: The ball around a shape, in radii of the shape.
_BALL = {"sphere": 1.0001, "cylinder": 1.4143, "cube": 1.7321}
#: Nobody's pixel: the ground.
GROUND = 0


@dataclass(frozen=True)
class Rendered:
    """A picture and what is known of it.

    Attributes:
        pixels: [H, W, 3] bytes, sRGB.
        owner: whose each pixel is, [H, W]: 0 the ground, i + 1 object i, by most of its rays.
        seen: the part of the picture's rays that meet each object first, [N].
        boxes: around the whole of each object, hidden parts included, [N, 4]: x0, y0, x1, y1 in pixels.
        visibility: the part of each object's rays in the picture that meet it first, [N]; 0 for one out of the picture.
    """

    pixels: NDArray[np.uint8]
    owner: NDArray[np.uint8]
    seen: NDArray[np.float64]
    boxes: NDArray[np.float64]
    visibility: NDArray[np.float64]

    def seen_box(self, index: int) -> Box | None:
        """Around an object's pixels, in pixels; None where it has none."""
        rows, columns = np.nonzero(self.owner == index + 1)
        if not len(rows):
            return None
        return (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))


@cache
def _kernels() -> ModuleType:
    """Numba and the kernels, when first needed: compiled once, then kept on disk."""
    return import_module("games.scenes._rays")


def render(
    scene: Scene, camera: Camera, lamps: NDArray[np.float64], width: int, height: int, samples: int = 2
) -> Rendered:
    """The picture of a scene.

    Args:
        scene: at most 254 objects.
        camera: from where.
        lamps: places of the key, fill and back lamp, [3, 3].
        width, height: pixels. The view is 3 : 2 whatever they are.
        samples: rays a pixel along each side; with more than one, shadows get soft edges.
    """
    count = len(scene.things)
    things = np.zeros((count, 9))
    for row, thing in zip(things, scene.things, strict=True):
        turn = math.radians(thing.rotation)
        row[:3] = thing.coords
        row[3:7] = thing.radius, SHAPES.index(thing.shape), math.cos(turn), math.sin(turn)
        row[7], row[8] = MATERIALS.index(thing.material), thing.radius * _BALL[thing.shape]
    colours = np.array([_linear(RGB[thing.color]) for thing in scene.things]).reshape(count, 3)
    pixels = np.empty((height, width, 3), np.uint8)
    owner = np.zeros((height, width), np.uint8)
    first, any_ = np.zeros(count, np.int64), np.zeros(count, np.int64)
    boxes = np.array([camera.box(thing, width, height) for thing in scene.things]).reshape(count, 4)
    where = np.floor(boxes[:, [1, 3, 0, 2]]).astype(np.int64)
    _kernels().cast(
        things,
        where,
        colours,
        camera.eye,
        camera.axes,
        FOCAL,
        FOCAL * ASPECT,
        lamps,
        samples,
        pixels,
        owner,
        first,
        any_,
    )
    return Rendered(pixels, owner, first / (width * height * samples**2), boxes, first / np.maximum(any_, 1))


def _linear(rgb: tuple[int, int, int]) -> list[float]:
    """Light of an sRGB colour, 0..1."""
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (each / 255 for each in rgb)]
