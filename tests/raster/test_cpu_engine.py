"""The CPU kernels against the reference, and what they promise about torch, threads, bits and memory."""

import math
import platform
import resource
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import _op, reference
from raster._pool import Stage, spread
from raster.reference import FAR, HALF, TENT

COMPOSITIONS, RESPONSES = ["softor", "over", "max", "sum"], ["gaussian", "linear", "hard"]
#: Where ink and gradient end in float32, as ``rasterise`` has it.
CUTS = {"gaussian": (17.4, 87.0), "linear": (TENT, TENT), "hard": (2 * HALF, 2 * HALF)}
Leaves = list[torch.Tensor | None]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def strokes(
    compose: str, batch: int, n: int, k: int, channels: int, size: tuple[int, int], seed: int, thin: float = 1.0
) -> Leaves:
    """Vertices, 1 / sigma^2, weight (none where there are no ``channels``) and cover: of any place and, some, special.

    Polylines of many vertices are curves, with the folds and loops that curves have.
    """
    g = torch.Generator().manual_seed(seed)
    height, width = size
    first = (torch.rand(batch, n, 1, 2, generator=g) * 1.6 - 0.3) * torch.tensor([width, height])
    if k > 8:
        turns = (torch.randn(batch, n, k - 1, generator=g) * 0.3).cumsum(2)
        steps = torch.stack([turns.cos(), turns.sin()], -1) * torch.rand(batch, n, 1, 1, generator=g) * 3
        vertices = torch.cat([first, first + steps.cumsum(2)], 2)
    else:
        vertices = (torch.rand(batch, n, k, 2, generator=g) * 1.6 - 0.3) * torch.tensor([width, height])
    if n > 4 and k > 1:
        vertices[:, 0, 1] = vertices[:, 0, 0]  # a segment that is a point
        vertices[:, 1, :, 1] = vertices[:, 1, :1, 1]  # level
        vertices[:, 2, :, 0] = vertices[:, 2, :1, 0]  # upright
        vertices[:, 3] = vertices[:, 4].flip(-2)  # coincident, the other way round
    inverse = (torch.rand(batch, n, generator=g) + 0.05) * thin
    weight = torch.rand(batch, n, max(1, channels), generator=g) if channels or compose == "over" else None
    cover = torch.rand(batch, n, generator=g) if compose == "over" else None
    if cover is not None:
        cover[:, ::3] = 1  # opaque
    return [vertices, inverse, weight, cover]


def nowhere_near_an_edge(
    leaves: Leaves, size: tuple[int, int], compose: str, response: str, cut: float
) -> torch.Tensor:
    """Pixels [b 1 h w] where neither picture nor gradient jumps within float32's rounding.

    They jump where ink ends, where two segments of a stroke are equally near in different directions (a joint is
    one point of two segments: no jump), and, for ``max``, where two strokes are equally dark.
    """
    vertices, inverse, weight, _ = (None if each is None else each.double() for each in leaves)
    assert vertices is not None
    assert inverse is not None
    height, width = size
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    pixels = torch.stack([x, y], -1)
    a = vertices[:, :, : max(1, vertices.shape[2] - 1), None, None]  # [b n s 1 1 2]
    along = vertices[:, :, min(1, vertices.shape[2] - 1) :, None, None] - a
    t = ((pixels - a) * along).sum(-1) / along.square().sum(-1).clamp(min=1e-12)
    off = pixels - a - t.clamp(0, 1)[..., None] * along  # [b n s h w 2]
    distance2 = off.square().sum(-1)
    least, which = distance2.min(2, keepdim=True)
    nearest = off.gather(2, which[..., None].expand(*which.shape, 2))
    tie = (distance2 - least < 1e-3 * (1 + least)) & ((off - nearest).abs().amax(-1) > 1e-3)
    z = least[:, :, 0] * inverse[..., None, None]  # [b n h w]
    felt = z < cut
    jumps = tie.any(2) & felt
    for edge in (TENT, HALF, 2 * HALF) if response != "gaussian" else ():
        jumps |= (z - edge).abs() < 1e-3
    if cut not in CUTS[response]:
        jumps |= (z - cut).abs() < 1e-3 * cut
    found = ~jumps.any(1, keepdim=True)
    if compose == "max" and vertices.shape[1] > 1:
        ink = reference._ink(vertices, inverse, size, response, cut)[:, :, None]
        each = ink if weight is None else ink * weight[..., None, None]
        best, second = each.topk(2, dim=1).values.unbind(1)
        found &= ((best - second > 1e-5) | (best == 0)).all(1, keepdim=True)
    return found


