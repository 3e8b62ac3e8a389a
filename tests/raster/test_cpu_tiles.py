"""Which segments of a polyline a tile is given: all that are nearest to one of its pixels, and few others."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import _cpu
from raster._cpu_tiles import ACROSS, CELL, _turned, deal, in_canvas, measure, measure_whose, pull
from raster._pool import spread

SIDE = 8


def curve(seed: int, corners: int, step: float) -> torch.Tensor:
    """A line that wanders over a cell, comes back to itself, and has a segment that is a point."""
    g = torch.Generator().manual_seed(seed)
    steps = torch.randn(corners - 1, 2, generator=g) * step
    steps[(corners - 1) // 2] = 0
    return torch.cat([torch.rand(1, 2, generator=g) * CELL, steps]).cumsum(0)


def prepared(vertices: torch.Tensor) -> np.ndarray:
    """A stroke's segments as kernels have them, [6 s]."""
    given = (vertices[None, None], torch.ones(1, 1), None, None, CELL, CELL, 87.0)
    _, (lines, *_), _, stage = _cpu._prepared(*given, tiles=True)
    spread(1, stage)
    return np.ascontiguousarray(lines[0, 0])


def distance2(vertices: torch.Tensor) -> torch.Tensor:
    """Of the cell's pixels to the segments, the obvious way [h w s]."""
    a, along = vertices[:-1].double(), vertices.diff(dim=0).double()
    y, x = torch.meshgrid(torch.arange(CELL).double(), torch.arange(CELL).double(), indexing="ij")
    off = torch.stack([x, y], -1)[:, :, None] - a
    t = ((off * along).sum(-1) / along.square().sum(-1).clamp(min=1e-12)).clamp(0, 1)
    return (off - t[..., None] * along).square().sum(-1)


def dealt(lines: np.ndarray, near: list[int], reach: float) -> tuple[int, list[list[int]]]:
    words, looked = np.zeros((7, lines.shape[1] // 8), np.uint64), np.zeros(16 * lines.shape[1], np.float32)
    felt = deal(lines, np.array(near, np.int32), len(near), 0, 0, np.float32(reach), looked, words)
    groups = near[-1] // 8 - near[0] // 8 + 1
    bits = [[int(words[t // 8, group]) >> (8 * (t % 8)) & 255 for group in range(groups)] for t in range(ACROSS**2)]
    return felt, [
        [8 * (near[0] // 8 + group) + i for group in range(groups) for i in range(8) if each[group] >> i & 1]
        for each in bits
    ]


@given(st.integers(0, 2**64 - 1))
def test_a_word_is_turned_like_a_table(word: int) -> None:
    bits = np.array([[word >> (8 * j + i) & 1 for i in range(8)] for j in range(8)])
    turned = int(_turned(np.uint64(word)))
    assert np.array_equal([[turned >> (8 * j + i) & 1 for i in range(8)] for j in range(8)], bits.T)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**20), st.integers(3, 70), st.sampled_from([0.1, 1.0, 4.0, 20.0]), st.sampled_from([3.0, 12.0]))
def test_a_tile_is_given_all_segments_that_are_nearest_to_one_of_its_pixels(
    seed: int, corners: int, step: float, reach: float
) -> None:
    vertices = curve(seed, corners, step)
    lines, away = prepared(vertices), distance2(vertices)
    felt, given_ = dealt(lines, list(range(corners - 1)), reach)
    for t in range(ACROSS**2):
        row, column = t // ACROSS * SIDE, t % ACROSS * SIDE
        mine = away[row : row + SIDE, column : column + SIDE]
        least = mine.amin(-1)
        if not felt >> t & 1:
            assert least.min() > reach**2
            continue
        assert torch.allclose(mine[..., given_[t]].amin(-1), least, rtol=1e-4, atol=1e-4)


def test_a_tile_is_given_few_others() -> None:
    """A gentle curve of 40 pieces in a cell: a third of them, even in the tiles that it goes around."""
    t = torch.linspace(0, math.pi, 41)
    vertices = torch.stack([16 + 14 * t.cos(), 2 + 26 * t.sin()], -1)
    felt, given_ = dealt(prepared(vertices), list(range(40)), 6.0)
    counts = [len(each) for t, each in enumerate(given_) if felt >> t & 1]
    assert sum(counts) / len(counts) < 40 / 3


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20), st.integers(3, 30))
def test_distance_owner_and_pull_are_those_of_the_obvious_way(seed: int, corners: int) -> None:
    vertices = curve(seed, corners, 4.0)
    lines, away = prepared(vertices), distance2(vertices)[:SIDE, :SIDE]
    every = np.arange(corners - 1, dtype=np.int32)
    plain, d2, whose = (np.zeros(SIDE * SIDE, np.float32) for _ in range(3))
    measure(lines, every, 0, corners - 1, 0, 0, plain, 0)
    measure_whose(lines, every, 0, corners - 1, 0, 0, d2, whose, 0)
    assert np.array_equal(plain, d2)
    assert np.allclose(d2, away.amin(-1).ravel(), rtol=1e-4, atol=1e-4)
    owners = torch.from_numpy(whose).long().view(SIDE, SIDE, 1)
    assert np.allclose(away.gather(-1, owners).ravel(), d2, rtol=1e-4, atol=1e-4)
    weight = torch.rand(SIDE * SIDE, generator=torch.Generator().manual_seed(seed))
    sums = np.zeros((corners - 1, 4))
    for k in range(corners - 1):
        pull(lines, k, 0, 0, weight.numpy(), whose, 0, sums)
    leaf = vertices.double().requires_grad_()
    (0.5 * weight.double() @ distance2(leaf)[:SIDE, :SIDE].gather(-1, owners).ravel()).backward()
    mine = torch.zeros(corners, 2, dtype=torch.float64)
    for k in range(corners - 1):
        x, y, xt, yt = in_canvas(lines, k, sums[k])
        mine[k] -= torch.tensor([x - xt, y - yt])
        mine[k + 1] -= torch.tensor([xt, yt])
    assert leaf.grad is not None
    assert torch.allclose(mine, leaf.grad, rtol=1e-4, atol=1e-4 * float(leaf.grad.abs().max()) + 1e-4)
