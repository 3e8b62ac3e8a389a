"""How games of several turns went: the guess after each turn, and when the receiver had seen enough."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from raster.shapes import Bool, Float, Int, Tensor


def log_stop(wait: Float[Tensor, "b m"]) -> Float[Tensor, "b m+1"]:
    """Log-probabilities of the turn that is the last one, [B, T], from the logits of waiting after all but the last.

    With a_t = sigmoid(-wait_t) the probability of an answer after turn t, ``p_t = a_t prod_{s < t} (1 - a_s)``, and
    a = 1 after the last turn. They are summed as logarithms: a turn that is hardly ever reached keeps its gradient.
    """
    reached = F.pad(F.logsigmoid(wait).cumsum(dim=-1), (1, 0))  # [B, T]
    return reached + F.pad(F.logsigmoid(-wait), (0, 1))


def reached(wait: Float[Tensor, "b m"]) -> Float[Tensor, "b m+1"]:
    """Probability that each of the T turns is drawn at all, [B, T]: 1 for the first."""
    return F.pad(F.logsigmoid(wait).cumsum(dim=-1), (1, 0)).exp()


def decided(wait: Float[Tensor, "b m"]) -> Int[Tensor, " b"]:
    """The turn (from 0) after which a receiver that does not gamble answers: the first of a_t > 1/2, or the last."""
    return F.pad(wait < 0, (0, 1), value=True).long().argmax(dim=-1)  # of equals the first


def drawn_from(stop: Float[Tensor, "b t"], noise: Float[Tensor, " b"]) -> Int[Tensor, " b"]:
    """A turn for each game, drawn with probabilities ``stop`` by one uniform number in [0, 1) each."""
    below = stop.cumsum(dim=-1) <= noise[:, None]  # [B, T]
    return below.sum(dim=-1).clamp(max=stop.shape[-1] - 1)  # the sum of all may round to a little less than 1


@dataclass(frozen=True)
class Course:
    """The turns of B games.

    Attributes:
        scores: the receiver's scores of its candidates after each turn, [B, T, K].
        wait: its logits of waiting for more, [B, T - 1]: after the last turn it must answer.
        taken: the turn after which it answered, [B], from 0.
        drawn: control points of each turn's strokes, T of [B, n, P, 2]: what later turns were drawn upon.
    """

    scores: Float[Tensor, "b t k"]
    wait: Float[Tensor, "b m"]
    taken: Int[Tensor, " b"]
    drawn: tuple[Float[Tensor, "b _ p 2"], ...]

    @property
    def answer(self) -> Float[Tensor, "b t"]:
        """Probability of an answer after each turn, once it is reached, [B, T]; 1 after the last."""
        return F.pad(torch.sigmoid(-self.wait), (0, 1), value=1.0)

    @property
    def choices(self) -> Int[Tensor, "b t"]:
        """What the receiver would have taken after each turn, [B, T]."""
        return self.scores.argmax(dim=-1)

    def right(self, target: Int[Tensor, " b"]) -> Bool[Tensor, "b t"]:
        """Whether that was the target, [B, T]."""
        return self.choices == target[:, None]
