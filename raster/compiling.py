"""Kernels in numba, compiled at first call and kept on disk."""

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: compiles a function at its first call, which then runs outside the interpreter's lock.

    What was compiled is kept in numba's cache, or nowhere where numba finds no folder that can be written. Importing
    this brings numba, which takes a moment.

    Args:
        options: of ``numba.njit``.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # no folder that can be written
            return njit(nogil=True, **options)(function)

    return decorate
