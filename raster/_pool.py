"""Kernels called outside the interpreter's lock, from a few threads of our own, with denormal numbers taken for 0.

Not numba's ``parallel=True``: see "numba beside torch" in docs/raster.md. Work is cut by shape alone and each
piece writes what no other piece writes, so the bits do not depend on the number of threads.
"""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch

#: Below this much work, in about 25 ns (0.2 ms in all), a second thread costs more than it brings.
ALONE = 8192

_pools: dict[int, ThreadPoolExecutor] = {}
# Threads do not survive a fork (a data loader's workers): the child makes its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)


@cache
def _modes() -> tuple[Callable[[], int], Callable[[int], None]]:
    from raster import _cpu_lanes  # which brings numba

    return _cpu_lanes.flush_denormals, _cpu_lanes.restore_denormals


def _flushed(kernel: Callable[..., None], *args: Any) -> None:
    """Calls a kernel with denormal numbers taken for 0 in this thread, and only meanwhile."""
    flush, restore = _modes()
    before = flush()
    try:
        kernel(*args)
    finally:
        restore(before)


def spread(kernel: Callable[..., None], tasks: int, work: int, *args: Any) -> None:
    """Calls ``kernel(*args, first, last)`` so that tasks 0..tasks are done, on as many threads as torch uses."""
    threads = min(torch.get_num_threads(), tasks)
    if threads <= 1 or work < ALONE:
        _flushed(kernel, *args, 0, tasks)
        return
    chunk = -(-tasks // (4 * threads))
    starts = itertools.count(0, chunk)  # next() is atomic under the interpreter's lock

    def take() -> None:
        while (first := next(starts)) < tasks:
            _flushed(kernel, *args, first, min(first + chunk, tasks))

    pool = _pools.get(threads)
    if pool is None:
        pool = _pools.setdefault(threads, ThreadPoolExecutor(threads - 1, thread_name_prefix="raster"))
    helpers = [pool.submit(take) for _ in range(threads - 1)]
    take()
    for helper in helpers:
        if not helper.cancel():  # one that never began has nothing left to do
            helper.result()
