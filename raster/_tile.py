"""The engine ``tile``: plain torch, any device and dtype. Strokes meet only the tiles where they are felt.

No map of all strokes is ever made: pairs of a stroke and a tile are listed (``_tile_pairs``), and their 64 pixels
worked through some at a time (``_tile_band``), the gradient by the formulas of ``docs/raster.md`` rather than by
autograd. ``over``, which needs the strokes of a tile in their order, is in ``_tile_over``.
"""

import math
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

from raster import _tile_over
from raster._tile_band import Bands, Response, Sums, add_rows, all_channels, each_channel, response_of
from raster._tile_pairs import SIDE, Pairs, Segments, chunks, segments
from raster.reference import FAR, LEAST

#: Tiles tested at a time, and pairs drawn at a time: in main memory their maps should stay in the cache (2,048 pairs
#: are a tenth faster, and take a third more memory). An accelerator wants much work at a time.
_TESTED, _DRAWN = {"cpu": 2**18}, {"cpu": 1024}
_TESTED_ELSEWHERE, _DRAWN_ELSEWHERE = 2**22, 2**16

_Found = TypeVar("_Found")


def _alone(function: Callable[..., _Found]) -> Callable[..., _Found]:
    """Holds torch to one thread meanwhile: those of two wait for each other at each of many small operations."""

    @wraps(function)
    def call(tensor: Tensor, *args: Any) -> _Found:
        threads = torch.get_num_threads()
        if tensor.device.type != "cpu" or threads == 1:
            return function(tensor, *args)
        torch.set_num_threads(1)
        try:
            return function(tensor, *args)
        finally:
            torch.set_num_threads(threads)

    return call


@_alone
def forward(
    vertices: Tensor,
    inverse_sigma2: Tensor,
    weight: Tensor | None,
    cover: Tensor | None,
    height: int,
    width: int,
    compose: str,
    response: str,
    cut: float,
) -> tuple[Tensor, Tensor]:
    """Picture [b c h w] of polylines [b n k 2], and what is kept for the gradient; see ``raster._op``."""
    bad = _bad(vertices, inverse_sigma2, weight, cover)
    kind = response_of(response, cut, vertices.dtype)
    found = segments(vertices, inverse_sigma2, bad, kind.reach, kind.unit, height, width)
    channels = 1 if weight is None else weight.shape[-1]
    amount, covers = _flat(weight), _flat(None if cover is None else cover[..., None])
    tiles = vertices.new_zeros((vertices.shape[0] * found.rows * found.columns, channels, SIDE * SIDE))
    kept = vertices.new_empty((vertices.shape[0], 0))
    if compose == "max":
        kept = _from_tiles(_largest(tiles, found, amount, kind), found, height, width)
    elif compose == "over":
        assert amount is not None
        assert covers is not None
        for pairs in chunks(found, True, _tested(tiles)):
            _tile_over.forward(tiles, found, pairs, amount, covers, kind, _drawn(tiles))
    else:
        for bands, pairs, part in _work(found, kind, tiles):
            each = each_channel(bands.ink(bands.depth(part).depth), _rows(amount, pairs, part))
            if compose == "softor":
                each = each.neg_().clamp_(min=LEAST - 1).log1p_()
            add_rows(tiles, pairs.tile[part], each)
    picture = _from_tiles(tiles, found, height, width)
    if compose == "softor":
        kept = picture.exp_()
        torch.threshold_(kept, torch.finfo(kept.dtype).tiny, 0.0)  # denormal numbers are slow for all who meet them
        picture = 1 - kept
    if bad is not None:
        picture.masked_fill_(bad.any(1)[:, None, None, None], math.nan)
    return picture, kept


