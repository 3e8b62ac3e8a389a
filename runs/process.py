"""How this process uses the machine, set before torch is imported, once, by whoever owns the process; how it ends."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt's names in malloc.h


def settle() -> None:
    """Make torch's threads sleep when they wait, and let glibc keep memory that is needed again at the next step.

    Spinning threads on a busy machine cost up to ten times (docs/raster.md), and handing tensors of some MB back to
    the system after every operation, to be faulted in again, cost half of a step (docs/perception.md). Whoever has
    set ``OMP_WAIT_POLICY`` or glibc's own variables keeps what was set.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if sys.platform == "linux" and not any(name.startswith("MALLOC_") for name in os.environ):
        try:
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(_TRIM_THRESHOLD, 1 << 30)
            libc.mallopt(_MMAP_THRESHOLD, 1 << 30)
        except (OSError, AttributeError):
            return  # another C library: its allocator is left as it is


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C (or a polite kill) came; the step in hand is finished first.

    A second Ctrl-C interrupts at once. Outside the main thread signals cannot be caught: there they act as ever.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    except ValueError:  # not in the main thread
        before = {}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
