"""The ``tile`` engine against the reference: picture, gradients, and that no pixel is lost by leaving tiles out."""

import itertools
import math
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import Strokes, _op, _tile, rasterise, reference
from raster.drawing import LOSSLESS
from raster.reference import FAR, HALF, TENT

COMPOSITIONS, RESPONSES = ("softor", "over", "max", "sum"), ("gaussian", "linear", "hard")
WORDS = list(itertools.product(COMPOSITIONS, RESPONSES))
Given = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor | None]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def strokes(
    compose: str, n: int, k: int, channels: int, size: tuple[int, int], seed: int, inverse: float = 0.5, batch: int = 2
) -> Given:
    """Random polylines, some of them off the canvas; ``channels`` of 0 is one channel without weights."""
    generator = torch.Generator().manual_seed(seed)
    height, width = size
    kind = {"generator": generator, "dtype": torch.float64}
    vertices = (torch.rand(batch, n, k, 2, **kind) * 1.6 - 0.3) * torch.tensor([width, height])
    if n > 2 and k > 1:
        if k == 2:
            vertices[:, 0, 1] = vertices[:, 0, 0]  # a point
        vertices[:, 1, 1, 1] = vertices[:, 1, 0, 1]  # begins level
        vertices[:, 2, 1, 0] = vertices[:, 2, 0, 0]  # begins upright
    inverse_sigma2 = (torch.rand(batch, n, **kind) + 0.5) * inverse
    weight = torch.rand(batch, n, max(1, channels), **kind) if channels or compose == "over" else None
    cover = torch.rand(batch, n, **kind) if compose == "over" else None
    return vertices, inverse_sigma2, weight, cover


def cuts(response: str, dtype: torch.dtype, cut: float | None) -> tuple[float, float]:
    end = {"linear": TENT, "hard": 2 * HALF}.get(response, math.inf)
    pair = LOSSLESS[dtype] if cut is None else (cut, cut)
    return min(pair[0], end), min(pair[1], end)


def clear(
    given: Given, size: tuple[int, int], compose: str, response: str, cut: float | None, by: float
) -> torch.Tensor:
    """Pixels [b 1 h w] that are not within rounding, ``by``, of an edge where picture or gradient jumps.

    That is: of the end of the ink; of being equally near to two segments; and of two strokes being equally dark.
    """
    vertices, inverse_sigma2, weight, _ = (None if each is None else each.double() for each in given)
    assert vertices is not None and inverse_sigma2 is not None
    rows, columns = (torch.arange(length, dtype=torch.float64) for length in size)
    pixels = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)
    a = vertices[:, :, : max(1, vertices.shape[2] - 1)]
    along = (vertices[:, :, 1:] - a if vertices.shape[2] > 1 else torch.zeros_like(a))[..., None, None, :]
    off = pixels - a[..., None, None, :]  # [b n s h w 2]
    t = ((off * along).sum(-1) / along.square().sum(-1).clamp(min=1e-12)).clamp(0, 1)
    way = off - t[..., None] * along
    distance2 = way.square().sum(-1)
    nearest, which = distance2.min(2, keepdim=True)
    z = nearest * inverse_sigma2[..., None, None, None]
    far = torch.ones_like(z, dtype=torch.bool)
    for edge in {"linear": (TENT,), "hard": (HALF, 2 * HALF), "gaussian": ()}[response] + ((cut,) if cut else ()):
        far &= (z - edge).abs() > by * (1 + edge)
    # Where two segments meet both are nearest, and the way is the same: that is no edge.
    chosen = way.gather(2, which[..., None].expand(*which.shape, 2))
    far &= (((distance2 - nearest) > by) | ((way - chosen).abs().amax(-1) < by)).all(2, keepdim=True)
    if compose == "max" and z.shape[1] > 1:
        ink = {"gaussian": torch.exp(-z), "linear": 1 - (z / TENT).sqrt(), "hard": (z <= HALF).double()}[response]
        shade = ink * (1 if weight is None else weight[:, :, :, None, None])  # [b n c h w]
        two = shade.clamp(min=0).topk(2, dim=1).values
        # Strokes that are not felt are equals, and nobody's gradient.
        far = far.all(1, keepdim=True) & ((two[:, 0] - two[:, 1] > by) | (two[:, 0] < 1e-9)).all(1)[:, None, None]
    return far.all(1)