@_alone
def backward(
    upstream: Tensor,
    vertices: Tensor,
    inverse_sigma2: Tensor,
    weight: Tensor | None,
    cover: Tensor | None,
    kept: Tensor,
    compose: str,
    response: str,
    cut: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients for vertices, inverse_sigma2, weight and cover; see ``raster._op``."""
    bad = _bad(vertices, inverse_sigma2, weight, cover)
    kind = response_of(response, cut, vertices.dtype)
    found = segments(vertices, inverse_sigma2, bad, kind.reach, kind.unit, *upstream.shape[2:])
    strokes = inverse_sigma2.numel()
    amount, covers = _flat(weight), _flat(None if cover is None else cover[..., None])
    sums = Sums(
        way=vertices.new_zeros((found.ax.shape[0], 4)),
        depth=vertices.new_zeros((strokes, 1)),
        weight=vertices.new_zeros((strokes, 0 if amount is None else amount.shape[1])),
        cover=vertices.new_zeros((strokes, 0 if covers is None else 1)),
    )
    given = _to_tiles(upstream * kept if compose == "softor" else upstream, found)
    if compose == "over":
        assert amount is not None
        assert covers is not None
        for pairs in chunks(found, True, _tested(given)):
            _tile_over.backward(given, found, pairs, amount, covers, kind, sums, _drawn(given))
    else:
        winner = _to_tiles(kept, found) if compose == "max" else None
        _backward(given, winner, found, amount, kind, compose, sums)
    none = vertices.new_empty((vertices.shape[0], 0))
    to = (
        _to_vertices(sums.way, found, vertices),
        sums.depth.view_as(inverse_sigma2) / inverse_sigma2,
        none if weight is None else sums.weight.view_as(weight),
        none.clone() if cover is None else sums.cover.view_as(cover),
    )
    for each in to:
        if each.numel():
            each.masked_fill_(each.abs() < torch.finfo(each.dtype).tiny, 0)
            if bad is not None:
                each.masked_fill_(bad.view(*bad.shape, *[1] * (each.ndim - 2)), math.nan)
    return to


def _backward(
    given: Tensor,
    winner: Tensor | None,
    found: Segments,
    amount: Tensor | None,
    kind: Response,
    compose: str,
    sums: Sums,
) -> None:
    """Adds up the gradients of ``softor``, ``max`` and ``sum`` from that of the tiles [t c 64]."""
    for bands, pairs, part in _work(found, kind, given):
        band = bands.depth(part)
        ink = bands.ink(band.depth)
        weight, tile = _rows(amount, pairs, part), pairs.tile[part]
        to_each = given.index_select(0, tile)
        if winner is not None:
            to_each.mul_(winner.index_select(0, tile) == (pairs.stroke[part] % found.strokes)[:, None, None])
        elif compose == "softor":
            to_each.div_(each_channel(ink, weight).neg().add_(1).clamp_(min=LEAST))
        if weight is not None:
            add_rows(sums.weight, pairs.stroke[part], (to_each * ink[:, None]).sum(2))
        bands.pull(part, band, ink, all_channels(to_each, weight), sums)


def _largest(tiles: Tensor, found: Segments, amount: Tensor | None, kind: Response) -> Tensor:
    """Puts the largest of the strokes that are felt into ``tiles``; the first such stroke's number, -1 for none."""
    winner = torch.full(tiles.shape, found.strokes, dtype=torch.int32, device=tiles.device)
    tiles.fill_(-math.inf)
    for name in ("value", "winner"):
        for bands, pairs, part in _work(found, kind, tiles):
            ink = bands.ink(bands.depth(part).depth)
            felt = (ink > 0)[:, None]
            each = each_channel(ink, _rows(amount, pairs, part)).masked_fill(~felt, -math.inf)
            tile = pairs.tile[part]
            to = tile[:, None, None].expand_as(each)
            if name == "value":
                tiles.scatter_reduce_(0, to, each, "amax")
            else:
                number = (pairs.stroke[part] % found.strokes).int()[:, None, None]
                number = number.where((each == tiles.index_select(0, tile)) & felt, found.strokes)
                winner.scatter_reduce_(0, to, number, "amin")
    nobody = winner == found.strokes
    tiles.masked_fill_(nobody, 0)
    return winner.masked_fill_(nobody, -1)


def _work(found: Segments, kind: Response, tiles: Tensor) -> Iterator[tuple[Bands, Pairs, slice]]:
    """All pairs, some at a time."""
    for pairs in chunks(found, False, _tested(tiles)):
        bands = Bands(found, pairs, kind)
        for part in bands.slices(_drawn(tiles)):
            yield bands, pairs, part


def _tested(tiles: Tensor) -> int:
    return _TESTED.get(tiles.device.type, _TESTED_ELSEWHERE)


def _drawn(tiles: Tensor) -> int:
    return max(1, _DRAWN.get(tiles.device.type, _DRAWN_ELSEWHERE) // max(1, tiles.shape[1]))


def _rows(amount: Tensor | None, pairs: Pairs, part: slice) -> Tensor | None:
    return None if amount is None else amount.index_select(0, pairs.stroke[part])


def _flat(amount: Tensor | None) -> Tensor | None:
    """[b n c] as [b n, c]."""
    return None if amount is None else amount.flatten(0, 1)


def _bad(vertices: Tensor, inverse_sigma2: Tensor, weight: Tensor | None, cover: Tensor | None) -> Tensor | None:
    """Strokes [b n] with a number that is none; None where there are none such."""
    fine = torch.isfinite(vertices).flatten(2).all(2) & torch.isfinite(inverse_sigma2)
    if weight is not None:
        fine &= torch.isfinite(weight).all(2)
    if cover is not None:
        fine &= torch.isfinite(cover)
    return None if bool(fine.all()) else ~fine


def _from_tiles(tiles: Tensor, found: Segments, height: int, width: int) -> Tensor:
    """Tiles [t c 64] as canvases [b c h w]."""
    canvas = tiles.view(-1, found.rows, found.columns, tiles.shape[1], SIDE, SIDE).permute(0, 3, 1, 4, 2, 5)
    canvas = canvas.reshape(-1, tiles.shape[1], found.rows * SIDE, found.columns * SIDE)
    return canvas[..., :height, :width].contiguous()


def _to_tiles(canvas: Tensor, found: Segments) -> Tensor:
    """Canvases [b c h w] as tiles [t c 64]; what lies outside is 0."""
    channels, height, width = canvas.shape[1:]
    bottom, right = found.rows * SIDE - height, found.columns * SIDE - width
    if bottom or right:
        canvas = torch.nn.functional.pad(canvas, (0, right, 0, bottom))
    tiles = canvas.view(-1, channels, found.rows, SIDE, found.columns, SIDE).permute(0, 2, 4, 1, 3, 5)
    return tiles.reshape(-1, channels, SIDE * SIDE)


def _to_vertices(way: Tensor, found: Segments, vertices: Tensor) -> Tensor:
    """The gradient of vertices [b n k 2] from the sums of their segments, [b n s, 4]."""
    end = (found.length * found.scale).clamp_(max=FAR)
    back = torch.where(end > 0, 1 / end, 0)[:, None]
    to_second = way[:, 2:] * back  # t of the way is the second end's
    to = torch.stack((way[:, :2] - to_second, to_second)) * (2 * found.scale)[:, None]  # [2, b n s, 2]
    x = to[..., 0] * found.ux - to[..., 1] * found.uy
    y = to[..., 0] * found.uy + to[..., 1] * found.ux
    first, second = torch.stack((x, y), -1).view(2, *vertices.shape[:2], found.each, 2)
    to_vertices = torch.zeros_like(vertices)
    to_vertices[:, :, : found.each] += first
    if vertices.shape[2] > 1:
        to_vertices[:, :, 1:] += second
    return to_vertices
