"""Games in which nobody chooses, as evidence: pictures of a split, each played once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from games import Game, Play
from games.alone import alone
from raster.shapes import Int, Tensor
from runs.evidence import pairs_in_turn
from runs.journal import Record
from runs.run import Run


@dataclass(frozen=True)
class Alone:
    """Pictures of one split, each played once, in plays of some; no picture twice, so they are independent.

    Attributes:
        run: who played.
        game: what was played.
        split: of the gallery.
        plays: how it went, without learning.
        pairs: who played each, (sender, receiver) by number; receiver 0 where there is none.
    """

    run: Run
    game: Game
    split: str
    plays: list[Play]
    pairs: Sequence[tuple[int, int]]

    @property
    def n(self) -> int:
        """Pictures played."""
        return len(self.index)

    @cached_property
    def index(self) -> Int[Tensor, " n"]:
        """Which pictures of the gallery, [n], on the CPU."""
        return torch.cat([play.round.shown for play in self.plays]).cpu()

    def records(self) -> list[Record]:
        """The plays as the journal writes them."""
        return [Record(self.game.label, play, *pair) for play, pair in zip(self.plays, self.pairs, strict=True)]


def play_alone(run: Run, split: str, chunk: int) -> tuple[list[Play], list[tuple[int, int]]]:
    """Play the pictures of a split (at most ``measure.pictures``, a fixed random sample), without learning.

    Args:
        run: who plays; the pairs that can meet take turns, chunk by chunk.
        split: of the gallery.
        chunk: pictures at once, at most.

    Returns:
        The plays, and who played each.
    """
    there = run.gallery.splits[split].shown.nonzero()[:, 0]
    order = torch.randperm(len(there), generator=torch.Generator().manual_seed(0))[: run.config.measure.pictures]
    who, chunks = pairs_in_turn(run.community.matrix), there[order].split(chunk)
    pairs = [who[number % len(who)] for number in range(len(chunks))]
    plays = []
    with torch.no_grad():
        for number, (some, pair) in enumerate(zip(chunks, pairs, strict=True)):
            round = alone(some, split, number).to(run.gallery.device)
            plays.append(run.game.play(run.pair(*pair), round, run.gallery, run.config.canvas, run.step))
    return plays, pairs
