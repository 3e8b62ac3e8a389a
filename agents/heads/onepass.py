"""``onepass``: all strokes at once from one vector."""

import torch

from agents.heads.config import StrokesConfig
from agents.heads.hand import numbers, start, to_strokes
from agents.heads.sight import Sight
from agents.moment import Moment
from perception import Linear
from raster import Strokes


class OnePass(Linear):
    """The last layer of the sender's multilayer perceptron, after Mihai & Hare 2021 (section 3).

    It starts small around short strokes strewn evenly over the canvas (``hand.start``). It is the layer itself, so that
    its tensors are ``head.weight`` and ``head.bias``.

    Args:
        vector: length of the vector that it is given.
        strokes: what it draws with.
    """

    attends = False

    def __init__(self, vector: int, strokes: StrokesConfig) -> None:
        super().__init__(vector, strokes.count * numbers(strokes))
        self.strokes = strokes
        with torch.no_grad():
            self.weight.mul_(0.5)
            self.bias.copy_(start(strokes).flatten())

    def draw(self, sight: Sight, moment: Moment) -> Strokes:
        """Strokes [B, N] of B pictures."""
        raw = self(sight.vector).unflatten(-1, (self.strokes.count, numbers(self.strokes)))
        return to_strokes(raw, self.strokes, moment)
