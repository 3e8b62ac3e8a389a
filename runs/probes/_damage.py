"""Ways to damage a drawing, each a pure function of strokes and a strength; and the worst small change there is."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch

from raster import Strokes
from raster.shapes import Float, Tensor

Change = Callable[[Strokes, float, torch.Generator], Strokes]


@dataclass(frozen=True)
class Damage:
    """A kind of damage to strokes, at strengths of five severities.

    Attributes:
        strengths: rising in severity.
        unit: what a strength is.
        change: strokes with points [b, N, P, 2], a strength and a generator on the CPU to strokes.
    """

    strengths: tuple[float, ...]
    unit: str
    change: Change


def jitter(strokes: Strokes, strength: float, generator: torch.Generator) -> Strokes:
    """Every control point moved by Gaussian noise of this standard deviation, canvas units."""
    noise = torch.randn(strokes.points.shape, generator=generator)
    return replace(strokes, points=strokes.points + strength * noise.to(strokes.points))


def missing(strokes: Strokes, strength: float, generator: torch.Generator) -> Strokes:
    """This part of each drawing's strokes taken away, at random; at least one stays."""
    batch, count = strokes.points.shape[:2]
    gone = min(count - 1, round(strength * count))
    rank = torch.rand(batch, count, generator=generator).argsort(dim=1).argsort(dim=1)
    there = (rank >= gone).to(strokes.points)
    return replace(strokes, presence=there if strokes.presence is None else strokes.presence * there)


def rotation(strokes: Strokes, strength: float, generator: torch.Generator) -> Strokes:
    """Each drawing turned about the middle of the canvas by this angle, degrees, one way or the other."""
    way = torch.randint(2, (len(strokes.points), 1, 1), generator=generator).to(strokes.points) * 2 - 1
    angle = way * math.radians(strength)
    x, y = strokes.points.unbind(dim=-1)
    turned = [x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()]
    return replace(strokes, points=torch.stack(turned, dim=-1))


def width(sigma2: float) -> Change:
    """Lines this many times as wide (their width; its square for ``sigma2``), of a canvas with this ``sigma2``."""

    def change(strokes: Strokes, strength: float, generator: torch.Generator) -> Strokes:
        if strokes.width is not None:
            return replace(strokes, width=strokes.width * strength)
        own = strokes.points.new_tensor(sigma2) if strokes.sigma2 is None else strokes.sigma2
        return replace(strokes, sigma2=own * strength**2)

    return change


def damages(sigma2: float) -> Mapping[str, Damage]:
    """Every damage that is done to strokes, by name; ``sigma2`` is the canvas's."""
    return {
        "jitter": Damage((0.01, 0.02, 0.04, 0.08, 0.16), "canvas units", jitter),
        "missing": Damage((0.1, 0.25, 0.5, 0.75, 0.9), "part of the strokes", missing),
        "rotation": Damage((5.0, 15.0, 30.0, 60.0, 90.0), "degrees", rotation),
        "thicker": Damage((1.25, 1.5, 2.0, 3.0, 4.0), "times as wide", width(sigma2)),
        "thinner": Damage((0.8, 0.67, 0.5, 0.33, 0.25), "times as wide", width(sigma2)),
    }


Norm = Literal["linf", "l2"]


def attack(
    strokes: Strokes,
    wrong: Callable[[Strokes], Float[Tensor, " b"]],
    size: float,
    norm: Norm = "linf",
    steps: int = 10,
) -> Strokes:
    """The worst change of the control points that projected gradient ascent finds (PGD, Madry et al. 2018).

    It starts from the drawing itself and keeps, of all that it meets on the way, what is worst: so no drawing is ever
    better off for being attacked.

    Args:
        strokes: points [b, N, P, 2].
        wrong: how wrong the receiver is about each drawing, differentiable in the points; above 0 it is lost.
        size: of the change, canvas units: under ``linf`` no coordinate moves further; under ``l2`` their root mean
            square over a drawing is no larger, that is, the norm is at most ``size`` times the square root of how many
            coordinates there are.
        norm: with steps by the gradient's sign (``linf``), or along it (``l2``).
        steps: each 2.5 / steps of the size.
    """
    start = strokes.detach()
    most = math.sqrt(math.prod(start.points.shape[1:])) * size  # of the l2 norm
    moved = torch.zeros_like(start.points)
    worst, best = moved, torch.full(strokes.batch_shape, -torch.inf).to(moved)

    def keep(now: Float[Tensor, " b"]) -> None:
        nonlocal worst, best
        better = now.detach() > best
        best = torch.where(better, now.detach(), best)
        worst = torch.where(better[:, None, None, None], moved.detach(), worst)

    for _ in range(steps):
        moved = moved.detach().requires_grad_()
        with torch.enable_grad():
            found = wrong(replace(start, points=start.points + moved))
            (slope,) = torch.autograd.grad(found.sum(), moved)
        keep(found)
        with torch.no_grad():
            if norm == "linf":
                moved = (moved + 2.5 / steps * size * slope.sign()).clamp(-size, size)
            else:
                along = slope / _length(slope).clamp(min=1e-12)
                moved = moved + 2.5 / steps * most * along
                moved = moved * (most / _length(moved).clamp(min=1e-12)).clamp(max=1.0)
    with torch.no_grad():
        keep(wrong(replace(start, points=start.points + moved)))
    return replace(start, points=start.points + worst)


def noise_of_size(strokes: Strokes, size: float, generator: torch.Generator, norm: Norm = "linf") -> Strokes:
    """A random change of the control points that is as large as an attack may be.

    Under ``linf`` every coordinate moves by exactly ``size``, one way or the other; under ``l2`` the direction is
    uniform and the root mean square of the coordinates is ``size``.
    """
    shape = strokes.points.shape
    if norm == "linf":
        way = torch.randint(2, shape, generator=generator).to(strokes.points) * 2 - 1
    else:
        way = torch.randn(shape, generator=generator).to(strokes.points)
        way = way * math.sqrt(math.prod(shape[1:])) / _length(way)
    return replace(strokes, points=strokes.points + size * way)


def _length(points: Float[Tensor, "b n p d"]) -> Float[Tensor, "b 1 1 1"]:
    return points.flatten(1).norm(dim=1)[:, None, None, None]
