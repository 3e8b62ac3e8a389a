"""Kernels called outside the interpreter's lock, from a few threads of our own, with denormal numbers taken for 0.

Not numba's ``parallel=True``: see "numba beside torch" in docs/raster.md. Work is cut by shape alone and each
piece writes what no other piece writes, so the bits do not depend on the number of threads.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Stage:
    """A kernel that is called ``kernel(*args, first, last)`` for some of its tasks.

    Attributes:
        kernel: compiled, outside the interpreter's lock.
        each: its tasks an item; those of item i are i * each to (i + 1) * each.
        work: of all its tasks, in about 25 ns.
        args: what it is given.
    """

    kernel: Callable[..., None]
    each: int
    work: int
    args: Sequence[Any]


def _run(stages: Sequence[Stage], first: int, last: int) -> None:
    """The stages in turn for items first..last, with denormal numbers taken for 0 in this thread meanwhile."""
    flush, restore = _modes()
    before = flush()
    try:
        for stage in stages:
            stage.kernel(*stage.args, first * stage.each, last * stage.each)
    finally:
        restore(before)


def spread(items: int, *stages: Stage) -> None:
    """Does all tasks of the stages, on as many threads as torch uses.

    Tasks of a stage want what the stages before did of the same item, and nothing of other items: with many items a
    thread takes some of them through all stages, and the threads meet once. With few, they meet after each stage.
    """
    threads = torch.get_num_threads()
    if threads <= 1 or sum(stage.work for stage in stages) < ALONE:
        _run(stages, 0, items)
    elif items >= 2 * threads:
        _share(threads, items, stages)
    else:
        for stage in stages:
            if stage.work < ALONE:
                _run([stage], 0, items)
            else:
                _share(threads, items * stage.each, [replace(stage, each=1)])


def _share(threads: int, items: int, stages: Sequence[Stage]) -> None:
    """``_run`` for all items, some at a time, by whichever thread is free."""
    chunk = -(-items // (4 * threads))
    starts = itertools.count(0, chunk)  # next() is atomic under the interpreter's lock

    def take() -> None:
        while (first := next(starts)) < items:
            _run(stages, first, min(first + chunk, items))

    pool = _pools.get(threads)
    if pool is None:
        pool = _pools.setdefault(threads, ThreadPoolExecutor(threads - 1, thread_name_prefix="raster"))
    helpers = [pool.submit(take) for _ in range(min(threads, items) - 1)]
    take()
    for helper in helpers:
        if not helper.cancel():  # one that never began has nothing left to do
            helper.result()
