"""``brevity``: the fewer strokes, or the shorter, the better."""

from typing import Literal

from pydantic import Field

from agents.bias import Bias, Played, bias
from agents.biases._drawing import lengths, there, vertices
from raster import InputError
from raster.shapes import Float, Tensor


@bias("brevity")
class Brevity(Bias):
    """A price on strokes: ``max(0, mean_n v_n - free)``, with v_n the stroke's presence, or its length.

    By presence it is the share of the strokes that a sender may draw which it does draw; by length, how far the pen
    travels on paper for a stroke, canvas units (2 is the canvas's side).
    """

    by: Literal["auto", "presence", "length"] = "auto"
    """What is paid for; ``auto``: presence where strokes have one (``sender.strokes.presence``), else length."""
    free: float = Field(0.0, ge=0)
    """What costs nothing: a part of the strokes, or a mean length."""

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        strokes = play.strokes
        if self.by == "presence" and strokes.presence is None:
            do = "say sender.strokes.presence: soft or hard, or by: length"
            raise InputError("brevity by presence, but the strokes have none", "biases", do)
        if strokes.presence is not None and self.by != "length":
            paid = strokes.presence
        else:
            paid = lengths(vertices(strokes)) * there(strokes)
        return (paid.mean(-1) - self.free).clamp(min=0.0)
