"""How a canvas lies on a page: canvas units and mm."""

import math
from dataclasses import dataclass

from raster.shapes import Float, Tensor


@dataclass(frozen=True)
class Frame:
    """A canvas on a page: ``mm = (x, y) + scale * canvas``; both have y downwards.

    A pen w mm wide is ``w / scale`` canvas units wide where its ink is one half (the raster's ``width``, the full
    width at half maximum of its Gaussian), so its ``sigma2`` is ``(w / scale)^2 / (4 ln 2)``.

    Attributes:
        scale: mm a canvas unit; the canvas's short side is 2 of them.
        x: of the canvas's middle, mm from the page's left edge.
        y: of the canvas's middle, mm from the page's upper edge.

    >>> Frame(95.0, 105.0, 148.5).width(0.5)
    0.00526...
    """

    scale: float
    x: float
    y: float

    def to_mm(self, points: Float[Tensor, "*any 2"]) -> Float[Tensor, "*any 2"]:
        """Canvas coordinates as places on the page, mm."""
        return points * self.scale + points.new_tensor([self.x, self.y])

    def to_canvas(self, places: Float[Tensor, "*any 2"]) -> Float[Tensor, "*any 2"]:
        """Places on the page, mm, as canvas coordinates."""
        return (places - places.new_tensor([self.x, self.y])) / self.scale

    def width(self, mm: float) -> float:
        """A pen's width in canvas units."""
        return mm / self.scale

    def sigma2(self, mm: float) -> float:
        """The raster's ``sigma2`` for a pen so many mm wide, canvas units squared."""
        return self.width(mm) ** 2 / (4 * math.log(2))
