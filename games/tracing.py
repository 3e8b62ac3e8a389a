"""The tracing game: draw a picture so that the drawing is the picture. Nobody looks but the loss."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict

from games.alone import deal_alone
from games.pictures import Gallery
from games.play import Play, Players, Round
from perception import FrozenTrunk
from raster import CanvasConfig
from raster.shapes import Float, Tensor

#: What is added to and taken from a canvas of 0 and 1 before a logarithm is taken: nothing is quite sure.
UNSURE = 1e-4
#: The pyramid ends above this many pixels on a side.
COARSEST = 4
#: Red, green and blue in the grey of a picture (ITU-R BT.601).
GREY = (0.299, 0.587, 0.114)


class Tracing(BaseModel):
    """A sender alone: its drawing should be the picture it was shown (the drawing auto-encoders of Mihai & Hare,
    *Differentiable Drawing and Sketching*, arXiv 2103.16194; their decoders are heads here).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    chooses: ClassVar[bool] = False
    describes: ClassVar[bool] = False

    kind: Literal["tracing"] = "tracing"
    loss: Literal["mse", "bce", "pyramid"] = "mse"
    """Canvas against picture, pixel by pixel: ``mse``, the mean squared difference; ``bce``, the mean binary
    cross-entropy; ``pyramid``, the mean of the mse at full size, half, a quarter ... (strokes then feel what lies
    beyond their reach)."""
    ink: Literal["dark", "light"] = "dark"
    """What in a picture is ink: what is dark on light paper, or what is light on a dark ground."""

    @property
    def parts(self) -> "Sequence[Tracing]":
        return (self,)

    @property
    def label(self) -> str:
        return "tracing"

    def reads(self) -> tuple[tuple[FrozenTrunk, int], ...]:
        """It is dealt without looking."""
        return ()

    def deal(self, gallery: Gallery, split: str, games: int, generator: torch.Generator, turn: int = 0) -> Round:
        """Deal ``games`` pictures of a split, none twice unless there are fewer; pools are empty.

        Raises:
            InputError: the split has no pictures.
        """
        return deal_alone(gallery, split, games, generator, "trace")

    def play(self, pair: Players, round: Round, gallery: Gallery, canvas: CanvasConfig, step: int) -> Play:
        """Play a round: draw, rasterise, compare. The round's indices are on the gallery's device.

        Where ink is light, biases are handed the pictures' negatives, so that they compare a drawing with what it
        is to look like: dark on light.
        """
        photo = gallery.view(round.shown)
        strokes = pair.draw(photo, round.generator())
        ink = canvas.draw(strokes, step)  # [B, H, W], or [B, 3, H, W] of coloured strokes
        wanted = as_ink(photo.pixels().to(ink.dtype), self.ink, canvas.size, colour=ink.ndim == 4)
        scores = ink.new_zeros(len(round.shown), 0)
        meant = photo.through(negative, "negative") if self.ink == "light" else photo
        detached = ink.detach()
        figures = {"mse": mse(detached, wanted), "bce": bce(detached, wanted)}
        return Play(round, meant, strokes, ink, scores, LOSSES[self.loss](ink, wanted), gallery.trunks, figures=figures)


def negative(rgb: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Dark for light and light for dark."""
    return 1.0 - rgb


def as_ink(
    rgb: Float[Tensor, "b 3 h w"], ink: Literal["dark", "light"], size: int, colour: bool = False
) -> Float[Tensor, "b *inks size size"]:
    """Pictures in [0, 1] as a canvas holds them: 1 ink, 0 paper.

    Args:
        rgb: the pictures.
        ink: what in them is ink. The ink of a dark stroke is 1 - its grey; of a light one, its grey.
        size: pixels on a side of the canvas; pictures of another size are averaged or interpolated to it.
        colour: three channels, what each takes away of red, green and blue, in place of one of grey.
    """
    if rgb.shape[-1] != size:
        rgb = F.interpolate(rgb, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    if not colour:
        red, green, blue = rgb.unbind(dim=1)
        rgb = GREY[0] * red + GREY[1] * green + GREY[2] * blue
    return (rgb if ink == "light" else 1.0 - rgb).clamp(0, 1)


def mse(canvas: Float[Tensor, "b *inks h w"], wanted: Float[Tensor, "b *inks h w"]) -> Float[Tensor, " b"]:
    """Mean squared difference over pixels, [B]."""
    return (canvas - wanted).square().flatten(1).mean(dim=1)


def bce(canvas: Float[Tensor, "b *inks h w"], wanted: Float[Tensor, "b *inks h w"]) -> Float[Tensor, " b"]:
    """Mean binary cross-entropy over pixels, [B], the canvas as the probability of ink.

    A canvas is 0 far from all strokes, and a logarithm must not meet that: it is drawn in to [1e-4, 1 - 1e-4].
    """
    within = canvas.clamp(-UNSURE / 2, 1 + UNSURE / 2)  # not [0, 1]: a clamp has no gradient where it ends
    sure = UNSURE + (1 - 2 * UNSURE) * within
    return F.binary_cross_entropy(sure, wanted, reduction="none").flatten(1).mean(dim=1)


def pyramid(canvas: Float[Tensor, "b *inks h w"], wanted: Float[Tensor, "b *inks h w"]) -> Float[Tensor, " b"]:
    """The mean of ``mse`` at full size, half, a quarter ..., down to more than ``COARSEST`` pixels a side, [B]."""
    found = []
    while True:
        found.append(mse(canvas, wanted))
        if canvas.shape[-1] <= 2 * COARSEST:
            return torch.stack(found).mean(dim=0)
        canvas, wanted = (F.avg_pool2d(each, 2, ceil_mode=True, count_include_pad=False) for each in (canvas, wanted))


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mse": mse, "bce": bce, "pyramid": pyramid}
"""By the word that a config uses."""
