"""Making scenes up: what lies where, by CLEVR's rules, and who sees it from where."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from games.scenes.camera import Camera
from games.scenes.render import Rendered, render
from games.scenes.scene import Scene, Thing
from games.scenes.vocabulary import COLOURS, MATERIALS, RADIUS, REACH, SHAPES, SIZES
from raster.errors import InputError

#: CLEVR's lamps: key, fill and back.
LAMPS = ((6.45, -2.91, 4.26), (-4.67, -4.01, 3.01), (-1.17, 2.65, 5.82))


class WorldConfig(BaseModel):
    """What is random in a scene. The defaults are CLEVR's."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    least: int = Field(3, ge=0, le=32)
    """Objects at least."""
    most: int = Field(10, ge=0, le=32)
    """Objects at most."""
    gap: float = Field(0.25, ge=0, le=2)
    """Free ground between two objects, at least."""
    margin: float = Field(0.4, ge=0, le=2)
    """How far apart two objects are at least along the ground's left, right, front and behind, so that words for
    where things are have a meaning."""
    visible: float = Field(200 / (320 * 240), ge=0, le=0.1)
    """The part of the picture in which each object is seen, at least."""
    camera_jitter: float = Field(0.5, ge=0, le=2)
    """How far the camera may stand from its place, along each axis."""
    lamp_jitter: float = Field(1.0, ge=0, le=3)
    """The same of each lamp."""
    tries: int = Field(50, ge=1, le=1000)
    """Places that are tried for an object before the scene is begun again."""

    @model_validator(mode="after")
    def _in_order(self) -> "WorldConfig":
        if self.least > self.most:
            raise ValueError(f"least is {self.least}, most {self.most}: least cannot be more")
        return self


@dataclass(frozen=True)
class Made:
    """A scene that was made up, its picture, from where it was seen, and where the lamps stood, [3, 3]."""

    scene: Scene
    rendered: Rendered
    camera: Camera
    lamps: NDArray[np.float64]


def make(config: WorldConfig, width: int, height: int, samples: int, seed: tuple[int, ...]) -> Made:
    """A scene of `width` x `height` pixels, `samples` x `samples` rays a pixel. The same seed gives the same bytes.

    Raises InputError where objects of that many are not to be placed, or not to be seen, in a thousand attempts.
    """
    noise = np.random.default_rng(seed)
    for _ in range(1000):
        camera = Camera.at(_jitter(noise, config.camera_jitter, 1)[0])
        lamps = np.array(LAMPS) + _jitter(noise, config.lamp_jitter, 3)
        scene = _place(config, camera, noise, int(noise.integers(config.least, config.most + 1)))
        if scene is None:
            continue
        made = shown(config, scene, camera, lamps, width, height, samples)
        if made is not None:
            return made
    raise _too_full(config)


def shown(
    config: WorldConfig,
    scene: Scene,
    camera: Camera,
    lamps: NDArray[np.float64],
    width: int,
    height: int,
    samples: int,
) -> Made | None:
    """A scene with its picture; None where some object is hardly seen in it."""
    rendered = render(scene, camera, lamps, width, height, samples)
    if not (rendered.seen >= config.visible).all():
        return None
    return Made(_told(scene, camera, rendered, width, height), rendered, camera, lamps)


def keeps_off(config: WorldConfig, thing: Thing, others: Sequence[Thing], camera: Camera) -> bool:
    """Whether an object stands as far from all others as the rules ask."""
    axes = _axes(camera)
    return all(
        _apart(config, thing.coords[0] - o.coords[0], thing.coords[1] - o.coords[1], thing.radius + o.radius, axes)
        for o in others
    )


def place(config: WorldConfig, seed: tuple[int, ...]) -> Scene:
    """A scene of which no picture is made: objects by the same rules, but for being seen.

    The same seed gives the same scene. Raises InputError where objects of that many find no place in a thousand
    attempts.
    """
    noise = np.random.default_rng(seed)
    for _ in range(1000):
        camera = Camera.at(_jitter(noise, config.camera_jitter, 1)[0])
        scene = _place(config, camera, noise, int(noise.integers(config.least, config.most + 1)))
        if scene is not None:
            return scene
    raise _too_full(config)


def _too_full(config: WorldConfig) -> InputError:
    return InputError(
        f"no scene of {config.least} to {config.most} objects was found in a thousand attempts",
        "scenes",
        "ask for fewer objects, a smaller gap or margin, or a smaller visible part",
    )


def _jitter(noise: np.random.Generator, by: float, rows: int) -> NDArray[np.float64]:
    return by * (2 * noise.random((rows, 3)) - 1)


def _place(config: WorldConfig, camera: Camera, noise: np.random.Generator, count: int) -> Scene | None:
    """Objects that keep off each other; None where one of them found no place."""
    axes = _axes(camera)
    things: list[Thing] = []
    while len(things) < count:
        size = SIZES[int(noise.integers(len(SIZES)))]
        radius = RADIUS[size]
        for _ in range(config.tries):
            x, y = (REACH * (2 * noise.random(2) - 1)).tolist()
            if all(_apart(config, x - o.coords[0], y - o.coords[1], radius + o.radius, axes) for o in things):
                break
        else:
            return None
        words = {
            "shape": SHAPES[int(noise.integers(len(SHAPES)))],
            "material": MATERIALS[int(noise.integers(len(MATERIALS)))],
            "color": COLOURS[int(noise.integers(len(COLOURS)))],
        }
        things.append(Thing(size=size, coords=(x, y, radius), rotation=360 * float(noise.random()), **words))  # type: ignore[arg-type]
    return Scene(tuple(things), camera.directions())


def _axes(camera: Camera) -> list[tuple[float, float]]:
    """Right and behind along the ground."""
    directions = camera.directions()
    return [directions[name][:2] for name in ("right", "behind")]


def _apart(config: WorldConfig, dx: float, dy: float, radii: float, axes: list[tuple[float, float]]) -> bool:
    return math.hypot(dx, dy) - radii >= config.gap and all(abs(dx * ax + dy * ay) >= config.margin for ax, ay in axes)


def _told(scene: Scene, camera: Camera, rendered: Rendered, width: int, height: int) -> Scene:
    """The scene with what its picture says of each object."""
    things = []
    for index, thing in enumerate(scene.things):
        x, y, depth = camera.project(np.array([thing.coords]), width, height)[0].tolist()
        things.append(
            replace(
                thing,
                pixel=(x, y, depth),
                box=tuple(rendered.boxes[index].tolist()),
                seen_box=rendered.seen_box(index),
                visibility=float(rendered.visibility[index]),
            )
        )
    return replace(scene, things=tuple(things))
