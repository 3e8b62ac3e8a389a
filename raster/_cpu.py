"""The CPU engine, host side: see ``raster._op`` for what an engine is, ``raster._cpu_kernels`` for how it draws."""

import logging
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from raster._pool import Stage, spread
from raster.reference import TENT

_COMPOSE = {"softor": 0, "over": 1, "max": 2, "sum": 3}
_RESPONSE = {"gaussian": 0, "linear": 1, "hard": 2}
#: Where float32 ink is 0 whatever the cut.
_ENDS = {"gaussian": 87.0, "linear": TENT, "hard": 1.0}


@cache
def kernels(name: str = "kernels") -> ModuleType:
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
    last, geometry, tensors, prepare = _prepared(
        vertices, inverse_sigma2, weight, cover, height, width, min(cut, _ENDS[response]), tiles=vertices.shape[2] > 2
    )
    shape = (batch, tensors[1].shape[2], height, width)
    picture, kept = vertices.new_empty(shape), vertices.new_empty((batch, 0))
    if compose in ("softor", "max"):
        kept = vertices.new_empty(shape, dtype=torch.int32 if compose == "max" else torch.float32)
    left, winner = _kept(kept, compose, batch)
    how = (_COMPOSE[compose], _RESPONSE[response], last, max(1, vertices.shape[2] - 1))
    draw = Stage(
        kernels(_room(vertices)).forward,
        -(-height // kernels().STRIP),
        batch * count * geometry[0].shape[3] * height,
        (*how, *geometry, *tensors, *_arrays(picture), left, winner),
    )
    spread(batch, prepare, draw)
    return picture, kept


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
    last, geometry, tensors, prepare = _prepared(
        vertices, inverse_sigma2, weight, cover, height, width, min(cut, _ENDS[response]), tiles=over or corners > 2
    )
    # Margins, so that blocks and tiles may hang over the edges.
    margins = (batch, channels, -(-height // 8) * 8, -(-width // 8) * 8 + 8)
    wide = np.empty(margins, np.float32)
    owner = np.empty(margins if compose == "max" else (batch, 0, 0, 0), np.int32)
    rows = channels * margins[2]
    given = (_COMPOSE[compose], *_arrays(upstream), *_kept(kept, compose, batch), wide, owner)
    widen = Stage(kernels().widen, rows, batch * rows, given)
    results = [
        torch.empty_like(vertices),
        torch.empty_like(inverse_sigma2),
        vertices.new_empty((batch, count, channels)),
        vertices.new_empty((batch, count if over else 0)),
    ]
    how = (_RESPONSE[response], last, max(1, corners - 1))
    work = 2 * batch * count * max(1, corners - 1) * height
    if over:
        spread(batch, prepare, widen)
        _backward_over(how, work, geometry, tensors, wide, results)
    else:
        given = (*tensors[:2], margins[3], _flat(wide), _flat(owner), *_arrays(*results[:3]))
        kernel = kernels(_room(vertices)).backward
        spread(batch, prepare, widen, Stage(kernel, count, work, (_COMPOSE[compose], *how, *geometry, *given)))
    to_vertices, to_inverse, to_weight, to_cover = results
    return to_vertices, to_inverse, vertices.new_empty((batch, 0)) if weight is None else to_weight, to_cover


def _backward_over(
    how: tuple[Any, ...], work: int, geometry: list[Any], tensors: list[Any], wide: Any, results: list[Tensor]
) -> None:
    """Fills the results, strip by strip: a strip's part has a row for each stroke that touches it."""
    over, box = kernels("over"), geometry[2]
    batch, _, height, _ = wide.shape
    strips = -(-height // kernels().STRIP)
    touched = np.empty((batch, strips), np.int64)
    over.count(box, touched)
    begins = np.concatenate([[0], touched.ravel().cumsum()])
    rows, (_, _, corners, _), channels = int(begins[-1]), results[0].shape, wide.shape[1]
    parts = begins, np.zeros((rows, corners, 2), np.float32), np.zeros((rows, 2 + channels), np.float32)
    given = (*how, *geometry, *tensors, wide.shape[3], _flat(wide), *parts)
    to_vertices, to_inverse, to_weight, to_cover = _arrays(*results)
    collect = (box, tensors[0], *parts, to_vertices, to_inverse, to_cover, to_weight)
    spread(batch, Stage(over.backward, strips, work, given), Stage(over.gather, 1, work, collect))


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
) -> tuple[Any, list[Any], list[Any], Stage]:
    """The cut as kernels want it; room for what they compute once a stroke, and the stage that does; and
    (inverse_sigma2, weight, cover).
    """
    batch, count, corners, _ = vertices.shape
    inverse = _arrays(inverse_sigma2)[0]
    tensors = [
        inverse,
        np.ones((batch, count, 1), np.float32) if weight is None else _arrays(weight)[0],
        inverse if cover is None else _arrays(cover)[0],
    ]
    segments = max(1, corners - 1)
    slots = -(-segments // 8) * 8 if tiles else segments  # whole vectors
    geometry = [
        np.empty((batch, count, 6, slots), np.float32),
        np.empty((batch, count), np.float32),
        np.empty((batch, count, 4), np.int32),
    ]
    given = (*_arrays(vertices), *tensors, cut, height, width, *geometry)
    return np.float32(cut), geometry, tensors, Stage(kernels().prepare, count, batch * count * corners, given)


def _flat(planes: Any) -> Any:
    """[b c h w] as [b c pixels]; -1 would not do where there are none."""
    return planes.reshape(*planes.shape[:2], planes.shape[2] * planes.shape[3])


def _kept(kept: Tensor, compose: str, batch: int) -> tuple[Any, Any]:
    """What paper is left and who won, of which at most one was kept."""
    left = _arrays(kept)[0] if compose == "softor" else np.empty((batch, 0, 0, 0), np.float32)
    winner = _arrays(kept)[0] if compose == "max" else np.empty((batch, 0, 0, 0), np.int32)
    return left, winner


def _arrays(*tensors: Tensor) -> list[Any]:
    return [(tensor.detach() if tensor.requires_grad else tensor).numpy() for tensor in tensors]
