"""``shape``: what agents see loses its texture, so that they talk about form."""

from typing import Literal

from pydantic import Field, model_validator

from agents.bias import Bias, bias
from agents.biases._blur import blur
from agents.biases._grey import luminance
from agents.biases._slopes import slopes
from agents.eye import View
from agents.moment import Moment
from raster.shapes import Float, Tensor


@bias("shape")
class Shape(Bias):
    """Pictures in grey, blurred, or as edges (Geirhos et al., ICLR 2019: networks look at texture unless they cannot).

    A pure function of each picture: features of what is seen are computed once and cached like any others. Costs
    still compare with the photo as it is.
    """

    show: Literal["grey", "blur", "edges"] = "edges"
    """``grey``: no colour; ``blur``: a Gaussian takes what is finer than ``sigma``; ``edges``: dark lines on white
    where luminance, blurred by ``sigma``, changes (its gradient by Sobel's filters, the strongest black)."""
    sigma: float = Field(0.04, ge=0, le=1)
    """Width of the Gaussian, canvas units (0.04 is 1.3 pixels of 64). ``grey`` does not ask for it."""
    eyes: Literal["both", "sender", "receiver"] = "both"
    """Who sees so."""

    @model_validator(mode="after")
    def _a_blur_blurs(self) -> "Shape":
        if self.show == "blur" and self.sigma == 0:
            raise ValueError("a blur of sigma 0 changes nothing: give a sigma above 0")
        return self

    def see(self, view: View, moment: Moment) -> View:
        if self.eyes not in ("both", moment.role):
            return view
        name = "shape-grey" if self.show == "grey" else f"shape-{self.show}-{self.sigma!r}"
        return view.through(self._seen, name)

    def _seen(self, rgb: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        if self.show == "grey":
            return luminance(rgb, 3)
        sigma = self.sigma * min(rgb.shape[-2:]) / 2  # pixels
        if self.show == "blur":
            return blur(rgb, sigma)
        return 1 - _edges(blur(luminance(rgb), sigma)).expand(-1, 3, -1, -1)


def _edges(grey: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """Length of the luminance's gradient, the longest of each picture 1; 0 all over where nothing changes."""
    slope = slopes(grey)
    length = slope.square().sum(1, keepdim=True).sqrt()
    # Below a hundredth a pixel lies the noise of bytes: it is not blown up to edges.
    return length / length.amax((2, 3), keepdim=True).clamp(min=0.01)
