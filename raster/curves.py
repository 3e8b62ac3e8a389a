"""Every primitive as a polyline, by a small differentiable expression; and how many pieces a curve needs."""

import math

import torch

from raster import engines
from raster._cpu import kernels
from raster._pool import Stage, spread
from raster.shapes import Float, Tensor
from raster.strokes import KNOTS, Strokes

#: What is drawn as it is.
STRAIGHT = ("point", "line", "polyline")
#: A chord may stray by this many sigmas from its curve: ink is then off by at most 0.03 (docs/raster.md).
STRAY = 0.035
#: Pieces of a curve where counting them would make a GPU wait, or a compiler stop.
FIXED = 32
MOST = 1024
#: Added to a squared distance of control points, canvas units: coincident ones have a spline and a gradient.
_TOUCH = 1e-8


def flatten(
    strokes: Strokes, pieces: int, steps: Float[Tensor, "*batch n v"] | None = None
) -> Float[Tensor, "*batch n v d"]:
    """The strokes as polylines of V vertices, differentiable in the control points, in canvas coordinates.

    Points, lines and polylines are what they are; a curve becomes ``pieces`` equal steps of its parameter (each of
    its cubics, if it is a chain or a spline), or has its vertices at the parameters that ``steps`` gives for each.
    Engines pass over what has no length at the end.
    """
    points = strokes.points
    if strokes.kind in STRAIGHT:
        return points
    bezier = to_bezier(strokes)
    if steps is not None:
        return _bernstein(bezier.shape[-2] - 1, steps).to(bezier) @ bezier.squeeze(-3)
    equal = torch.linspace(0, 1, pieces + 1, dtype=torch.float64)
    basis = _bernstein(bezier.shape[-2] - 1, equal).to(bezier)  # [pieces + 1, degree + 1]
    drawn = torch.einsum("kc,...cd->...kd", basis, bezier)  # [*batch n m pieces+1 d]
    first, rest = drawn[..., 0, :1, :], drawn[..., 1:, :].flatten(-3, -2)  # a joint is one vertex
    return torch.cat([first, rest], dim=-2)


def pieces_for(
    strokes: Strokes, sigma: float | Tensor, short: int, tolerance: float | None
) -> tuple[int, Float[Tensor, "*batch n"] | None]:
    """How many equal steps keep every chord within ``tolerance`` pixels of its curve, multiples of 4: the most that any
    stroke needs, and how many each does (None where that is not known, or for straight strokes).

    A Bézier curve of degree n strays from its chord by at most ``n (n - 1) max |D2 P| / (8 K^2)``, D2 P being the
    second differences of its control points. Without a tolerance it is ``STRAY`` sigmas. This waits for a GPU, so
    there, without a tolerance, and wherever numbers cannot be read (meta, ``vmap``, ``torch.compile``), the count is
    ``FIXED``.

    Args:
        strokes: curves, canvas coordinates.
        sigma: their sigma in pixels: one number, or one a stroke.
        short: pixels on the canvas's short side.
        tolerance: pixels.
    """
    points = strokes.points.detach()
    if strokes.kind in STRAIGHT or not points.numel():
        return 1, None
    if points.is_meta or torch.compiler.is_compiling() or (points.is_cuda and tolerance is None):
        return FIXED, None
    bezier = to_bezier(strokes.detach())
    degree = bezier.shape[-2] - 1
    bend = bezier.diff(n=2, dim=-2).square().sum(-1).amax((-2, -1)).sqrt() * (short / 2)  # [*batch n], pixels
    allowed = tolerance if tolerance is not None else STRAY * sigma
    wanted = (degree * (degree - 1) * bend / (8 * allowed)).sqrt()
    each = _fours(wanted)
    try:
        return int(each.amax()), each
    except RuntimeError:  # a tensor that vmap holds tells no number
        return FIXED, None


