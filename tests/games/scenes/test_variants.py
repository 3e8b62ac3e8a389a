"""Scenes with variants: every two of a family differ in one and the same object, and in nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from games.scenes import CHANGES, Family, Made, Thing, WorldConfig, make_families, make_family
from games.scenes.variants import MOVED
from raster import InputError

WORLD = WorldConfig(least=2, most=4)
SIZE = {"width": 32, "height": 32, "samples": 1}


@pytest.fixture(scope="module")
def families() -> list[Family]:
    return list(make_families(WORLD, 12, 9, **SIZE, seed=3))


def looks(thing: Thing) -> Thing:
    """An object without what its picture says of it."""
    return replace(thing, pixel=None, box=None, seen_box=None, visibility=None)


def things(made: Made) -> list[Thing]:
    return [looks(thing) for thing in made.scene.things]


def test_each_variant_differs_from_the_scene_in_what_it_says(families: list[Family]) -> None:
    for family in families:
        first = things(family.made[0])
        assert family.changes[0] == 0 and len(family.made) == len(family.changes) == 9
        for made, change in zip(family.made[1:], family.changes[1:], strict=True):
            name, other = CHANGES[change], things(made)
            if name == "presence":
                assert len(other) == len(first) - 1 and all(thing in first for thing in other)
                continue
            ((one, two),) = [(a, b) for a, b in zip(first, other, strict=True) if a != b]
            if name == "position":
                apart = np.hypot(*(np.array(one.coords) - two.coords)[:2])
                assert apart >= MOVED and replace(two, coords=one.coords) == one
            else:
                assert getattr(one, name) != getattr(two, name)
                same = {name: getattr(one, name), "coords": (*two.coords[:2], one.radius)}
                assert replace(two, **same) == one


def test_every_two_of_a_family_differ_in_one_object(families: list[Family]) -> None:
    for family in families:
        shared = set.intersection(*(set(things(made)) for made in family.made))
        assert all(len(set(things(made)) - shared) <= 1 for made in family.made)
        assert len({tuple(things(made)) for made in family.made}) == 9  # no two are the same


def test_all_kinds_of_change_come_up_once_before_one_comes_up_again(families: list[Family]) -> None:
    counts = np.array([np.bincount(family.changes[1:], minlength=7)[1:] for family in families])
    assert (counts.sum(0) > 0).all()
    assert (counts >= 1).mean() > 0.8  # a kind is left out where no place, or nothing to be seen, is left
    assert {family.changes[1] for family in families} != {1}  # in random order


def test_variants_keep_the_rules_and_one_camera(families: list[Family]) -> None:
    for family in families:
        for made in family.made:
            assert (made.rendered.seen >= WORLD.visible).all()
            assert made.camera == family.made[0].camera
            assert np.array_equal(made.lamps, family.made[0].lamps)
            for number, a in enumerate(made.scene.things):
                for b in made.scene.things[:number]:
                    apart = np.hypot(*(np.array(a.coords) - b.coords)[:2])
                    assert apart - a.radius - b.radius >= WORLD.gap - 1e-9
        pixels = {made.rendered.pixels.tobytes() for made in family.made}
        assert len(pixels) == len(family.made)


def test_the_same_seed_gives_the_same_bytes(families: list[Family]) -> None:
    again = make_family(WORLD, 9, 32, 32, 1, (3, 2))
    assert again.changes == families[2].changes
    for one, two in zip(again.made, families[2].made, strict=True):
        assert np.array_equal(one.rendered.pixels, two.rendered.pixels)


def test_variants_that_cannot_be_are_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("games.scenes.variants._ATTEMPTS", 2)
    still = WorldConfig(least=1, most=1, visible=0.0, tries=1, gap=2)
    with pytest.raises(InputError, match=r"no scene with 40 variants was found in 2 attempts .*fewer variants"):
        make_family(still, 40, 16, 16, 1, (0,))
