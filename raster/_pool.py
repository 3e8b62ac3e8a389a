"""The CPU kernels, called outside the interpreter's lock from a few threads of our own.

Not numba's ``parallel=True``: see "numba beside torch" in docs/raster.md. Work is cut by shape alone and each
piece writes what no other piece writes, so the bits do not depend on the number of threads.
"""

import itertools
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

#: Below this many stroke-rows (about 0.2 ms) a second thread costs more than it brings.
_ALONE = 8192
#: A picture of few sketches is cut into strips of this many rows.
_STRIP = 64

_pools: dict[int, ThreadPoolExecutor] = {}
# Threads do not survive a fork (a data loader's workers): the child makes its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)


@cache
def _kernels() -> ModuleType:
    """Numba and the kernels, imported when first needed: that takes a second, and compiling them some ten."""
    logging.getLogger(__name__).info("loading the raster's CPU kernels; compiled once, then kept on disk")
    from raster import _cpu_kernels

    return _cpu_kernels


def forward(vertices: Tensor, inverse_sigma2: Tensor, ink: Tensor, left: Tensor) -> None:
    """Fills ``ink`` and ``left``, both [b h w]."""
    batch, count, corners, _ = vertices.shape
    height = left.shape[1]
    strips = -(-height // _STRIP) if batch < 16 else 1
    arrays = _arrays(vertices, inverse_sigma2, ink, left)
    work = batch * count * max(1, corners - 1) * height
    _spread(_kernels().forward, batch * strips, work, *arrays, strips)


def backward(
    upstream: Tensor, vertices: Tensor, inverse_sigma2: Tensor, left: Tensor, to_vertices: Tensor, to_inverse: Tensor
) -> None:
    """Fills ``to_vertices`` [b n k 2] and ``to_inverse`` [b n]."""
    batch, count, corners, _ = vertices.shape
    arrays = _arrays(upstream, vertices, inverse_sigma2, left, to_vertices, to_inverse)
    work = 2 * batch * count * max(1, corners - 1) * left.shape[1]
    _spread(_kernels().backward, batch * count, work, *arrays)


def _arrays(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def _spread(kernel: Callable[..., None], tasks: int, work: int, *args: Any) -> None:
    """Calls ``kernel(*args, first, last)`` so that tasks 0..tasks are done, on as many threads as torch uses."""
    threads = min(torch.get_num_threads(), tasks)
    if threads <= 1 or work < _ALONE:
        kernel(*args, 0, tasks)
        return
    chunk = -(-tasks // (4 * threads))
    starts = itertools.count(0, chunk)  # next() is atomic under the interpreter's lock

    def take() -> None:
        while (first := next(starts)) < tasks:
            kernel(*args, first, min(first + chunk, tasks))

    pool = _pools.get(threads)
    if pool is None:
        pool = _pools.setdefault(threads, ThreadPoolExecutor(threads - 1, thread_name_prefix="raster"))
    helpers = [pool.submit(take) for _ in range(threads - 1)]
    take()
    for helper in helpers:
        if not helper.cancel():  # one that never began has nothing left to do
            helper.result()
