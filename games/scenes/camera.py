"""Where one looks from: CLEVR's camera, what it sees where, and exact boxes of what it sees."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from games.scenes.scene import Box, Thing

Vector = NDArray[np.float64]

#: CLEVR's: location, Euler angles in degrees, a lens of 35 mm before a sensor of 32 mm, pictures of 3 : 2.
LOCATION = (7.48, -6.51, 5.34)
EULER = (63.56, 0.62, 46.69)
FOCAL = 35 / 32
ASPECT = 3 / 2


@dataclass(frozen=True)
class Camera:
    """A pinhole. The picture always shows CLEVR's field of view, 3 : 2; other shapes of picture squeeze it.

    Attributes:
        eye: where it is, [3].
        axes: rows right, up, backwards (away from what it sees), [3, 3].
    """

    eye: Vector
    axes: Vector

    @classmethod
    def at(cls, jitter: Vector | None = None) -> "Camera":
        """CLEVR's, moved by `jitter` [3]; it is not turned."""
        a, b, c = (math.radians(each) for each in EULER)
        about_x = np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
        about_y = np.array([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]])
        about_z = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
        eye = np.array(LOCATION) + (0.0 if jitter is None else jitter)
        return cls(eye, (about_z @ about_y @ about_x).T)

    @classmethod
    def of(
        cls, things: Sequence[Thing], directions: Mapping[str, tuple[float, float, float]], width: int, height: int
    ) -> "Camera | None":
        """The one that saw `things` where their ``pixel`` says, tilted as CLEVR's is and turned as `directions` say.

        Where a scene does not tell where it was seen from (CLEVR's do not, and each camera stood a little elsewhere),
        this finds it. None where an object has no ``pixel``, or no direction behind is told.
        """
        if "behind" not in directions or any(thing.pixel is None for thing in things):
            return None
        still = cls.at()
        told, usual = directions["behind"], still.directions()["behind"]
        turn = math.atan2(told[1], told[0]) - math.atan2(usual[1], usual[0])
        turned = np.array([[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0], [0, 0, 1]])
        axes = still.axes @ turned.T
        eyes = []
        for thing in things:
            assert thing.pixel is not None
            x, y, depth = thing.pixel
            across, up = (x / width - 0.5) * depth / FOCAL, (0.5 - y / height) * depth / (FOCAL * ASPECT)
            eyes.append(np.array(thing.coords) - np.array([across, up, -depth]) @ axes)
        return cls(np.mean(eyes, axis=0), axes)

    def directions(self) -> dict[str, tuple[float, float, float]]:
        """Left, right, front and behind along the ground, above and below: unit vectors."""
        behind = -self.axes[2] * (1, 1, 0)
        left = -self.axes[0] * (1, 1, 0)
        behind, left = behind / np.linalg.norm(behind), left / np.linalg.norm(left)
        up = np.array([0.0, 0.0, 1.0])
        pairs = {"right": -left, "behind": behind, "above": up, "below": -up, "left": left, "front": -behind}
        return {name: (float(v[0]), float(v[1]), float(v[2])) for name, v in pairs.items()}

    def project(self, points: Vector, width: int, height: int) -> Vector:
        """Points [n, 3] to pixels from the top left, and depth along the camera's axis: [n, 3]."""
        right, up, back = ((points - self.eye) @ self.axes.T).T
        depth = -back
        return np.stack(
            [
                (0.5 + FOCAL * right / depth) * width,
                (0.5 - FOCAL * ASPECT * up / depth) * height,
                depth,
            ],
            axis=1,
        )

    def box(self, thing: Thing, width: int, height: int) -> Box:
        """The box around the whole of an object, exact, in pixels, cut at the picture's edges."""
        spans = [_span(self._seen(thing), axis) for axis in (0, 1)]
        (left, right), (low, high) = spans
        x = sorted(min(max((0.5 + FOCAL * each) * width, 0.0), width) for each in (left, right))
        y = sorted(min(max((0.5 - FOCAL * ASPECT * each) * height, 0.0), height) for each in (low, high))
        return (x[0], y[0], x[1], y[1])

    def _seen(self, thing: Thing) -> list[tuple[Vector, Vector, Vector, Vector]]:
        """An object as round outlines in the camera's axes: a centre and up to three half-axes each."""
        to = self.axes
        centre = to @ (np.array(thing.coords) - self.eye)
        none, r = np.zeros(3), thing.radius
        up = to @ np.array([0, 0, r])
        if thing.shape == "sphere":
            return [(centre, to @ np.array([r, 0.0, 0.0]), to @ np.array([0.0, r, 0.0]), up)]
        turn = math.radians(thing.rotation)
        along = to @ np.array([r * math.cos(turn), r * math.sin(turn), 0.0])
        across = to @ np.array([-r * math.sin(turn), r * math.cos(turn), 0.0])
        if thing.shape == "cylinder":
            return [(centre + up, along, across, none), (centre - up, along, across, none)]
        corners = [(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]
        return [(centre + i * along + j * across + k * up, none, none, none) for i, j, k in corners]


def _span(outlines: list[tuple[Vector, Vector, Vector, Vector]], axis: int) -> tuple[float, float]:
    """The least and the greatest slope, coordinate `axis` by depth, of points on (half-)round outlines.

    A point c + A u with |u| = 1 has slope s where c_x - s d + (A_x - s A_d) u = 0, which some u on the circle or
    sphere meets if |c_x - s d| <= |A_x - s A_d|: the ends are the roots of a quadratic in s.
    """
    ends = []
    for centre, *half in outlines:
        c, d = centre[axis], -centre[2]
        a, e = np.array([each[axis] for each in half]), -np.array([each[2] for each in half])
        p, q, r = d * d - e @ e, c * d - a @ e, c * c - a @ a
        root = math.sqrt(max(q * q - p * r, 0.0))
        ends += [(q - root) / p, (q + root) / p]
    return min(ends), max(ends)
