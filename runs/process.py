"""How this process uses the machine: set before torch is imported, once, by whoever owns the process."""

import ctypes
import os
import sys

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