def shared(vertices: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Gradients [b n k 2] with those of a vertex that repeats the one before it moved there.

    Which of the two segments that meet in such a place is nearest is a matter of rounding, and so whose it is.
    """
    found = gradient.clone()
    for k in range(vertices.shape[2] - 1, 0, -1):
        same = (vertices[:, :, k] == vertices[:, :, k - 1]).all(-1, keepdim=True)
        found[:, :, k - 1] += found[:, :, k] * same
        found[:, :, k] *= ~same
    return found


def compare(
    leaves: Leaves, size: tuple[int, int], compose: str, response: str, cuts: tuple[float, float] | None = None
) -> None:
    """Picture and gradients of the engine equal the reference's in float64, but for the pixels at an edge."""
    cut, gradient_cut = cuts or CUTS[response]
    ours = [None if leaf is None else leaf.clone().requires_grad_() for leaf in leaves]
    exact = [None if leaf is None else leaf.double().requires_grad_() for leaf in leaves]
    kept = nowhere_near_an_edge(leaves, size, compose, response, cut)
    picture, _ = _op.render(*ours, *size, compose, response, cut, gradient_cut, "cpu")
    expected = reference.render(*exact, size, compose, response, cut if cuts else math.inf)
    assert torch.allclose(picture.detach().double() * kept, expected.detach() * kept, rtol=2e-5, atol=5e-5)
    upstream = torch.randn(picture.shape, generator=torch.Generator().manual_seed(5)) * kept
    (picture * upstream).sum().backward()
    (expected * upstream.double()).sum().backward()
    for one, other in zip(ours, exact, strict=True):
        if one is not None:
            assert one.grad is not None
            assert other is not None
            wanted = torch.zeros_like(other) if other.grad is None else other.grad
            found = one.grad.double()
            if one is ours[0] and one.shape[2] > 2:
                found, wanted = shared(one.detach(), found), shared(one.detach(), wanted)
            # Relative to the stroke that has the largest: the gradient of a stroke is a sum of both signs.
            assert (found - wanted).norm() <= 3e-4 * wanted.norm() + 1e-5


@settings(max_examples=60)
@given(
    st.sampled_from(COMPOSITIONS),
    st.sampled_from(RESPONSES),
    st.tuples(st.integers(0, 3), st.integers(0, 7)),
    st.sampled_from([1, 2, 2, 3, 5, 20, 33]),
    st.sampled_from([0, 1, 3, 4]),
    st.tuples(st.integers(1, 45), st.integers(1, 45)),
    st.sampled_from([0.003, 0.05, 1.0, 30.0]),
    st.integers(0, 10**6),
)
def test_the_engine_equals_the_reference(
    compose: str,
    response: str,
    counts: tuple[int, int],
    k: int,
    channels: int,
    size: tuple[int, int],
    thin: float,
    seed: int,
) -> None:
    compare(strokes(compose, *counts, k, channels, size, seed, thin), size, compose, response)


@pytest.mark.parametrize("compose", COMPOSITIONS)
@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("channels", [0, 1, 3])
def test_each_combination_equals_the_reference(compose: str, response: str, k: int, channels: int) -> None:
    compare(strokes(compose, 2, 6, k, channels, (22, 31), 7, 0.2), (22, 31), compose, response)


@pytest.mark.parametrize("compose", COMPOSITIONS)
@pytest.mark.parametrize("k", [2, 21])
def test_canvases_of_several_strips_and_batches_equal_the_reference(compose: str, k: int) -> None:
    for size in ((150, 70), (9, 1100), (130, 8)):
        compare(strokes(compose, 1, 5, k, 3, size, 3, 0.01), size, compose, "gaussian")


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("k", [2, 5])
def test_more_strokes_in_a_tile_than_are_kept_at_once_equal_the_reference(response: str, k: int) -> None:
    leaves = strokes("over", 1, 200, k, 3, (13, 11), 4, 0.5)
    assert leaves[3] is not None
    leaves[3] *= 0.3  # so that those behind are seen
    compare(leaves, (13, 11), "over", response)


@pytest.mark.parametrize("compose", COMPOSITIONS)
@pytest.mark.parametrize("k", [1, 2, 9])
def test_ink_ends_where_the_cut_says(compose: str, k: int) -> None:
    compare(strokes(compose, 2, 5, k, 1, (30, 40), 6, 0.3), (30, 40), compose, "gaussian", (4.0, 4.0))


@given(st.integers(0, 10**6), st.sampled_from([3, 12, 70]), st.floats(0.0, 3.0))
def test_no_segment_is_left_out_that_is_nearest_to_a_pixel(seed: int, k: int, bend: float) -> None:
    g = torch.Generator().manual_seed(seed)
    turns = (torch.randn(3, k - 1, generator=g) * bend).cumsum(1)
    lengths = torch.rand(3, k - 1, generator=g) ** 4 * 20  # from tiny to long
    steps = torch.stack([turns.cos(), turns.sin()], -1) * lengths[..., None]
    vertices = torch.cat([torch.zeros(3, 1, 2), steps.cumsum(1)], 1)
    vertices = (vertices - vertices.mean(1, keepdim=True) + 24)[None]
    inverse = torch.full((1, 3), 0.002)  # felt everywhere
    picture, _ = _op.render(vertices, inverse, None, None, 48, 48, "sum", "gaussian", 87.0, 87.0, "cpu")
    expected = reference.render(vertices.double(), inverse.double(), None, None, (48, 48), "sum", "gaussian")
    assert torch.allclose(picture.double(), expected, atol=2e-5)


def drawn(leaves: Leaves, size: tuple[int, int], compose: str, response: str = "gaussian") -> list[torch.Tensor]:
    """Picture, what is kept, and gradients of a fixed random function of the picture."""
    ours = [None if leaf is None else leaf.clone().requires_grad_() for leaf in leaves]
    picture, kept = _op.render(*ours, *size, compose, response, *CUTS[response], "cpu")
    upstream = torch.randn(picture.shape[1:], generator=torch.Generator().manual_seed(5))
    (picture * upstream).sum().backward()
    return [picture.detach(), kept, *(leaf.grad for leaf in ours if leaf is not None and leaf.grad is not None)]


@pytest.mark.parametrize("compose", COMPOSITIONS)
def test_the_bits_depend_on_neither_threads_nor_neighbours(compose: str, threads: None) -> None:
    for counts, k, size in (((40, 12), 2, (32, 32)), ((2, 300), 2, (200, 100)), ((1, 60), 20, (200, 100))):
        leaves = strokes(compose, *counts, k, 3, size, 2, 0.3)
        results = []
        for count in (1, 2, 1, 3):
            torch.set_num_threads(count)
            results.append(drawn(leaves, size, compose))
        for other in results[1:]:
            assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))
        alone = drawn([None if leaf is None else leaf[-1:] for leaf in leaves], size, compose)
        assert all(torch.equal(a[-1:], b) for a, b in zip(results[0], alone, strict=True))


