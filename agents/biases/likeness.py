"""``likeness``: the drawing should look like the photo to a frozen trunk (the perceptual loss of Learning to Draw)."""

import torch
from pydantic import Field, model_validator
from torch import nn

from agents.bias import Bias, Played, bias
from agents.biases import _picture
from agents.biases._drawing import for_all, some_of
from perception import FrozenTrunk, Level, TimmTrunk, likeness, numbered
from raster.shapes import Float, Tensor


class LevelWeights(nn.Module):
    """Weights of L levels that are learned: never below 0, and of length 1 together."""

    def __init__(self, start: tuple[float, ...]) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.tensor(start))

    def forward(self) -> Float[Tensor, " l"]:
        """The weights as they are now, [L]."""
        return nn.functional.normalize(self.raw.relu(), dim=0)


@bias("likeness")
class Likeness(Bias):
    """Distance of sketch and photo in a trunk's feature maps: Mihai & Hare 2021, section 3.3.

    ``cost = sum_l w_l mean_hw || s_l - p_l ||^2`` with channel-unit-normalised maps of the sketch (black ink on
    white paper) and of the photo that the sender was shown. The photo's maps come from the gallery's cache.
    """

    trunk: FrozenTrunk = TimmTrunk()
    """The trunk that compares."""
    levels: tuple[Level, ...] = Field((0, 1, 2), min_length=1)
    """Levels of its pyramid; 0 is the finest. Those of a trunk of kind ``torchvision`` may be named."""
    weights: tuple[float, ...] | None = None
    """One weight a level; 1 each when left out."""
    learn: bool = False
    """Learn the weights, from ``weights`` on: never below 0, of length 1 together, by the same optimiser as the agents.
    As in Learning to Draw they end on the one level whose distance is smallest, for that makes the cost least."""
    image: str | None = None
    """A picture file that every drawing should look like instead of its photo ("like a dog")."""
    share: float = Field(1.0, gt=0, le=1)
    """Part of the games that is compared. The games of a round stand in random order, so the first ones are a
    fair sample; their costs are scaled up so that the mean over all games keeps its expectation."""

    @model_validator(mode="after")
    def _one_weight_a_level(self) -> "Likeness":
        if self.weights is not None and len(self.weights) != len(self.levels):
            raise ValueError(f"{len(self.weights)} weights for {len(self.levels)} levels: give one a level")
        if self.learn and max(self._start) <= 0:
            raise ValueError("learned weights must start above 0, one of them at least")
        numbered(self.trunk, self.levels)
        return self

    @property
    def _numbers(self) -> tuple[int, ...]:
        return numbered(self.trunk, self.levels)

    @property
    def _start(self) -> tuple[float, ...]:
        return self.weights or (1.0,) * len(self.levels)

    def reads(self) -> tuple[tuple[FrozenTrunk, int | None], ...]:
        return () if self.image is not None else tuple((self.trunk, level) for level in self._numbers)

    def keeps(self) -> nn.Module | None:
        return LevelWeights(self._start) if self.learn else None

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        games = play.canvas.shape[0]
        some = some_of(games, self.share)
        levels = self._numbers
        sketch = play.trunks.sketches(self.trunk, play.canvas, levels, some)
        if self.image is None:
            shown = play.photo[:some]
            photo = [shown.features(self.trunk, level) for level in levels]
        else:
            one = _picture.features(play.trunks[self.trunk], self.image, play.canvas.shape[-1], levels)
            photo = [each.expand(some, -1, -1, -1) for each in one]
        return for_all(likeness(sketch, photo, self._weights(play)).to(play.canvas.dtype), games)

    def _weights(self, play: Played) -> list[float] | list[Tensor]:
        if not self.learn:
            return list(self._start)
        learned = play.kept if isinstance(play.kept, LevelWeights) else LevelWeights(self._start)
        return list(learned().to(device=play.canvas.device, dtype=torch.float32).unbind())
