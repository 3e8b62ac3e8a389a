"""The GPU engine without a GPU: its kernels run in Triton's interpreter, and are compiled ahead for two GPUs.

Both want a process of their own, which is this file run as a script: the interpreter has to be asked for before Triton
is imported, and must see the kernels without the shape checks of the tests.

Values and gradients are compared with the reference in float64 but for *doubtful* pixels, whose gradient is not asked
for: those within rounding of where ink jumps or its gradient does (the edge of hard ink, a tent's tip and foot, the
cut), of a place as near to two segments (but for their joint: it is one place), and of two strokes that tie for the
maximum. What is left must be most of the canvas.
"""

import itertools
import math
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor

from raster import InputError, Strokes, engine_for, rasterise, reference

ROOT = Path(__file__).resolve().parents[2]
COMPOSITIONS = ("softor", "over", "max", "sum")
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


def run(*arguments: str, **environment: str) -> None:
    command = [sys.executable, "-W", "error", __file__, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("compose", COMPOSITIONS)
def test_interpreted_kernels_equal_the_reference(compose: str) -> None:
    run("equal", compose, TRITON_INTERPRET="1")


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize(
    "promise", ["far_and_wide", "poison", "first_of_equals", "opaque", "parts", "channels", "emptiness"]
)
def test_interpreted_kernels_keep_their_promises(promise: str) -> None:
    run(promise, TRITON_INTERPRET="1")


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("capability", ["80", "90"])
def test_what_the_engine_launches_compiles_for_gpus(capability: str, tmp_path: Path) -> None:
    run("compile", capability, TRITON_INTERPRET="0", TRITON_CACHE_DIR=str(tmp_path))


@pytest.mark.parametrize("compose", COMPOSITIONS)
def test_a_drawing_without_data_has_its_shapes(compose: str) -> None:
    points = torch.empty(2, 5, 4, 2, device="meta", requires_grad=True)
    colour = torch.empty(2, 5, 3, device="meta", requires_grad=True)
    strokes = Strokes(points, kind="polyline", colour=colour)
    drawn = rasterise(strokes, (9, 7), compose=compose, engine="gpu")
    assert drawn.shape == (2, 3, 9, 7) and drawn.is_meta
    gradients = torch.autograd.grad(drawn.sum(), (points, colour))
    assert [each.shape for each in gradients] == [points.shape, colour.shape]


@needs_triton
def test_the_engine_is_taken_where_it_can_draw_and_nowhere_else() -> None:
    chosen = engine_for("cuda", torch.float32)
    assert chosen.name == "gpu" and "Triton" in chosen.why
    assert engine_for("cuda", torch.float32, "gpu").why == "asked for"
    double = engine_for("cuda", torch.float64)
    assert double.name == "tile" and "float64" in double.why
    assert engine_for("cuda", torch.float32, dimensions=3).name == "reference"
    for device, dtype, dimensions in (
        ("cpu", torch.float32, 2),
        ("cuda", torch.float64, 2),
        ("cuda", torch.float32, 3),
    ):
        with pytest.raises(InputError, match="engine 'gpu' cannot draw this"):
            engine_for(device, dtype, "gpu", dimensions)


# From here on: what the script does.

Given = tuple[Tensor, Tensor, Tensor | None, Tensor | None]


def strokes_for(compose: str, k: int, c: int | None, seed: int, b: int = 2, n: int = 4) -> Given:
    """Vertices, 1 / sigma^2, weight and cover; one stroke has a segment that is a point, one is all a point, one is
    outside of the canvas, and one covers wholly.
    """
    generator = torch.Generator().manual_seed(seed)
    vertices = torch.rand(b, n, k, 2, generator=generator) * 24 - 4
    vertices[:, 1, -1] = vertices[:, 1, max(0, k - 2)]
    vertices[:, 2] = vertices[:, 2, :1]
    vertices[0, 3] += 200
    inverse = torch.rand(b, n, generator=generator) * 0.4 + 0.03
    weight = None if c is None else torch.rand(b, n, c, generator=generator) * 0.9 + 0.1
    cover = torch.rand(b, n, generator=generator) if compose == "over" else None
    if cover is not None:
        cover[:, 1] = 1
    return vertices, inverse, weight, cover


def doubtful(given: Given, size: tuple[int, int], compose: str, response: str, cut: float) -> Tensor:
    """Pixels [b h w] within rounding of an edge (see the head of the file)."""
    vertices, inverse, weight, _ = (None if each is None else each.double() for each in given)
    assert vertices is not None and inverse is not None
    rows, columns = torch.meshgrid(*(torch.arange(length).double() for length in size), indexing="ij")
    pixels = torch.stack([columns, rows], -1)
    k = vertices.shape[2]
    a = vertices[:, :, : max(1, k - 1), None, None]
    along = (vertices[:, :, 1:, None, None] if k > 1 else a) - a
    t = ((pixels - a) * along).sum(-1) / along.square().sum(-1).clamp(min=1e-12)
    places = a + t.clamp(0, 1)[..., None] * along  # [b n s h w 2]
    d2 = (pixels - places).square().sum(-1)
    best, which = d2.min(2, keepdim=True)
    apart = (places - places.gather(2, which[..., None].expand(*which.shape, 2))).norm(dim=-1) > 0.01
    found = ((d2 - best < 1e-3) & apart).any(2)
    z = best.squeeze(2) * inverse[..., None, None]
    edges = {"gaussian": [], "linear": [0.0, reference.TENT], "hard": [reference.HALF]}[response]
    for edge in [*edges, *([cut] if cut < math.inf else [])]:
        found |= (z - edge).abs() < 1e-3
    found = found.any(1)
    if compose == "max" and response != "hard":  # hard ink is exactly 1, and so are its ties
        ink = torch.exp(-z) if response == "gaussian" else (1 - (z / reference.TENT).sqrt()).clamp(min=0)
        each = ink[:, :, None] * (1 if weight is None else weight[..., None, None])
        first, second = each.topk(2, dim=1).values.unbind(1)
        found |= ((first > 0) & (first - second < 1e-4 * first)).any(1)
    return found


def compare(given: Given, size: tuple[int, int], compose: str, response: str, cut: float, seed: int) -> None:
    from raster import _gpu

    upstream = torch.randn(
        given[0].shape[0],
        1 if given[2] is None else given[2].shape[-1],
        *size,
        generator=torch.Generator().manual_seed(seed),
    )
    doubt = doubtful(given, size, compose, response, cut)[:, None]
    assert doubt.double().mean() < 0.4
    upstream = upstream.masked_fill(doubt, 0)
    picture, kept = _gpu.forward(*given, *size, compose, response, cut)
    ours = _gpu.backward(upstream, *given, kept, compose, response, cut)
    leaves = [None if each is None else each.double().requires_grad_() for each in given]
    true = reference.render(leaves[0], leaves[1], leaves[2], leaves[3], size, compose, response, cut)
    assert (picture - true.detach()).masked_fill(doubt, 0).abs().max() < 2e-5
    if true.requires_grad:
        (true * upstream).sum().backward()
    for mine, leaf, name in zip(ours, leaves, ("vertices", "inverse", "weight", "cover"), strict=True):
        if leaf is None:
            assert mine.shape == (given[0].shape[0], 0), name
            continue
        theirs = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        assert mine.shape == theirs.shape, name
        assert (mine - theirs).norm() <= 1e-4 * theirs.norm() + 1e-6, (name, mine, theirs)


def equal(compose: str) -> None:
    """A Graeco-Latin square: every two of response, segments, channels and size meet in each composition, and every
    three of the first in one of them.
    """
    shift = COMPOSITIONS.index(compose)
    cases = itertools.product(enumerate(("gaussian", "linear", "hard")), enumerate((1, 2, 5)))
    for seed, ((row, response), (column, k)) in enumerate(cases):
        c = (None, 1, 3)[(row + column + shift) % 3]
        size = ((14, 19), (17, 11), (5, 3))[(row + 2 * column) % 3]  # no multiple of a tile, in one tile or several
        cut = (math.inf, 6.0)[(seed + shift) % 2]
        try:
            compare(strokes_for(compose, k, c, seed), size, compose, response, cut, seed)
        except AssertionError as error:
            raise AssertionError((compose, response, k, c, cut)) from error


def channels() -> None:
    for compose in COMPOSITIONS:
        for c in (2, 4):
            compare(strokes_for(compose, 2, c, c), (9, 18), compose, "gaussian", 17.4, c)


def far_and_wide() -> None:
    from raster import _gpu

    huge = torch.tensor([[[-1e30, -1e30], [1e30, 1e30]], [[1e30, 5.0], [1e30, 6.0]], [[-1e30, 4.0], [1e30, 4.0]]])
    plain = torch.tensor([[[2.0, 3.0], [2.0, 3.0]], [[1.0, 1.0], [9.0, 2.0]], [[8.0, 8.0], [8.0, 8.5]]])
    vertices = torch.cat([huge, plain])[None]  # [1 6 2 2]
    size = (10, 18)
    for row, (inverse, cut) in enumerate(((1e-6, math.inf), (1.0, 87.0), (1e6, math.inf))):
        for column, compose in enumerate(COMPOSITIONS):
            response = ("gaussian", "linear")[(row + column) % 2]
            given = vertices, torch.full((1, 6), inverse), None, torch.ones(1, 6) if compose == "over" else None
            picture, kept = _gpu.forward(*given, *size, compose, response, cut)
            found = _gpu.backward(torch.ones_like(picture), *given, kept, compose, response, cut)
            assert all(bool(each.isfinite().all()) for each in (picture, *found)), (inverse, cut, compose, response)
    # The level one among them is drawn where it is.
    picture, _ = _gpu.forward(vertices[:, 2:3], torch.ones(1, 1), None, None, *size, "sum", "gaussian", 17.4)
    rows = torch.exp(-(torch.arange(10.0) - 4).square())
    assert torch.allclose(picture[0, 0], rows[:, None].expand(size), atol=1e-6)


def poison() -> None:
    for compose in COMPOSITIONS:
        clean = strokes_for(compose, 3, 3, 1)
        unharmed = drawn(clean, compose)
        for which, bad in ((0, math.nan), (0, -math.inf), (1, math.inf), (2, math.nan), (3, math.nan)):
            given = [None if each is None else each.clone() for each in clean]
            harmed = given[which]
            if harmed is None:
                continue
            harmed.view(2, 4, -1)[0, 1, -1] = bad
            found = drawn(tuple(given), compose)
            assert bool(found[0][0].isnan().all()), (compose, which, bad)
            for ours, others in zip(found, unharmed, strict=True):
                assert torch.equal(ours[1:], others[1:]), (compose, which, bad)
            for ours in found[1:]:
                assert ours.shape[1] == 0 or bool(ours[0, 1].isnan().all()), (compose, which, bad)


def drawn(given: Given, compose: str) -> list[Tensor]:
    """A picture and the gradients of its sum."""
    from raster import _gpu

    picture, kept = _gpu.forward(*given, 6, 14, compose, "gaussian", 17.4)
    return [picture, *_gpu.backward(torch.ones_like(picture), *given, kept, compose, "gaussian", 87.0)]


def first_of_equals() -> None:
    from raster import _gpu

    line = torch.tensor([[20.0, 20.0], [21.0, 20.0]]), torch.tensor([[2.0, 2.0], [7.0, 3.0]])
    vertices = torch.stack([line[0], line[1], line[1]])[None]
    given = vertices, torch.full((1, 3), 0.5), None, None
    for response in ("gaussian", "linear", "hard"):
        picture, kept = _gpu.forward(*given, 12, 12, "max", response, 2.0)
        felt = picture > 0
        assert felt.any() and not felt.all()
        assert kept.dtype == torch.int32 and torch.equal(kept, torch.where(felt, 1, -1).int())
        found = _gpu.backward(torch.ones_like(picture), *given, kept, "max", response, 2.0)
        assert not found[0][0, [0, 2]].any() and not found[1][0, [0, 2]].any()
        assert bool(found[1][0, 1] != 0) == (response != "hard")


def opaque() -> None:
    """Strokes that hide all behind them: what is left to pass is 0, where a quotient would be 0 / 0."""
    generator = torch.Generator().manual_seed(1)
    vertices = torch.rand(1, 7, 2, 2, generator=generator) * 12
    vertices[0, 3:5] = torch.tensor([[1.0, 4.0], [10.0, 4.0]])  # through the middles of pixels, twice
    weight = torch.rand(1, 7, 3, generator=generator)
    for response in ("gaussian", "linear", "hard"):
        given = vertices, torch.full((1, 7), 0.3), weight, torch.ones(1, 7)
        compare(given, (12, 12), "over", response, math.inf, 2)
    # So many that a sum of logarithms in one float would be wrong in the third digit.
    middles = torch.randint(0, 5, (1, 500, 1, 2), generator=generator).float()
    compare((middles, torch.full((1, 500), 0.01), None, torch.ones(1, 500)), (5, 5), "over", "gaussian", math.inf, 3)
    # And a soft-or of ink that is exactly 1: what the others let through is not lost with it.
    compare((vertices, torch.full((1, 7), 0.3), torch.ones(1, 7, 1), None), (12, 12), "softor", "hard", math.inf, 4)


def parts() -> None:
    """However the work is cut, its sums are the same but for rounding, and every time the same bits."""
    from raster import _gpu

    usual = _gpu.BUSY, _gpu.SUMS, _gpu.SCRATCH
    for compose in ("softor", "over"):
        given = strokes_for(compose, 7, 3, 4, b=1)
        picture, kept = _gpu.forward(*given, 18, 20, compose, "gaussian", 17.4)
        upstream = torch.rand(picture.shape, generator=torch.Generator().manual_seed(3))
        found = []
        # As it is; one part; one part for want of room; three programs for a polyline, and several parts.
        for _gpu.BUSY, _gpu.SUMS, _gpu.SCRATCH in (usual, usual, (1, 64, 2**26), (2048, 64, 0), (2048, 4, 2**26)):
            found.append(_gpu.backward(upstream, *given, kept, compose, "gaussian", 87.0))
        assert all(torch.equal(one, again) for one, again in zip(found[0], found[1], strict=True))
        for other in found[2:]:
            for one, same in zip(found[0], other, strict=True):
                assert torch.allclose(one, same, rtol=1e-4, atol=1e-5)
    _gpu.BUSY, _gpu.SUMS, _gpu.SCRATCH = usual


def emptiness() -> None:
    from raster import _gpu

    for (b, n), compose, size in itertools.product([(0, 3), (2, 0), (1, 1)], COMPOSITIONS, [(1, 1), (3, 17)]):
        vertices, inverse, weight, _ = (torch.ones(b, n, 2, 2), torch.ones(b, n), torch.ones(b, n, 3), None)
        cover = torch.ones(b, n) if compose == "over" else None
        picture, kept = _gpu.forward(vertices, inverse, weight, cover, *size, compose, "gaussian", 17.4)
        assert picture.shape == (b, 3, *size)
        if n == 0:
            assert not picture.any()
            assert compose != "softor" or bool((kept == 1).all())
            assert compose != "max" or bool((kept == -1).all())
        upstream = torch.ones_like(picture)
        found = _gpu.backward(upstream, vertices, inverse, weight, cover, kept, compose, "gaussian", 87.0)
        for each, given in zip(found, (vertices, inverse, weight, cover), strict=True):
            assert each.shape == ((b, 0) if given is None else given.shape)
            assert bool(each.isfinite().all())


def compile_for(capability: str) -> None:
    """Compiles what the engine would launch, with the very arguments, as the launcher would."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from raster import _gpu, _gpu_kernels

    launched: list[tuple] = []

    class Recorder:
        def __init__(self, kernel: object) -> None:
            self.kernel = kernel

        def __getitem__(self, grid: tuple[int, ...]) -> object:
            assert all(0 < each < 2**16 for each in grid[1:])
            return lambda *args, **named: launched.append((self.kernel, args, named))

    for name in ("prepare", "forward", "backward", "backward_over"):
        setattr(_gpu_kernels, name, Recorder(getattr(_gpu_kernels, name)))
    cases = [*itertools.product(COMPOSITIONS, ["gaussian"], [9], [3]), ("softor", "gaussian", 2, None)]
    cases += [("over", "linear", 2, 4), ("sum", "linear", 9, None), ("max", "hard", 1, 1), ("over", "hard", 5, None)]
    for compose, response, k, c in cases:
        given = strokes_for(compose, k, c, 0)
        picture, kept = _gpu.forward(*given, 20, 20, compose, response, 17.4)
        _gpu.backward(picture, *given, kept, compose, response, 87.0)
    assert {kernel.__name__ for kernel, _, _ in launched} == {"prepare", "forward", "backward", "backward_over"}
    types = {torch.float32: "*fp32", torch.int32: "*i32"}
    for kernel, args, named in launched:
        values = {**dict(zip(kernel.arg_names, args, strict=False)), **named}
        signature, fixed, aligned = {}, {}, {}
        for parameter in kernel.params:
            value = values.pop(parameter.name)
            if parameter.is_constexpr:
                signature[parameter.name], fixed[parameter.name] = "constexpr", value
            elif isinstance(value, Tensor):
                signature[parameter.name] = types[value.dtype]
                aligned[(parameter.num,)] = [["tt.divisibility", 16]]
            else:
                signature[parameter.name] = "i32" if isinstance(value, int) else "fp32"
        source = ASTSource(kernel, signature, fixed, aligned)
        done = triton.compile(source, target=GPUTarget("cuda", int(capability), 32), options=values)
        assert f".target sm_{capability}" in done.asm["ptx"]
        assert done.asm["cubin"][:4] == b"\x7fELF"
        assert not re.search(r"\b(atom|red)\.", done.asm["ptx"])
        assert done.metadata.shared <= 1024  # sums across warps need a little; nothing else does


def hasten() -> None:
    """Triton's interpreter patches its language anew at each call of a function; once is enough, and twice as fast."""
    from triton.runtime import interpreter

    class Kept:
        def restore(self) -> None: ...

    patch, patched = interpreter._patch_lang, set()

    def once(function: object) -> Kept:
        names = function.__globals__  # type: ignore[attr-defined]
        if id(names) not in patched:
            patched.add(id(names))
            patch(function)
        return Kept()

    interpreter._patch_lang = once


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "compile":
        compile_for(sys.argv[2])
    else:
        import numpy as np

        # Triton's arithmetic overflows to infinity without a word, and kernels with poison make NaN.
        np.seterr(over="ignore", under="ignore", invalid="ignore" if sys.argv[1] == "poison" else "warn")
        hasten()
        globals()[sys.argv[1]](*sys.argv[2:])
