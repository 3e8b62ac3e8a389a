"""The CPU kernels against the reference, and what they promise about torch, threads and bits."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import Strokes, _op, rasterise, reference

LEADING = st.sampled_from([(), (2,), (2, 3)])


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def drawn(
    points: torch.Tensor, size: tuple[int, int], sigma2: float, engine: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The canvas, and the gradients for points and sigma2 of a fixed random function of it."""
    leaf = points.clone().requires_grad_()
    each = torch.full(points.shape[:-2], sigma2, dtype=points.dtype, requires_grad=True)
    ink = rasterise(Strokes(leaf), size, sigma2=each, engine=engine)
    weight = torch.randn(ink.shape, generator=torch.Generator().manual_seed(5))
    (ink * weight.to(ink)).sum().backward()
    assert leaf.grad is not None
    assert each.grad is not None
    return ink.detach().double(), leaf.grad.double(), each.grad.double()


def close(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float) -> bool:
    return bool((ours - theirs).norm() <= tolerance * theirs.norm() + 1e-6)


@settings(deadline=None, max_examples=60)
@given(
    LEADING,
    st.integers(0, 6),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([2e-4, 5e-4, 0.01, 0.3]),
    st.floats(0.05, 3.0),
    st.integers(0, 10**6),
)
def test_the_engine_equals_the_reference(
    batch: tuple[int, ...], n: int, height: int, width: int, sigma2: float, reach: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    points = (torch.rand(*batch, n, 2, 2, generator=generator) * 2 - 1) * reach
    if n > 2:
        points[..., 0, 1, :] = points[..., 0, 0, :]  # a point
        points[..., 1, :, 1] = points[..., 1, :1, 1]  # level
    if n > 4:
        points[..., 2, :, 0] = points[..., 2, :1, 0]  # upright
        points[..., 3, :, :] = points[..., 4, :, :].flip(-2)  # coincident, the other way round
    ours = drawn(points, (height, width), sigma2, "cpu")
    theirs = drawn(points.double(), (height, width), sigma2, "reference")
    assert torch.allclose(ours[0], theirs[0], atol=5e-5)
    assert close(ours[1], theirs[1], 2e-4)
    assert close(ours[2], theirs[2], 2e-4)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 10**6))
def test_polylines_equal_the_reference(n: int, corners: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    vertices = (torch.rand(2, n, corners, 2, generator=generator) * 1.4 - 0.2) * 24
    inverse = torch.rand(2, n, generator=generator) + 0.1
    weight = torch.randn(2, 24, 30, generator=generator)
    grads = []
    for engine, dtype in (("cpu", torch.float32), ("reference", torch.float64)):
        v, s = (t.detach().to(dtype).clone().requires_grad_() for t in (vertices, inverse))
        ink = _op.softor(v, s, 24, 30)[0] if engine == "cpu" else 1 - reference.transmission(v, s, 24, 30)
        to_v, to_s = torch.autograd.grad((ink * weight.to(dtype)).sum(), (v, s))
        grads.append([ink.detach().double(), to_v.double(), to_s.double()])
    assert torch.allclose(grads[0][0], grads[1][0], atol=5e-5)
    assert close(grads[0][1], grads[1][1], 5e-4)
    assert close(grads[0][2], grads[1][2], 5e-4)


def test_canvases_larger_than_a_buffer_equal_the_reference() -> None:
    points = torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(3)) * 2 - 1
    ours = drawn(points, (150, 130), 0.2, "cpu")
    theirs = drawn(points.double(), (150, 130), 0.2, "reference")
    assert torch.allclose(ours[0], theirs[0], atol=1e-5)
    assert close(ours[1], theirs[1], 1e-5)


def test_the_bits_do_not_depend_on_threads(threads: None) -> None:
    generator = torch.Generator().manual_seed(2)
    for shape, size in (((40, 12, 2, 2), (32, 32)), ((2, 300, 2, 2), (200, 100))):
        points = torch.rand(shape, generator=generator) * 2 - 1
        results = []
        for count in (1, 2, 1, 3):
            torch.set_num_threads(count)
            results.append(drawn(points, size, 5e-4, "cpu"))
        for other in results[1:]:
            assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_callers_in_several_threads_get_the_same_bits() -> None:
    points = torch.rand(40, 12, 2, 2, generator=torch.Generator().manual_seed(4)) * 2 - 1
    alone = drawn(points, (32, 32), 5e-4, "cpu")
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda _: drawn(points, (32, 32), 5e-4, "cpu"), range(6)))
    for other in together:
        assert all(torch.equal(a, b) for a, b in zip(alone, other, strict=True))


def test_a_call_leaves_the_threads_of_torch_alone(threads: None) -> None:
    points = torch.rand(40, 12, 2, 2) * 2 - 1
    for count in (1, 2):
        torch.set_num_threads(count)
        drawn(points, (32, 32), 5e-4, "cpu")
        assert torch.get_num_threads() == count
        assert sum(thread.name.startswith("raster") for thread in threading.enumerate()) <= 3


def test_no_gradient_is_denormal() -> None:
    # Six lines in one place take T below the normal numbers; a far one has a gradient of about e^-87.
    points = torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]] * 6 + [[[1.25, -1.0], [1.25, 1.0]]])
    vertices = ((points + 1) * 8 - 0.5)[None].requires_grad_()
    ink, left = _op.softor(vertices, torch.full((1, 7), 8.0), 16, 16)
    (ink * 1e-3).sum().backward()
    assert vertices.grad is not None
    for values in (ink.detach(), left, vertices.grad):
        size = values.abs()
        assert not ((size > 0) & (size < torch.finfo(torch.float32).tiny)).any()


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's own, inside opcheck
def test_torch_accepts_the_operation() -> None:
    vertices = torch.rand(2, 3, 2, 2) * 8
    inverse = torch.rand(2, 3) + 0.5
    leaves = (vertices.requires_grad_(), inverse.requires_grad_(), 8, 6)
    torch.library.opcheck(_op.softor, leaves)
    _, left = _op.softor(*leaves)
    assert not left.requires_grad
    torch.library.opcheck(_op.softor_backward, (torch.rand(2, 8, 6), vertices.detach(), inverse.detach(), left))


@pytest.mark.slow  # a process of its own: the shape checks of the tests cannot be compiled
def test_compiled_code_sees_one_operation() -> None:
    script = """
import torch
from raster import Strokes, rasterise

def draw(points):
    return rasterise(Strokes(points), (8, 8), check=False)

points = torch.rand(2, 3, 2, 2)
assert torch.equal(torch.compile(draw, backend="aot_eager", fullgraph=True)(points), draw(points))
"""
    subprocess.run([sys.executable, "-c", script], check=True)
