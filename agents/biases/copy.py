"""``copy``: the drawing is dark where the photo is dark, pixel by pixel or scale by scale."""

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field

from agents.bias import Bias, Played, bias
from agents.biases._blur import blur
from agents.biases._grey import luminance
from raster.shapes import Float, Tensor

_KEEP_OFF = 0.01
"""How far cross-entropy stays off certainty: blank paper on black costs -ln 0.01 = 4.6, not infinity."""


@bias("copy")
class Copy(Bias):
    """Difference of drawing and photo as pictures (the losses of Mihai & Hare, arXiv 2103.16194).

    With d the difference of the drawing's ink and the photo's darkness (one minus its luminance; where strokes have
    a colour, of each colour): ``mse`` is mean d^2; ``blurred`` the same of d blurred; ``gaussian``, ``laplacian`` and
    ``dog`` are the mean over scales of the mean square of what d has there; ``bce`` is the cross-entropy of ink and
    darkness.
    """

    by: Literal["mse", "blurred", "gaussian", "laplacian", "dog", "bce"] = "mse"
    """How they are compared. ``blurred``: both as somebody sees them who stands back; ``gaussian``: d, then d blurred
    and halved, again and again (Burt & Adelson 1983); ``laplacian``: what each of these steps takes away, and the last;
    ``dog``: differences of d blurred more and more, at full size, so that even greys do not matter but edges do;
    ``bce``: for ink that is either there or not."""
    scales: int = Field(4, ge=1, le=12)
    """Scales of a pyramid, the whole size among them; fewer where the canvas is too small to be halved so often."""
    invert: bool = False
    """Ink where the photo is light: for light lines on a dark ground."""
    sigma: float = Field(0.05, gt=0, le=1)
    """Width of the Gaussian of ``blurred``, canvas units (0.05 is 1.6 pixels of 64)."""
    grey: bool = False
    """Compare luminance alone, also where strokes have a colour."""

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        ink = play.canvas if play.canvas.ndim == 4 else play.canvas[:, None]  # [B, C, H, W]
        if self.grey and ink.shape[1] == 3:
            ink = luminance(ink)  # of ink as of light: it is linear, and its weights are 1 together
        dark = self._darkness(play, ink)
        if self.by == "bce":
            sure = _KEEP_OFF + (1 - 2 * _KEEP_OFF) * ink.clamp(0, 1)
            return F.binary_cross_entropy(sure, dark, reduction="none").mean((1, 2, 3))
        # Every pyramid is linear, so one of the difference is the difference of two.
        if self.by == "blurred":
            return blur(ink - dark, self.sigma * min(ink.shape[-2:]) / 2).square().mean((1, 2, 3))
        parts = {"mse": _alone, "gaussian": _gaussian, "laplacian": _laplacian, "dog": _dog}[self.by]
        found = parts(ink - dark, self.scales)
        return torch.stack([part.square().mean((1, 2, 3)) for part in found]).mean(0)

    def _darkness(self, play: Played, ink: Tensor) -> Float[Tensor, "b c h w"]:
        """What the ink should be: [B, C, H, W] in [0, 1] at the canvas's size."""
        photo = play.photo.pixels().to(ink.dtype)  # [B, 3, h, w]
        if ink.shape[1] == 1:
            photo = luminance(photo)
        if photo.shape[-2:] != ink.shape[-2:]:
            photo = F.interpolate(photo, ink.shape[-2:], mode="bilinear", antialias=True).clamp(0, 1)
        return photo if self.invert else 1 - photo


def _alone(x: Tensor, scales: int) -> list[Tensor]:
    return [x]


def _gaussian(x: Tensor, scales: int) -> list[Tensor]:
    """x, then blurred and halved ``scales - 1`` times (less where a side would fall below 4)."""
    found = [x]
    while len(found) < scales and min(found[-1].shape[-2:]) >= 8:
        found.append(F.avg_pool2d(blur(found[-1], 1.0), 2))
    return found


def _laplacian(x: Tensor, scales: int) -> list[Tensor]:
    """What each halving takes away, and what is left at the end."""
    steps = _gaussian(x, scales)
    taken = [large - F.interpolate(small, large.shape[-2:], mode="bilinear") for large, small in pairwise(steps)]
    return taken + steps[-1:]


def _dog(x: Tensor, scales: int) -> list[Tensor]:
    """Differences of neighbours among x and x blurred by 1, 2, 4, ... pixels."""
    steps = [x] + [blur(x, 2.0**scale) for scale in range(scales) if 2.0**scale < min(x.shape[-2:]) / 2]
    return [fine - coarse for fine, coarse in pairwise(steps)]
