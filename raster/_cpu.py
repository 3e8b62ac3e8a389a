"""The CPU engine, host side: see ``raster._op`` for what an engine is, ``raster._cpu_kernels`` for how it draws."""

import logging
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from raster._pool import spread
from raster.reference import TENT

_COMPOSE = {"softor": 0, "over": 1, "max": 2, "sum": 3}
_RESPONSE = {"gaussian": 0, "linear": 1, "hard": 2}
#: Where float32 ink is 0 whatever the cut.
_ENDS = {"gaussian": 87.0, "linear": TENT, "hard": 1.0}


@cache
def _kernels(name: str = "kernels") -> ModuleType:
    """Numba and the kernels, imported when first needed: that takes a second, and compiling them some ten."""
    logging.getLogger(__name__).info("loading the raster's CPU %s; compiled once, then kept on disk", name)
    return import_module(f"raster._cpu_{name}")


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
    """See ``raster._op``."""
    batch, count = inverse_sigma2.shape
    last, geometry, tensors = _prepared(
        vertices, inverse_sigma2, weight, cover, height, width, min(cut, _ENDS[response]), tiles=vertices.shape[2] > 2
    )
    shape = (batch, tensors[1].shape[2], height, width)
    nothing = (batch, 0, 0, 0)
    picture = vertices.new_empty(shape)
    left = vertices.new_empty(shape if compose == "softor" else nothing)
    winner = vertices.new_empty(shape if compose == "max" else nothing, dtype=torch.int32)
    kernels = _kernels(_room(vertices))
    spread(
        kernels.forward,
        batch * -(-height // _kernels().STRIP),
        batch * count * geometry[0].shape[3] * height,
        *(_COMPOSE[compose], _RESPONSE[response], last, max(1, vertices.shape[2] - 1)),
        *geometry,
        *tensors,
        *_arrays(picture, left, winner),
    )
    return picture, {"softor": left, "max": winner}.get(compose, left.flatten(1))


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
    """See ``raster._op``."""
    batch, channels, height, width = upstream.shape
    count, corners = vertices.shape[1:3]
    over = compose == "over"
    last, geometry, tensors = _prepared(
        vertices, inverse_sigma2, weight, cover, height, width, min(cut, _ENDS[response]), tiles=over or corners > 2
    )
    # Margins, so that blocks and tiles may hang over the edges.
    margins = (batch, channels, -(-height // 8) * 8, -(-width // 8) * 8 + 8)
    nothing = (batch, 0, 0, 0)
    wide = vertices.new_empty(margins)
    owner = vertices.new_empty(margins if compose == "max" else nothing, dtype=torch.int32)
    left = kept if compose == "softor" else vertices.new_empty(nothing)
    winner = kept if compose == "max" else owner
    rows = batch * channels * margins[2]
    spread(_kernels().widen, rows, rows, _COMPOSE[compose], *_arrays(upstream, left, winner, wide, owner))
    results = [
        torch.empty_like(vertices),
        torch.empty_like(inverse_sigma2),
        vertices.new_empty((batch, count, channels)),
        vertices.new_empty((batch, count if over else 0)),
    ]
    how = (_RESPONSE[response], last, max(1, corners - 1))
    work = 2 * batch * count * max(1, corners - 1) * height
    if over:
        _backward_over(how, work, geometry, tensors, wide, results)
    else:
        spread(
            _kernels(_room(vertices)).backward,
            batch * count,
            work,
            *(_COMPOSE[compose], *how),
            *geometry,
            *tensors[:2],
            margins[3],
            *_arrays(wide.flatten(2), owner.flatten(2), *results[:3]),
        )
    to_vertices, to_inverse, to_weight, to_cover = results
    return to_vertices, to_inverse, vertices.new_empty((batch, 0)) if weight is None else to_weight, to_cover


def _backward_over(
    how: tuple[Any, ...], work: int, geometry: list[Any], tensors: list[Any], wide: Tensor, results: list[Tensor]
) -> None:
    """Fills the results, strip by strip: a strip's part has a row for each stroke that touches it."""
    kernels, box = _kernels("over"), geometry[2]
    batch, _, height, _ = wide.shape
    strips = -(-height // _kernels().STRIP)
    touched = torch.empty((batch, strips), dtype=torch.int64)
    kernels.count(box, touched.numpy())
    begins = torch.cat([touched.new_zeros(1), touched.flatten().cumsum(0)])
    rows, (_, _, corners, _), channels = int(begins[-1]), results[0].shape, wide.shape[1]
    parts = _arrays(begins, wide.new_zeros((rows, corners, 2)), wide.new_zeros((rows, 2 + channels)))
    spread(
        kernels.backward,
        batch * strips,
        work,
        *how,
        *geometry,
        *tensors,
        wide.shape[3],
        *_arrays(wide.flatten(2)),
        *parts,
    )
    to_vertices, to_inverse, to_weight, to_cover = _arrays(*results)
    spread(kernels.gather, batch, work, box, tensors[0], *parts, to_vertices, to_inverse, to_cover, to_weight)


def _room(vertices: Tensor) -> str:
    return "lines" if vertices.shape[2] <= 2 else "polylines"


def _prepared(
    vertices: Tensor,
    inverse_sigma2: Tensor,
    weight: Tensor | None,
    cover: Tensor | None,
    height: int,
    width: int,
    cut: float,
    tiles: bool,
) -> tuple[Any, list[Any], list[Any]]:
    """The cut as kernels want it; what they compute once a stroke; and (inverse_sigma2, weight, cover)."""
    batch, count, corners, _ = vertices.shape
    if weight is None:
        weight = vertices.new_ones((batch, count, 1))
    tensors = _arrays(inverse_sigma2, weight, inverse_sigma2 if cover is None else cover)
    segments = max(1, corners - 1)
    slots = -(-segments // 8) * 8 if tiles else segments  # whole vectors
    lines = vertices.new_empty((batch, count, 6, slots))
    reach = vertices.new_empty((batch, count))
    box = vertices.new_empty((batch, count, 4), dtype=torch.int32)
    geometry = _arrays(lines, reach, box)
    spread(
        _kernels().prepare,
        batch * count,
        batch * count * corners,
        *_arrays(vertices),
        *tensors,
        *(cut, height, width),
        *geometry,
    )
    return tensors[0].dtype.type(cut), geometry, tensors


def _arrays(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().numpy() for tensor in tensors]
