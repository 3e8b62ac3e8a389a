"""Scenes that differ in one thing: one object that is there or not, stands elsewhere, or looks otherwise."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from games.scenes.layout import in_threads
from games.scenes.scene import Scene, Thing
from games.scenes.vocabulary import ATTRIBUTES, RADIUS, REACH
from games.scenes.world import Made, WorldConfig, keeps_off, make, shown
from raster.errors import InputError

#: What differs from a family's first scene: nothing in itself, whether the object is there, where it is, an attribute.
CHANGES = ("none", "presence", "position", "color", "size", "material", "shape")
#: How far an object that stands elsewhere has moved, at least, in units of the world.
MOVED = 1.0
_ATTEMPTS = 200


@dataclass(frozen=True)
class Family:
    """Scenes alike but for one object, seen by one camera under the same lamps.

    Attributes:
        made: the first is the scene itself; each other differs from it in one thing about one and the same object.
        changes: what that is, a number of ``CHANGES`` each; 0 for the first.
    """

    made: tuple[Made, ...]
    changes: tuple[int, ...]


def make_family(
    config: WorldConfig, variants: int, width: int, height: int, samples: int, seed: tuple[int, ...]
) -> Family:
    """A scene and its like, `variants` in all. The same seed gives the same bytes.

    One object of the scene is chosen. Each further scene has it gone, moved by `MOVED` at least, or of another colour,
    size, material or shape; all kinds of change come up once, in random order, before one comes up again with another
    value. So every two scenes of a family differ in that object alone: whoever has one of them sees an object more, one
    gone, one moved, or one that looks otherwise in the other. A scene without the object may have one less than
    ``config.least``.

    Raises InputError where no scene has so many variants that keep the rules (objects apart, each seen).
    """
    for attempt in range(_ATTEMPTS):
        first = make(config, width, height, samples, (*seed, attempt, 0))
        if not first.scene.things:
            continue
        found = _varied(config, first, variants, samples, np.random.default_rng((*seed, attempt, 1)))
        if len(found.made) == variants:
            return found
    raise InputError(
        f"no scene with {variants} variants was found in {_ATTEMPTS} attempts",
        "scenes",
        "ask for fewer variants or objects, a smaller gap or margin, or a smaller visible part",
    )


def make_families(
    config: WorldConfig, count: int, variants: int, *, width: int, height: int, samples: int = 2, seed: int = 0
) -> Iterator[Family]:
    """`count` families, in as many threads as torch has; family i hangs on `seed` and i alone. Raises as
    `make_family` does.
    """
    return in_threads(lambda index: make_family(config, variants, width, height, samples, (seed, index)), count)


def _varied(config: WorldConfig, first: Made, variants: int, samples: int, noise: np.random.Generator) -> Family:
    """As many variants of a scene as there are, at most so many."""
    height, width = first.rendered.owner.shape
    which = int(noise.integers(len(first.scene.things)))
    thing = first.scene.things[which]
    before, after = first.scene.things[:which], first.scene.things[which + 1 :]
    places = [thing.coords]

    def seen(other: Thing | None) -> Made | None:
        if other is not None and not keeps_off(config, other, before + after, first.camera):
            return None
        things = (*before, *(() if other is None else (other,)), *after)
        scene = Scene(things, first.scene.directions)
        return shown(config, scene, first.camera, first.lamps, width, height, samples)

    made, changes = [first], [0]
    ways = {int(kind): _ways(int(kind), thing, config, places, noise) for kind in 1 + noise.permutation(6)}
    while ways and len(made) < variants:
        for kind in list(ways)[: variants - len(made)]:
            found = next((each for other in ways[kind] if (each := seen(other)) is not None), None)
            if found is None:
                del ways[kind]
                continue
            made.append(found)
            changes.append(kind)
            if CHANGES[kind] == "position":
                places.append(found.scene.things[which].coords)
    return Family(tuple(made), tuple(changes))


def _ways(
    kind: int, thing: Thing, config: WorldConfig, places: list[tuple[float, float, float]], noise: np.random.Generator
) -> Iterator[Thing | None]:
    """What may stand in an object's place, one after another, in random order; None for nothing.

    `places` are those that it has had.
    """
    name = CHANGES[kind]
    if name == "presence":
        yield None
    elif name == "position":
        for _ in range(config.tries):
            x, y = (REACH * (2 * noise.random(2) - 1)).tolist()
            if all(np.hypot(x - each[0], y - each[1]) >= MOVED for each in places):
                yield replace(thing, coords=(x, y, thing.coords[2]))
    else:
        for number in noise.permutation(len(ATTRIBUTES[name])):
            value = ATTRIBUTES[name][number]
            if value == getattr(thing, name):
                continue
            other = replace(thing, **{name: value})
            yield replace(other, coords=(*thing.coords[:2], RADIUS[other.size]))