def steps_for(
    strokes: Strokes, sigma: float | Tensor, short: int, tolerance: float | None
) -> tuple[int, Float[Tensor, "*batch n v"] | None]:
    """The parameters at which strokes of one curve have their vertices, so that every chord keeps within ``tolerance``:
    closer where a curve turns, and 1 again at the end where another stroke of the call needs more. With the number of
    pieces, which is all there is (None) for strokes of several curves, and where ``pieces_for`` cannot tell.

    Each quarter of the parameter has as many as it needs, which are some 40 % fewer than ``pieces_for`` says, and which
    do not move with the curve but where their number changes: see ``raster._cpu_steps``.

    Args:
        strokes: as for ``pieces_for``, and so the rest.
        sigma: their sigma in pixels.
        short: pixels on the canvas's short side.
        tolerance: pixels.
    """
    most, equal = pieces_for(strokes, sigma, short, tolerance)
    points = strokes.points
    if (
        equal is None
        or points.shape[-2] > 4
        or points.shape[-1] != 2
        or not engines.NUMBA
        or strokes.kind == "catmull-rom"
    ):
        return most, None
    control = (points.detach() * (short / 2)).flatten(0, -3).double().cpu()
    allowed = torch.as_tensor(tolerance if tolerance is not None else STRAY * sigma).expand(equal.shape)
    counts = torch.empty(len(control), dtype=torch.int64)
    steps = torch.empty(len(control), most + 1, dtype=torch.float64)
    given = (control, allowed.flatten().double().cpu(), equal.flatten().long().cpu(), counts, steps)
    stage = Stage(kernels("steps").place, 1, len(control) * most, [each.numpy() for each in given])
    spread(len(control), stage)
    most = int(counts.amax())
    return most, steps[:, : most + 1].to(points).unflatten(0, equal.shape)


def _fours(count: Tensor) -> Tensor:
    """Multiples of 4 from 4 to ``MOST``, of numbers that may be none."""
    return (count.nan_to_num(0.0, MOST, 0.0) / 4).ceil().mul(4).clamp(4, MOST)


def to_bezier(strokes: Strokes) -> Float[Tensor, "*batch n m c d"]:
    """Each stroke as M Bézier curves end to end, C control points each; lines and polylines are curves of degree 1.

    A point has no curve: ask before.
    """
    points = strokes.points
    if strokes.kind == "catmull-rom":
        return _spline(points, KNOTS[strokes.knots])
    degree = {"line": 1, "polyline": 1, "quadratic": 2, "cubic": 3}[strokes.kind]
    return points.unfold(-2, degree + 1, degree).movedim(-1, -2)


def _spline(points: Float[Tensor, "*batch n p d"], power: float) -> Float[Tensor, "*batch n m 4 d"]:
    """A Catmull-Rom spline as cubic Bézier curves, one between each two inner points.

    The tangents are Barry & Goldman's (1988) for knots that are |distance|^power apart. Coincident points, where
    they divide 0 by 0, count as ``_TOUCH`` apart.
    """
    p0, p1, p2, p3 = (points[..., i : points.shape[-2] - 3 + i, :] for i in range(4))  # [*batch n m d]
    t1, t2, t3 = (
        ((b - a).square().sum(-1, keepdim=True) + _TOUCH).pow(power / 2) for a, b in ((p0, p1), (p1, p2), (p2, p3))
    )
    before = (t1 * t1 * (p2 - p1) + t2 * t2 * (p1 - p0)) / (3 * t1 * (t1 + t2))
    after = (t3 * t3 * (p2 - p1) + t2 * t2 * (p3 - p2)) / (3 * t3 * (t3 + t2))
    return torch.stack([p1, p1 + before, p2 - after, p2], dim=-2)


def _bernstein(degree: int, t: Float[Tensor, "*any k"]) -> Float[Tensor, "*any k c"]:
    """Bernstein polynomials of a degree at t."""
    s = 1 - t
    return torch.stack([math.comb(degree, i) * t**i * s ** (degree - i) for i in range(degree + 1)], dim=-1)
