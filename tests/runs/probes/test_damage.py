"""Damage does what it says and no more; attacks stay in their norm and are never to a drawing's advantage."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import CanvasConfig, Strokes
from runs.probes._damage import Norm, attack, damages, jitter, missing, noise_of_size, rotation

CANVAS = CanvasConfig(size=16, sigma2=5e-3)
SIGMA2 = 5e-3


def some(kind: str = "line", batch: int = 6, count: int = 5, **carried: torch.Tensor) -> Strokes:
    points = {"line": 2, "cubic": 4}[kind]
    generator = torch.Generator().manual_seed(1)
    return Strokes(torch.rand(batch, count, points, 2, generator=generator) * 1.4 - 0.7, kind, **carried)


def noise() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("kind", ["jitter", "missing", "thicker", "thinner"])
def test_every_severity_is_worse_than_the_one_before_it(kind: str) -> None:
    damage = damages(SIGMA2)[kind]
    strokes = some("cubic", 20, 20)
    whole = CANVAS.draw(strokes)
    apart = [
        float((CANVAS.draw(damage.change(strokes, strength, noise())) - whole).square().mean())
        for strength in damage.strengths
    ]
    assert len(apart) == 5 and apart == sorted(apart) and apart[0] > 0


def test_jitter_moves_points_by_noise_of_its_strength() -> None:
    strokes = some(batch=200)
    moved = jitter(strokes, 0.08, noise()).points - strokes.points
    assert float(moved.std()) == pytest.approx(0.08, rel=0.05) and abs(float(moved.mean())) < 0.005
    half = jitter(strokes, 0.04, noise()).points - strokes.points
    assert torch.allclose(2 * half, moved, atol=1e-6)  # the same noise at every strength


@pytest.mark.parametrize(("part", "left"), [(0.0, 5), (0.2, 4), (0.5, 3), (0.9, 1), (1.0, 1)])
def test_missing_strokes_are_as_if_never_drawn(part: float, left: int) -> None:
    strokes = some()
    fewer = missing(strokes, part, noise())
    assert fewer.presence is not None and fewer.presence.sum(dim=1).tolist() == [left] * 6
    for row in range(6):
        alone = strokes[row].select(fewer.presence[row].nonzero()[:, 0])
        assert torch.allclose(CANVAS.draw(fewer[row]), CANVAS.draw(alone), atol=1e-5)


def test_strokes_that_were_not_there_stay_away() -> None:
    presence = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0]).expand(6, 5)
    fewer = missing(some(presence=presence), 0.2, noise())
    assert fewer.presence is not None and (fewer.presence <= presence).all()


@given(st.floats(0, 180))
def test_rotation_turns_about_the_middle_and_keeps_every_distance(angle: float) -> None:
    strokes = some()
    turned = rotation(strokes, angle, noise())
    assert torch.allclose(turned.points.norm(dim=-1), strokes.points.norm(dim=-1), atol=1e-5)
    one, other = strokes.points.flatten(1, 2), turned.points.flatten(1, 2)
    assert torch.allclose(torch.cdist(one, one), torch.cdist(other, other), atol=1e-3)
    cosine = (one * other).sum(-1) / one.square().sum(-1)
    assert torch.allclose(cosine, torch.full_like(cosine, math.cos(math.radians(angle))), atol=1e-3)


@pytest.mark.parametrize("times", [0.5, 3.0])
def test_lines_are_so_many_times_as_wide_whoever_says_their_width(times: float) -> None:
    change = damages(SIGMA2)["thicker"].change
    expected = CanvasConfig(size=16, sigma2=SIGMA2 * times**2).draw(some())
    own = {"sigma2": torch.tensor(SIGMA2), "width": torch.tensor(2 * math.sqrt(SIGMA2 * math.log(2)))}
    plain = change(some(), times, noise())
    assert torch.allclose(CANVAS.draw(plain), expected, atol=1e-5)
    for name, value in own.items():
        assert torch.allclose(CANVAS.draw(change(some(**{name: value}), times, noise())), expected, atol=1e-5), name


# Attacks


def inked(strokes: Strokes) -> torch.Tensor:
    """Something that is wrong with a drawing: ink in one corner, little of it elsewhere."""
    ink = CANVAS.draw(strokes)
    return ink[:, :8, :8].mean(dim=(1, 2)) - ink[:, 8:].mean(dim=(1, 2))


def size_of(moved: torch.Tensor, norm: Norm) -> torch.Tensor:
    rows = moved.flatten(1)
    return rows.abs().amax(dim=1) if norm == "linf" else rows.square().mean(dim=1).sqrt()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@settings(max_examples=20)
@given(st.floats(1e-3, 0.3), st.integers(1, 6))
def test_an_attack_stays_in_its_norm_and_never_helps(norm: Norm, size: float, steps: int) -> None:
    strokes = some("cubic")
    changed = attack(strokes, inked, size, norm, steps)
    assert (size_of(changed.points - strokes.points, norm) <= size * (1 + 1e-4) + 1e-6).all()
    assert (inked(changed) >= inked(strokes)).all()
    assert not changed.points.requires_grad


def test_an_attack_costs_a_canvas_with_gradients_a_step_and_one_more() -> None:
    asked: list[bool] = []

    def wrong(changed: Strokes) -> torch.Tensor:
        asked.append(changed.points.requires_grad)
        return inked(changed)

    attack(some(), wrong, 0.1, steps=7)
    assert asked == [True] * 7 + [False]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_where_the_worst_is_known_an_attack_finds_it(norm: Norm) -> None:
    strokes = some()
    slope = torch.randn(strokes.points.shape, generator=noise())

    def wrong(changed: Strokes) -> torch.Tensor:
        return (changed.points * slope).flatten(1).sum(dim=1)

    moved = attack(strokes, wrong, 0.05, norm).points - strokes.points
    if norm == "linf":
        best = 0.05 * slope.sign()
    else:
        rows = slope.flatten(1)
        best = (0.05 * math.sqrt(rows.shape[1]) * rows / rows.norm(dim=1, keepdim=True)).reshape(slope.shape)
    assert torch.allclose(moved, best, atol=1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_attack_does_more_than_noise_of_its_norm(norm: Norm) -> None:
    strokes = some("cubic", 40)
    hit = inked(attack(strokes, inked, 0.05, norm)) - inked(strokes)
    missed = inked(noise_of_size(strokes, 0.05, noise(), norm)) - inked(strokes)
    assert (hit > missed).all() and float(hit.mean()) > 3 * abs(float(missed.mean()))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_noise_beside_an_attack_has_exactly_its_norm(norm: Norm) -> None:
    strokes = some()
    moved = noise_of_size(strokes, 0.05, noise(), norm).points - strokes.points
    assert torch.allclose(size_of(moved, norm), torch.full((6,), 0.05), atol=1e-6)
    if norm == "linf":
        assert torch.allclose(moved.abs(), torch.full_like(moved, 0.05), atol=1e-6)


def test_a_flat_receiver_leaves_a_drawing_as_it_is() -> None:
    flat: Callable[[Strokes], torch.Tensor] = lambda strokes: (0 * strokes.points).flatten(1).sum(dim=1)  # noqa: E731
    for norm in ("linf", "l2"):
        assert torch.equal(attack(some(), flat, 0.1, norm).points, some().points)  # type: ignore[arg-type]