def test_callers_in_several_threads_get_the_same_bits() -> None:
    leaves = strokes("softor", 40, 12, 2, 0, (32, 32), 4)
    alone = drawn(leaves, (32, 32), "softor")
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda _: drawn(leaves, (32, 32), "softor"), range(6)))
    for other in together:
        assert all(torch.equal(a, b) for a, b in zip(alone, other, strict=True))


def test_a_call_leaves_the_threads_of_torch_alone(threads: None) -> None:
    for k in (2, 9):
        for count in (1, 2):
            torch.set_num_threads(count)
            drawn(strokes("over", 40, 12, k, 1, (32, 32), 1), (32, 32), "over")
            assert torch.get_num_threads() == count
            assert sum(thread.name.startswith("raster") for thread in threading.enumerate()) <= 3


def test_denormal_numbers_are_nothing_to_the_kernels_and_stay_what_they_are_to_everybody_else() -> None:
    def product() -> float:
        return float(torch.tensor(1e-20) * torch.tensor(1e-20))

    found = []
    spread(1, Stage(lambda first, last: found.append(product()), 1, 1, ()))
    with pytest.raises(ValueError, match="in the kernel"):
        spread(1, Stage(_fails, 1, 1, ()))
    x86 = platform.machine().lower() in {"x86_64", "amd64"}
    assert found == [0.0] if x86 else found[0] > 0
    drawn(strokes("softor", 2, 4, 2, 1, (16, 16), 0), (16, 16), "softor")
    assert product() > 0


