"""Receivers asked again about some of the games, with sets of a drawing's strokes or with other canvases."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from raster import Strokes
from raster.shapes import Bool, Float, Int, Tensor
from runs.evidence import Evidence
from runs.sketches import Control

CHUNK = 512
"""Canvases that are drawn and read together."""


def log_probability(scores: Float[Tensor, "b k"], meant: Bool[Tensor, "b k"], several: bool) -> Float[Tensor, " b"]:
    """How sure a receiver with these scores is of what is meant: the log of the softmax at the target.

    Of several targets (or none) it is the log of the product, over candidates, of the probability that it judges each
    rightly.
    """
    if several:
        signs = meant.to(scores.dtype) * 2 - 1
        return torch.nn.functional.logsigmoid(scores * signs).sum(dim=-1)
    return scores.log_softmax(dim=-1).masked_fill(~meant, 0).sum(dim=-1)


def has_several(evidence: Evidence) -> bool:
    """Whether a game may have several targets, or none."""
    return evidence.plays[0].round.targets is not None


def answers(
    evidence: Evidence, number: int, canvas: Float[Tensor, "b *ink h w"], rows: Int[Tensor, " b"]
) -> tuple[Float[Tensor, "b k"], Bool[Tensor, "b k"]]:
    """A receiver's scores of the candidates of some games of its pool, and what is meant in them; with gradients to the
    canvas where these are on.

    Args:
        evidence: the games.
        number: of the pool.
        canvas: one for each.
        rows: which games.
    """
    round = evidence.plays[number].round
    rows = rows.to(round.pool_of.device)
    scores = evidence.run.pair(*evidence.pairs[number]).guess(canvas, evidence.looked[number], round.pool_of[rows])
    return scores, round.meant[rows]


def drawn_for(evidence: Evidence, control: Control) -> list[Strokes]:
    """The strokes of the games' drawings, or of a control in their place, pool by pool (``blank`` has none)."""
    if control == "untrained":
        return [each.detach() for each in evidence.untrained]
    if control == "random":
        return evidence.sketches.random
    plays = [play.strokes.detach() for play in evidence.plays]
    if control == "shuffled":  # those of the pool before, from the first again where there are fewer
        sizes = evidence.sketches.sizes
        return [plays[n - 1][torch.arange(size) % sizes[n - 1]] for n, size in enumerate(sizes)]
    assert control == "drawings", control
    return plays


@dataclass(frozen=True)
class Some:
    """Some games of an evidence, in the order of their pools.

    Attributes:
        evidence: of which.
        pool: the pool of each, [g].
        row: its place among the games of that pool, [g].
    """

    evidence: Evidence
    pool: Int[Tensor, " g"]
    row: Int[Tensor, " g"]

    def __len__(self) -> int:
        return len(self.pool)

    @property
    def sizes(self) -> list[int]:
        """How many there are of each pool that has any."""
        sizes: list[int] = self.pool.unique_consecutive(return_counts=True)[1].tolist()
        return sizes

    def parts(self) -> Iterator[tuple[int, Int[Tensor, " m"], slice]]:
        """Pool by pool: its number, the rows of its games, and where these stand among all."""
        start = 0
        for number, size in zip(self.pool.unique_consecutive().tolist(), self.sizes, strict=True):
            yield number, self.row[start : start + size], slice(start, start + size)
            start += size

    def strokes(self, control: Control = "drawings") -> Strokes:
        """What was drawn in each, points [g, N, P, 2]; or a control in its place."""
        drawn = drawn_for(self.evidence, control)
        return Strokes.cat([drawn[number][rows] for number, rows, _ in self.parts()])

    @cached_property
    def shown(self) -> Int[Tensor, " g"]:
        """The picture that each sender was shown, on the CPU."""
        plays = self.evidence.plays
        return torch.cat([plays[number].round.shown.cpu()[rows] for number, rows, _ in self.parts()])

    def worth(self, sets: Bool[Tensor, "g m n"], control: Control = "drawings") -> Float[Tensor, "g m"]:
        """What sets of strokes are worth: ``log_probability`` of what is meant, given a canvas of these alone; float64
        on the CPU.

        Args:
            sets: which strokes are there, m sets of each game's.
            control: whose strokes.
        """
        run, several, found = self.evidence.run, has_several(self.evidence), []
        strokes = self.strokes(control)
        with torch.no_grad():
            for number, rows, where in self.parts():
                games = torch.arange(where.start, where.stop).repeat_interleave(sets.shape[1])
                there = sets[where].flatten(0, 1)  # [s m, N]
                for some in torch.arange(len(games)).split(CHUNK):
                    mine = strokes[games[some]]
                    present = there[some.to(there.device)].to(mine.points)
                    present = present if mine.presence is None else present * mine.presence
                    canvas = run.config.canvas.draw(replace(mine, presence=present), run.step)
                    scores, meant = answers(self.evidence, number, canvas, rows[games[some] - where.start])
                    found.append(log_probability(scores, meant, several))
        return torch.cat(found).reshape(len(self), sets.shape[1]).double().cpu()


def some_games(evidence: Evidence, count: int, seed: int = 0) -> Some:
    """At most ``count`` games, as many of each pool as of any other (one more of the first), at random in each."""
    generator = torch.Generator().manual_seed(seed)
    sizes = evidence.sketches.sizes
    each, more = divmod(count, len(sizes))
    pool, row = [], []
    for number, size in enumerate(sizes):
        chosen = torch.randperm(size, generator=generator)[: each + (number < more)].sort().values
        pool.append(torch.full((len(chosen),), number))
        row.append(chosen)
    return Some(evidence, torch.cat(pool), torch.cat(row))
