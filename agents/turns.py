"""Drawing and looking turn by turn: how a drawing goes on, and when who looks at it has seen enough."""

import math
from dataclasses import dataclass, replace

import torch
from torch import nn

from raster import Strokes
from raster.shapes import Float, Tensor

#: What a sender may be told of the receiver's last scores: see ``Turns.hears``.
HEARD = 3

#: The decision's network counts so much: with the agents' step size it would hardly learn to tell games apart.
GAIN = 10.0


@dataclass(frozen=True)
class Turns:
    """What a game of turns asks of its agents.

    Attributes:
        count: turns, T, 2 or more; the receiver decides after each but the last.
        hears: whether the sender is told, before each turn but the first, how the receiver's guess stands:
            ``HEARD`` numbers a game.
    """

    count: int
    hears: bool = False


@dataclass(frozen=True)
class Planned:
    """A drawing that was thought of whole, and how many of its strokes stand on the paper."""

    strokes: Strokes
    drawn: int

    def more(self, count: int) -> "tuple[Strokes, Planned]":
        """The next ``count`` strokes, or as many as there are left."""
        until = min(self.drawn + count, self.strokes.count)
        return self.strokes.select(slice(self.drawn, until)), replace(self, drawn=until)


class Patience(nn.Module):
    """Whether to wait for more strokes: a small network upon what is certain of the guess, and a number a turn.

    It sees the log-odds of the best candidate, how far its score is above the second's, and the entropy of all, so it
    does not know candidates apart and plays with any K. Before it learns, the number of the turn alone decides, such
    that each turn is as likely to be the last: ``1 / (T - t)`` is the probability of an answer after turn t (from 0).

    It keeps a moving average of what games cost, for those who learn from samples (REINFORCE's baseline).

    Args:
        turns: T.
        width: of the hidden layer.
    """

    mean: Tensor
    count: Tensor

    def __init__(self, turns: int, width: int = 16) -> None:
        super().__init__()
        self.first = nn.Linear(3, width)  # then tanh, for log-odds have no bounds
        self.last = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(self.last.weight)
        answer = torch.tensor([1.0 / (turns - turn) for turn in range(turns - 1)])
        self.turn = nn.Parameter(-torch.logit(answer))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, scores: Float[Tensor, "b k"], turn: int) -> Float[Tensor, " b"]:
        """Logits of waiting after turn ``turn`` (from 0, any but the last) with these scores; above 0 it waits."""
        log = scores.log_softmax(dim=-1)  # [B, K]
        best = scores.topk(2, dim=-1)
        others = scores.scatter(1, best.indices[:, :1], float("-inf")).logsumexp(dim=-1)
        entropy = -(log.exp() * log).sum(dim=-1) / math.log(scores.shape[-1])  # in [0, 1]
        first, second = best.values.unbind(dim=-1)
        seen = torch.stack([(first - others) / 4, (first - second) / 4, entropy], dim=-1)  # [B, 3]
        return GAIN * self.last(torch.tanh(self.first(seen)))[:, 0] + self.turn[turn]

    @torch.no_grad()
    def remember(self, cost: Float[Tensor, ""], keep: float) -> None:
        """Take a batch's mean cost into the moving average, ``keep`` of which stays; the first is taken as it is."""
        kept = torch.where(self.count > 0, torch.full_like(self.mean, keep), torch.zeros_like(self.mean))
        self.mean.copy_(kept * self.mean + (1 - kept) * cost)
        self.count.add_(1)