def _fails(first: int, last: int) -> None:
    raise ValueError("in the kernel")


@pytest.mark.parametrize("compose", COMPOSITIONS)
def test_nothing_is_denormal(compose: str) -> None:
    # Many lines in one place take what is left, or seen, below the normal numbers; a far one has a gradient of e^-87.
    points = torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]] * 60 + [[[1.25, -1.0], [1.25, 1.0]]])
    for corners in (2, 3):
        vertices = ((points + 1) * 8 - 0.5)[None]
        vertices = torch.cat([vertices, vertices[:, :, -1:] + 1], 2)[:, :, :corners].contiguous().requires_grad_()
        weight = torch.full((1, 61, 1), 0.999).requires_grad_()
        with torch.no_grad():
            weight[:, 20:] = 1e-38
        cover = torch.full((1, 61), 0.9) if compose == "over" else None
        how = (16, 16, compose, "gaussian", 17.4, 87.0, "cpu")
        picture, kept = _op.render(vertices, torch.full((1, 61), 8.0), weight, cover, *how)
        (picture * 1e-3).sum().backward()
        for values in (picture.detach(), kept, vertices.grad, weight.grad):
            assert values is not None
            size = values.abs()
            assert not ((size > 0) & (size < torch.finfo(torch.float32).tiny)).any()


@pytest.mark.parametrize("compose", COMPOSITIONS)
@pytest.mark.parametrize("k", [1, 2, 9])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_shows_in_its_whole_canvas_and_no_other(compose: str, k: int, number: float) -> None:
    clean = strokes(compose, 3, 4, k, 3, (70, 20), 8, 0.3)
    whole = drawn(clean, (70, 20), compose)
    for which, leaf in enumerate(clean):
        if leaf is None:
            continue
        leaves = [None if each is None else each.clone() for each in clean]
        bad = leaves[which]
        assert bad is not None
        bad[1, 2].view(-1)[-1] = number
        spoilt = drawn(leaves, (70, 20), compose)
        assert spoilt[0][1].isnan().all()
        for gradient in spoilt[2:]:
            assert gradient[1, 2].isnan().all()
        for before, after in zip(whole, spoilt, strict=True):
            assert torch.equal(before[[0, 2]], after[[0, 2]])


@pytest.mark.parametrize("compose", COMPOSITIONS)
@pytest.mark.parametrize("response", RESPONSES)
def test_strange_strokes_give_finite_pictures_and_gradients(compose: str, response: str) -> None:
    edges = [0.0, -0.5, 4.0, 1e-7, 100.0, -1e6, 1e18, -1e30, 1e30]
    for k in (1, 2, 4):
        g = torch.Generator().manual_seed(k)
        vertices = torch.tensor(edges)[torch.randint(len(edges), (4, 40, k, 2), generator=g)]
        for inverse in (1e-7, 0.3, 1e7):
            leaves = [vertices, torch.full((4, 40), inverse), *strokes(compose, 4, 40, k, 2, (9, 9), k)[2:]]
            for size in ((1, 1), (9, 20)):
                for values in drawn(leaves, size, compose, response):
                    assert values.isfinite().all()
                    assert (values.abs() <= FAR).all()


@pytest.mark.slow
@pytest.mark.parametrize(("compose", "k"), [*((compose, 2) for compose in COMPOSITIONS), ("over", 5)])
def test_a_hundred_thousand_strokes_take_little_memory(compose: str, k: int) -> None:
    g = torch.Generator().manual_seed(0)
    vertices = torch.rand(1, 100_000, 1, 2, generator=g) * 1024 + torch.randn(1, 100_000, k, 2, generator=g) * 8
    inverse, weight = torch.full((1, 100_000), 0.5), torch.rand(1, 100_000, 3, generator=g)
    cover = weight.amax(-1) if compose == "over" else None
    drawn(
        [vertices[:, :10], inverse[:, :10], weight[:, :10], None if cover is None else cover[:, :10]], (64, 64), compose
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = drawn([vertices, inverse, weight, cover], (1024, 1024), compose)
    assert all(values.isfinite().all() for values in found)
    # In KiB; a map of a byte a stroke and pixel would be a hundred million.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700_000
