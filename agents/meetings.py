"""Drawing who plays with whom in a step, from weights of meeting."""

import numpy as np
import torch

from raster.shapes import Float, Tensor

Meetings = list[tuple[int, int]]
"""Pairs (sender, receiver) by number."""


class Sampler:
    """Draws pairs from a matrix of weights, which are summed once: a step costs what is drawn.

    Args:
        weights: of meeting, [S, R], 0 or above, some above.
    """

    def __init__(self, weights: Float[Tensor, "s r"]) -> None:
        self.source = weights
        self.weights = weights.detach().cpu().double()
        self._rows = self.weights.numpy()
        self.shape = (self.weights.shape[0], self.weights.shape[1])
        self._upto = self.weights.flatten().cumsum(0)
        # The last cell of a weight above 0: rounding may not lead beyond it.
        self._last = int((self._upto < self._upto[-1]).sum())

    def independent(self, count: int, generator: torch.Generator) -> Meetings:
        """``count`` pairs, each drawn in proportion to its weight, whoever else was drawn: repeats are allowed."""
        drawn = torch.rand(count, generator=generator, dtype=torch.float64) * self._upto[-1]
        # The first cell that reaches beyond the number drawn: never one of weight 0.
        cells = torch.searchsorted(self._upto, drawn, right=True).clamp(max=self._last)
        return [divmod(cell, self.shape[1]) for cell in cells.tolist()]

    def matching(self, count: int | None, generator: torch.Generator) -> Meetings:
        """At most ``count`` pairs (all, if None) in which nobody stands twice, and to which no pair could be added.

        Senders come in random order; each takes a receiver among those that are still free, in proportion to its row of
        weights. With ``full`` and as many senders as receivers everybody plays exactly once. The pairs are in order of
        senders.
        """
        senders = torch.randperm(self.shape[0], generator=generator).tolist()
        chance = torch.rand(self.shape[0], generator=generator, dtype=torch.float64).tolist()
        free = np.ones(self.shape[1])
        met: Meetings = []
        for sender in senders:
            if count is not None and len(met) == count:
                break
            upto = (self._rows[sender] * free).cumsum()  # numpy: a few numbers a sender, many times a step
            if upto[-1] <= 0:
                continue
            receiver, last = upto.searchsorted(chance[sender] * upto[-1], side="right"), upto.searchsorted(upto[-1])
            met.append((sender, int(min(receiver, last))))
            free[met[-1][1]] = 0
        return sorted(met)
