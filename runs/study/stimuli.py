"""What people see: photos, drawings, and the opaque names that they go by."""

import hashlib
import hmac
import io
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from raster import InputError
from runs.drawings import strokes_of
from runs.study.plays import Game

__all__ = ["Draw", "Shown", "drawer", "opaque_name", "photo_png", "sketch_png"]

Shown = Literal["raster", "vector"]
Draw = Callable[[Game], bytes]
"""Gives the drawing of a game as the bytes of a PNG or an SVG."""


def opaque_name(salt: bytes, role: str, content: bytes, suffix: str) -> str:
    """A file name that says nothing of class, artist or agent: a keyed hash of role and content.

    >>> opaque_name(b"key", "photo", b"cat", "png") == opaque_name(b"key", "drawing", b"cat", "png")
    False
    """
    return hmac.new(salt, role.encode() + b"\0" + content, hashlib.sha256).hexdigest()[:20] + "." + suffix


def photo_png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG bytes of one picture [H, W, 3], without any metadata."""
    return _png(np.ascontiguousarray(pixels))


def sketch_png(paper: NDArray[np.floating[Any]]) -> bytes:
    """PNG bytes of a drawing on paper [3, H, W] (``raster.on_paper``); grey where it has no colour."""
    shown = np.rint(255 * np.clip(paper, 0, 1)).astype(np.uint8)
    grey = (shown == shown[:1]).all()
    return _png(shown[0] if grey else np.ascontiguousarray(shown.transpose(1, 2, 0)))


def drawer(canvas: Any, shown: Shown) -> Draw:
    """How a logged game's strokes become a picture.

    ``raster`` gives the receiver's own canvas, at its size; ``vector`` the same strokes as clean paths, one a
    stroke, as wide as the ink is at half its darkness. Which of the two people saw is recorded with the study.

    Args:
        canvas: a ``raster.CanvasConfig``.
        shown: what a person sees.
    """
    import torch

    from raster import in_sight, on_paper, to_svg

    def draw(game: Game) -> bytes:
        try:
            strokes = strokes_of(game.drawing)
        except InputError as error:
            raise InputError("strokes that cannot be drawn", f"play of step {game.step}", "run again") from error
        if shown == "vector":
            return to_svg(in_sight(strokes), (canvas.size, canvas.size), sigma2=canvas.sigma2.at(game.step)).encode()
        with torch.no_grad():
            return sketch_png(on_paper(canvas.draw(strokes, game.step)[None])[0].cpu().numpy())

    return draw


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", optimize=True)
    return file.getvalue()