def both(
    given: Given,
    size: tuple[int, int],
    compose: str,
    response: str,
    dtype: torch.dtype,
    cut: float | None = None,
    by: float = 1e-9,
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """What the engine and the float64 reference make of the same: the picture, and a gradient for each tensor."""
    given = tuple(None if each is None else each.to(dtype) for each in given)  # type: ignore[assignment]
    found = []
    mask = clear(given, size, compose, response, cut, by)
    channels = 1 if given[2] is None else given[2].shape[2]
    upstream = torch.randn(
        len(mask), channels, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    ).mul(mask)
    for engine in ("tile", "reference"):
        own = dtype if engine == "tile" else torch.float64
        leaves = [None if each is None else each.detach().to(own).requires_grad_() for each in given]
        if engine == "tile":
            picture, _ = _op.render(*leaves, *size, compose, response, *cuts(response, dtype, cut), engine)
        else:
            picture = reference.render(*leaves, size, compose, response, math.inf if cut is None else cut)
        there = [leaf for leaf in leaves if leaf is not None]
        gradients = torch.autograd.grad((picture * upstream.to(own)).sum(), there, allow_unused=True)
        # Hard ink has no gradient for places: the reference says None, the engine 0.
        found.append(
            [(picture.detach() * mask).double()]
            + [
                torch.zeros_like(leaf).double() if gradient is None else gradient.double()
                for gradient, leaf in zip(gradients, there, strict=True)
            ]
        )
    return found[0], found[1]


def close(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float) -> bool:
    return bool((ours - theirs).norm() <= tolerance * (theirs.norm() + 1))


@pytest.mark.parametrize(("compose", "response"), WORDS)
@settings(deadline=None, max_examples=12)
@given(
    st.integers(0, 6),
    st.sampled_from([1, 2, 5]),
    st.sampled_from([0, 1, 3]),
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from([0.01, 0.3, 4.0]),
    st.sampled_from([None, 1.3]),
    st.integers(0, 10**6),
)
def test_picture_and_gradients_equal_the_reference(
    compose: str,
    response: str,
    n: int,
    k: int,
    channels: int,
    height: int,
    width: int,
    inverse: float,
    cut: float | None,
    seed: int,
) -> None:
    size = (height, width)
    given = strokes(compose, n, k, channels, size, seed, inverse)
    ours, theirs = both(given, size, compose, response, torch.float64, cut)
    assert torch.allclose(ours[0], theirs[0], rtol=0, atol=1e-12)
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        assert close(mine, other, 1e-10)


@pytest.mark.parametrize(("compose", "response"), WORDS)
@pytest.mark.parametrize(("k", "channels"), [(1, 3), (2, 0), (33, 1)])
def test_single_precision_differs_by_rounding_only(compose: str, response: str, k: int, channels: int) -> None:
    given = strokes(compose, 7, k, channels, (21, 30), seed=k)
    ours, theirs = both(given, (21, 30), compose, response, torch.float32, by=1e-4)
    assert torch.allclose(ours[0], theirs[0], rtol=0, atol=1e-5)
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        assert close(mine, other, 2e-5)


def test_a_thousand_faint_strokes_add_up_in_single_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    vertices = torch.randint(0, 12, (1, 1000, 1, 2), generator=generator).double()
    weight = torch.rand(1, 1000, 1, generator=generator).double() * 1e-3
    given = vertices, torch.full((1, 1000), 0.125, dtype=torch.float64), weight, None
    ours, theirs = both(given, (12, 12), "softor", "gaussian", torch.float32)
    assert theirs[0].max() > 0.02
    assert torch.allclose(ours[0], theirs[0], rtol=0, atol=2e-7)
    assert all(close(mine, other, 1e-6) for mine, other in zip(ours[1:], theirs[1:], strict=True))


@pytest.mark.parametrize("compose", COMPOSITIONS)
@pytest.mark.parametrize(
    ("kind", "points", "response"),
    [("point", 1, "linear"), ("line", 2, "gaussian"), ("line", 2, "linear"), ("cubic", 4, "gaussian")],
)
def test_gradcheck_passes_through_the_public_function(compose: str, kind: str, points: int, response: str) -> None:
    generator = torch.Generator().manual_seed(points)
    numbers = {"generator": generator, "dtype": torch.float64}
    leaves = (
        torch.rand(1, 2, points, 2, **numbers) * 2 - 1,
        torch.rand(1, 2, **numbers) * 0.05 + 0.02,
        torch.rand(1, 2, **numbers) * 0.8 + 0.1,
        torch.rand(1, 2, 3, **numbers) * 0.8 + 0.1,
    )

    def draw(p: torch.Tensor, sigma2: torch.Tensor, opacity: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
        drawn = Strokes(p, kind, sigma2=sigma2, opacity=opacity, colour=colour)
        return rasterise(drawn, (4, 5), compose=compose, response=response, tolerance=0.2, engine="tile", check=False)

    assert torch.autograd.gradcheck(draw, tuple(leaf.requires_grad_() for leaf in leaves))


@pytest.mark.parametrize(("compose", "response"), WORDS)
@pytest.mark.parametrize("k", [2, 5])
def test_work_in_small_pieces_is_the_same_work(
    compose: str, response: str, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = strokes(compose, 9, k, 3, (40, 50), seed=3)
    monkeypatch.setitem(_tile._TESTED, "cpu", 20)
    monkeypatch.setitem(_tile._DRAWN, "cpu", 21)
    ours, theirs = both(given, (40, 50), compose, response, torch.float64)
    assert torch.allclose(ours[0], theirs[0], rtol=0, atol=1e-12)
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        assert close(mine, other, 1e-10)


def test_repeated_vertices_share_what_the_reference_gives_to_them() -> None:
    # A pixel whose nearest point they are is nearest to two segments: it is rounding that tells which is the first.
    vertices, inverse_sigma2, _, _ = strokes("softor", 6, 5, 0, (20, 20), seed=9)
    vertices[:, :, 2] = vertices[:, :, 1]
    ours, theirs = both((vertices, inverse_sigma2, None, None), (20, 20), "softor", "gaussian", torch.float64)
    for found in (ours, theirs):
        found[1][:, :, 1] += found[1][:, :, 2]
        found[1][:, :, 2] = 0
    assert theirs[1][:, :, 1].norm() > 0.1
    assert all(close(mine, other, 1e-10) for mine, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("compose", COMPOSITIONS)
@pytest.mark.parametrize("k", [2, 5])
def test_the_bits_depend_on_neither_threads_nor_neighbours(compose: str, k: int, threads: None) -> None:
    given = [None if each is None else each.float() for each in strokes(compose, 12, k, 3, (50, 60), seed=4, batch=30)]
    found = []
    for count in (1, 2, 3, 1):
        torch.set_num_threads(count)
        picture, kept = _tile.forward(*given, 50, 60, compose, "gaussian", 17.4)
        upstream = torch.rand(picture.shape, generator=torch.Generator().manual_seed(6))
        found.append((picture, kept, *_tile.backward(upstream, *given, kept, compose, "gaussian", 87.0)))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))
    one = [None if each is None else each[7:8] for each in given]
    assert torch.equal(_tile.forward(*one, 50, 60, compose, "gaussian", 17.4)[0], found[0][0][7:8])


@pytest.mark.parametrize("compose", COMPOSITIONS)
@pytest.mark.parametrize("which", ["vertices", "inverse_sigma2", "weight", "cover"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_no_number_shows_in_its_whole_canvas_and_no_other(compose: str, which: str, number: float) -> None:
    given = list(strokes(compose, 4, 2, 3, (12, 20), seed=5, batch=3))
    place = ["vertices", "inverse_sigma2", "weight", "cover"].index(which)
    whole, kept = _tile.forward(*given, 12, 20, compose, "gaussian", 37.4)
    if given[place] is None:
        assert compose != "over"  # the only composition with covers
        return
    fine = _tile.backward(torch.ones_like(whole), *given, kept, compose, "gaussian", 708.0)
    given[place] = given[place].clone()
    given[place][1, 2].flatten()[0].fill_(number) if given[place].ndim > 2 else given[place][1, 2].fill_(number)
    picture, kept = _tile.forward(*given, 12, 20, compose, "gaussian", 37.4)
    assert picture[1].isnan().all()
    assert torch.equal(picture[[0, 2]], whole[[0, 2]])
    for gradient, usual in zip(
        _tile.backward(torch.ones_like(whole), *given, kept, compose, "gaussian", 708.0), fine, strict=True
    ):
        if gradient.numel():
            assert gradient[1, 2].isnan().all()
            assert torch.equal(gradient[[0, 2]], usual[[0, 2]])


@pytest.mark.parametrize(("compose", "response"), WORDS)
@pytest.mark.parametrize("inverse", [1e-4, 0.5, 1e6])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_strange_strokes_give_finite_pictures_and_gradients(
    compose: str, response: str, inverse: float, k: int
) -> None:
    ends = [
        [0.25, 0.25, 0.25, 0.25],
        [3.0, 3.0, 3.0, 3.0 + 1e-7],
        [30.0, 30.0, 50.0, 40.0],
        [-FAR, 1.0, FAR, -1.0],
        [FAR, FAR, -FAR, -FAR],
        [FAR, 4.0, FAR, 5.0],
        [1e19, 1e19, 1e19, 1e19],
        [3.0, 3.0, 5.0, 3.0],
    ]
    vertices = torch.tensor(ends).reshape(1, -1, 2, 2).repeat(1, 1, 2, 1)[:, :, :k].contiguous()
    inverse_sigma2, weight = torch.full((1, 8), inverse), torch.ones(1, 8, 3)
    cover = torch.ones(1, 8) if compose == "over" else None
    for size, cut in itertools.product([(1, 1), (9, 20)], [17.4, math.inf]):
        given = vertices, inverse_sigma2, weight, cover
        picture, kept = _tile.forward(*given, *size, compose, response, cut)
        assert torch.isfinite(picture).all()
        for gradient in _tile.backward(torch.ones_like(picture), *given, kept, compose, response, cut):
            assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("compose", COMPOSITIONS)
@pytest.mark.parametrize(("b", "n", "k"), [(0, 3, 2), (2, 0, 2), (2, 0, 5), (0, 0, 1)])
def test_nothing_to_draw_leaves_paper(compose: str, b: int, n: int, k: int) -> None:
    given = torch.zeros(b, n, k, 2), torch.ones(b, n), torch.ones(b, n, 3), torch.ones(b, n)
    given = (*given[:3], given[3] if compose == "over" else None)
    picture, kept = _tile.forward(*given, 5, 7, compose, "gaussian", 17.4)
    assert torch.equal(picture, torch.zeros(b, 3, 5, 7))
    found = _tile.backward(torch.ones_like(picture), *given, kept, compose, "gaussian", 87.0)
    assert [each.shape for each in found[:3]] == [each.shape for each in given[:3]]


def test_the_first_of_equals_wins_and_nobody_where_nothing_is_felt() -> None:
    vertices = torch.tensor([[30.0, 4.0], [3.0, 4.0], [3.0, 4.0]]).reshape(1, 3, 1, 2)
    given = vertices, torch.full((1, 3), 2.0), torch.tensor([[[1.0], [0.5], [0.5]]]), None
    picture, kept = _tile.forward(*given, 8, 40, "max", "gaussian", 17.4)
    assert kept.dtype == torch.int32
    assert kept[0, 0, 4, [0, 3, 15, 30]].tolist() == [-1, 1, -1, 0]
    assert picture[0, 0, 4, [0, 3, 15, 30]].tolist() == [0, 0.5, 0, 1]
    assert torch.equal(kept < 0, picture == 0)
    to_weight = _tile.backward(torch.ones_like(picture), *given, kept, "max", "gaussian", 87.0)[2]
    assert to_weight[0, 1, 0] > 1
    assert to_weight[0, 2, 0] == 0


@pytest.mark.parametrize("compose", ["softor", "max", "sum"])
def test_ten_thousand_strokes_in_one_tile_equal_the_reference(compose: str) -> None:
    given = strokes(compose, 10_000, 2, 1, (8, 8), seed=8, batch=1)
    ours, theirs = both(given, (8, 8), compose, "gaussian", torch.float64)
    assert torch.allclose(ours[0], theirs[0], rtol=1e-12, atol=1e-12)
    assert all(close(mine, other, 1e-9) for mine, other in zip(ours[1:], theirs[1:], strict=True))


def test_opaque_strokes_equal_the_reference() -> None:
    vertices, inverse_sigma2, weight, cover = strokes("over", 400, 2, 1, (12, 8), seed=8, batch=1)
    assert cover is not None
    # Opaque or transparent, between pixels' centres: 1 - cover I is 0 where a stroke hides all.
    given = vertices.round(), inverse_sigma2, weight, cover.round()
    ours, theirs = both(given, (12, 8), "over", "gaussian", torch.float64)
    assert all(close(mine, other, 1e-10) for mine, other in zip(ours, theirs, strict=True))


def test_ten_thousand_strokes_over_one_another_are_those_in_front_and_what_is_seen_of_the_rest() -> None:
    vertices, inverse_sigma2, _, cover = strokes("over", 10_000, 2, 1, (12, 8), seed=8, batch=1, inverse=4.0)
    assert cover is not None
    cover = cover * 1e-3
    given = vertices, inverse_sigma2, torch.stack((cover * 0.5, cover), -1), cover  # the second channel: what is hidden
    whole, kept = _tile.forward(*given, 12, 8, "over", "gaussian", 37.4)
    behind, front = (
        _tile.forward(*(each[:, part].contiguous() for each in given), 12, 8, "over", "gaussian", 37.4)[0]
        for part in (slice(3000), slice(3000, None))
    )
    assert torch.allclose(whole, front + (1 - front[:, 1:]) * behind, rtol=0, atol=1e-12)
    assert 0.1 < float((1 - front[:, 1]).mean()) < 0.9
    for gradient in _tile.backward(torch.ones_like(whole), *given, kept, "over", "gaussian", 708.0):
        assert torch.isfinite(gradient).all()
        assert gradient.norm() > 0


def test_nothing_is_denormal() -> None:
    # Six lines in one place take the paper that is left below the normal numbers; a far one is felt by about e^-87.
    lines = [[4.0, 8.0, 12.0, 8.0]] * 6 + [[18.3, 0.0, 18.3, 16.0]]
    vertices, inverse_sigma2 = torch.tensor(lines).reshape(1, 7, 2, 2), torch.full((1, 7), 8.0)
    picture, kept = _tile.forward(vertices, inverse_sigma2, None, None, 16, 16, "softor", "gaussian", 87.0)
    upstream = torch.full_like(picture, 1e-3)
    found = _tile.backward(upstream, vertices, inverse_sigma2, None, None, kept, "softor", "gaussian", 87.0)
    for values in (picture, kept, *found[:2]):
        size = values.abs()
        assert not ((size > 0) & (size < torch.finfo(torch.float32).tiny)).any()
    assert (kept == 0).any()


@pytest.mark.slow  # a process of its own: memory counts from its beginning
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process is told its parent's peak as its own")
def test_a_hundred_thousand_strokes_take_little_memory() -> None:
    script = """
import torch
from raster import Strokes, rasterise

def draw(n, side):
    points = torch.rand(n, 1, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    points = (points + torch.tensor([[0.0, 0.0], [0.01, 0.01]])).requires_grad_()
    rasterise(Strokes(points), (side, side), sigma2=5e-6, engine="tile").sum().backward()
    assert torch.isfinite(points.grad).all()
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

before = draw(2, 8)
print((draw(100_000, 1024) - before) / 2**10)
"""
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=one)
    grown = float(done.stdout)
    assert grown < 256  # MiB; all strokes against all pixels would be 400,000
