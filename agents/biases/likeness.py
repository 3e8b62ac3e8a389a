"""``likeness``: the drawing should look like the photo to a frozen trunk (the perceptual loss of Learning to Draw)."""

import math

from pydantic import Field, model_validator

from agents.bias import Bias, Played, bias
from perception import TimmTrunk, likeness
from raster.shapes import Float, Tensor


@bias("likeness")
class Likeness(Bias):
    """Distance of sketch and photo in a trunk's feature maps: Mihai & Hare 2021, section 3.3.

    ``cost = sum_l w_l mean_hw || s_l - p_l ||^2`` with channel-unit-normalised maps of the sketch (black ink on
    white paper) and of the photo that the sender was shown. The photo's maps come from the gallery's cache.
    """

    trunk: TimmTrunk = TimmTrunk()
    """The trunk that compares."""
    levels: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    """Levels of its pyramid; 0 is the finest."""
    weights: tuple[float, ...] | None = None
    """One weight a level; 1 each when left out."""
    share: float = Field(1.0, gt=0, le=1)
    """Part of the games that is compared. The games of a round stand in random order, so the first ones are a
    fair sample; their costs are scaled up so that the mean over all games keeps its expectation."""

    @model_validator(mode="after")
    def _one_weight_a_level(self) -> "Likeness":
        if self.weights is not None and len(self.weights) != len(self.levels):
            raise ValueError(f"{len(self.weights)} weights for {len(self.levels)} levels: give one a level")
        return self

    def reads(self) -> tuple[tuple[TimmTrunk, int], ...]:
        return tuple((self.trunk, level) for level in self.levels)

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        games = play.canvas.shape[0]
        some = math.ceil(games * self.share)
        paper = (1.0 - play.canvas[:some].float())[:, None].expand(-1, 3, -1, -1)  # [b, 3, H, W]
        sketch = play.trunks[self.trunk](paper, self.levels)
        shown = play.photo[:some]
        photo = [shown.features(self.trunk, level) for level in self.levels]
        each = likeness(sketch, photo, self.weights or (1.0,) * len(self.levels))  # [b]
        cost = play.canvas.new_zeros(games)
        cost[:some] = each * (games / some)
        return cost
