"""The raster as one operation of torch: compiled, exported, mapped, on the meta device, under autocast."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from raster import Strokes, _op, rasterise

COMPOSITIONS = ["softor", "over", "max", "sum"]
compositions = pytest.mark.parametrize("compose", COMPOSITIONS)
kernels = pytest.mark.parametrize("engine", ["tile", "cpu"])


def rand(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's own, inside opcheck
@kernels
@compositions
@pytest.mark.parametrize("corners", [2, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_torch_accepts_the_operation(engine: str, compose: str, corners: int, weighted: bool) -> None:
    vertices = (rand(0, 2, 3, corners, 2) * 8).requires_grad_()
    inverse = (rand(1, 2, 3) + 0.5).requires_grad_()
    cover = rand(3, 2, 3).requires_grad_() if compose == "over" else None
    weight = rand(2, 2, 3, 3).requires_grad_() if weighted or compose == "over" else None
    how = (8, 6, compose, "gaussian", 17.4, 87.0, engine)
    torch.library.opcheck(_op.render, (vertices, inverse, weight, cover, *how))
    picture, kept = _op.render(vertices, inverse, weight, cover, *how)
    assert not kept.requires_grad
    leaves = [None if t is None else t.detach() for t in (vertices, inverse, weight, cover)]
    backward = (torch.rand_like(picture), *leaves, kept, compose, "gaussian", 87.0, engine)
    torch.library.opcheck(_op.render_backward, backward)


@kernels
@compositions
def test_a_plain_call_gives_the_bits_of_the_operation(engine: str, compose: str) -> None:
    leaves = [rand(0, 2, 3, 5, 2) * 8, rand(1, 2, 3) + 0.5, rand(2, 2, 3, 3), rand(3, 2, 3)]
    how = (8, 6, compose, "gaussian", 17.4, 87.0, engine)

    def drawn(draw: Callable[..., torch.Tensor]) -> list[torch.Tensor]:
        own = [leaf.clone().requires_grad_() for leaf in leaves]
        tensors = own if compose == "over" else [*own[:3], None]
        picture = draw(*tensors, *how)
        return [picture, *torch.autograd.grad(picture, own[: len(own) - (compose != "over")], rand(4, *picture.shape))]

    plain, operation = drawn(_op.drawn), drawn(lambda *args: _op.render(*args)[0])
    assert all(torch.equal(a, b) for a, b in zip(plain, operation, strict=True))


@kernels
def test_a_call_leaves_torchs_thread_count_as_it_was(engine: str) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        points = (rand(0, 2, 3, 2, 2) * 2 - 1).requires_grad_()
        ink = rasterise(Strokes(points), (20, 20), check=False, engine=engine)
        assert torch.get_num_threads() == 2
        ink.sum().backward()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_mode_that_looks_on_sees_the_operation() -> None:
    seen = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    points = (rand(0, 2, 3, 2, 2) * 2 - 1).requires_grad_()
    with Watch():
        rasterise(Strokes(points), (8, 8), check=False).sum().backward()
    assert {"lascaux.render.default", "lascaux.render_backward.default"} <= set(seen)


@kernels
def test_a_batch_of_gradients_at_once_gives_what_a_loop_gives(engine: str) -> None:
    points = (rand(0, 2, 3, 2, 2) * 2 - 1).requires_grad_()
    ink = rasterise(Strokes(points), (6, 7), sigma2=0.02, check=False, engine=engine)
    upstreams = rand(1, 4, *ink.shape)
    (at_once,) = torch.autograd.grad(ink, points, upstreams, is_grads_batched=True, retain_graph=True)
    one_by_one = [torch.autograd.grad(ink, points, each, retain_graph=True)[0] for each in upstreams]
    assert torch.allclose(at_once, torch.stack(one_by_one), rtol=1e-5, atol=1e-7)


@kernels
@compositions
def test_vmap_gives_what_a_loop_gives(engine: str, compose: str) -> None:
    points, colour = rand(0, 3, 2, 4, 2, 2) * 2 - 1, rand(1, 2, 4, 3)

    def loss(p: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        strokes = Strokes(p, colour=c)
        return rasterise(strokes, (8, 9), sigma2=0.02, compose=compose, check=False, engine=engine).square().sum()

    mapped = torch.vmap(loss, in_dims=(0, None))(points, colour)
    assert torch.allclose(mapped, torch.stack([loss(p, colour) for p in points]), rtol=1e-5)
    gradient = torch.vmap(torch.func.grad(loss), in_dims=(0, None))(points, colour)
    one_by_one = torch.stack([torch.func.grad(loss)(p, colour) for p in points])
    assert torch.allclose(gradient, one_by_one, atol=1e-5 * float(one_by_one.abs().max()))


@compositions
def test_the_meta_device_gets_shapes(compose: str) -> None:
    points = torch.empty(2, 3, 4, 4, 2, device="meta", requires_grad=True)
    colour = torch.empty(2, 3, 4, 3, device="meta", requires_grad=True)
    drawn = rasterise(Strokes(points, "cubic", colour=colour), (28, 20), compose=compose)
    assert drawn.is_meta
    assert drawn.shape == (2, 3, 3, 28, 20)
    drawn.sum().backward()
    assert points.grad is not None
    assert colour.grad is not None
    assert (points.grad.shape, colour.grad.shape) == (points.shape, colour.shape)


@pytest.mark.parametrize("kind", ["line", "cubic"])
def test_autocast_does_not_make_coordinates_coarse(kind: str) -> None:
    strokes = Strokes(rand(0, 2, 3, 2 if kind == "line" else 4, 2) * 2 - 1, kind)
    plain = rasterise(strokes, (32, 32))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(rasterise(strokes, (32, 32)), plain)


@pytest.mark.parametrize("engine", ["tile", "cpu"])
def test_a_second_derivative_is_refused_and_the_reference_has_it(engine: str) -> None:
    def slope(name: str) -> torch.Tensor:
        points = (rand(0, 2, 2, 2) * 2 - 1).requires_grad_()
        ink = rasterise(Strokes(points), (6, 6), sigma2=0.05, engine=name).square().sum()
        (gradient,) = torch.autograd.grad(ink, points, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), points)
        return second

    assert torch.isfinite(slope("reference")).all()
    with pytest.raises(RuntimeError, match=r"twice|not have been used in the graph"):
        slope(engine)


@pytest.mark.slow  # a process of its own: the shape checks of the tests cannot be compiled
def test_compiled_and_exported_code_sees_one_operation() -> None:
    script = """
import torch
from raster import Strokes, rasterise

def draw(points, colour):
    return rasterise(Strokes(points, "cubic", colour=colour), (8, 8), compose="over", background=1.0, check=False)

class Drawing(torch.nn.Module):
    def forward(self, points, colour):
        return draw(points, colour)

points, colour = torch.rand(2, 3, 4, 2), torch.rand(2, 3, 3)
expected = draw(points, colour)
# A count of pieces is fixed where it cannot be read, so the curves differ by as much as the bound allows.
compiled = torch.compile(draw, backend="aot_eager", fullgraph=True)(points, colour)
assert (compiled - expected).abs().max() < 0.03
leaf = points.clone().requires_grad_()
torch.compile(draw, backend="aot_eager", fullgraph=True)(leaf, colour).sum().backward()
assert leaf.grad.abs().sum() > 0
exported = torch.export.export(Drawing(), (points, colour))
assert "lascaux.render" in str(exported.graph)
assert torch.equal(exported.module()(points, colour), compiled)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
