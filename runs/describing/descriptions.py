"""Described scenes as evidence: every scene of a split, what was said of it, and what is said under each control."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch

from games import Description
from raster.shapes import Float, Tensor
from runs.alone import Alone, play_alone
from runs.run import Run

CHUNK = 64
"""Scenes played at once."""


@dataclass(frozen=True)
class Descriptions(Alone):
    """Scenes of one split, each described once, in plays of up to ``CHUNK``; no scene twice, so they are independent.

    Attributes:
        game: what was played.
    """

    game: Description

    @cached_property
    def said(self) -> Float[Tensor, "n s c"]:
        """What was said of each, [n, N, C]."""
        return torch.cat([play.said for play in self.plays if play.said is not None])

    @cached_property
    def wanted(self) -> Float[Tensor, "n m c"]:
        """What is there, [n, M, C]."""
        return self._sets[self.index.to(self._sets.device)].to(self.said.dtype)

    @property
    def _sets(self) -> Float[Tensor, "all m c"]:
        assert self.run.gallery.sets is not None
        return self.run.gallery.sets

    @cached_property
    def controls(self) -> dict[str, Float[Tensor, "n s c"]]:
        """What is said under each control, [n, N, C].

        ``blank``: the same describers, given an empty sheet; ``shuffled``: given what belongs to another scene;
        ``untrained``: given what a sender that never learned draws; ``mean set``: nobody is asked, and every slot holds
        the mean element of the sets that were learned from. Where the describers learned from something else than
        drawings, those that would be the same, or speak of drawings, are left out.
        """
        run, found = self.run, {}
        given = [self.game.given(play.canvas, play.photo) for play in self.plays]
        if self.game.sees != "blank":
            found["blank"] = self._describe(lambda number: torch.zeros_like(given[number]))
            others = torch.cat(given).roll(1, 0).split([len(each) for each in given])
            found["shuffled"] = self._describe(lambda number: others[number])
        if self.game.sees == "drawing":
            found["untrained"] = self._describe(self._untrained)
        seen = self._sets[run.gallery.splits["train"].shown.to(self._sets.device)].to(self.said.dtype)
        found["mean set"] = seen.mean((0, 1)).expand_as(self.said)
        return found

    def _describe(self, canvas: Callable[[int], Tensor]) -> Float[Tensor, "n s c"]:
        """What is said of other canvases, given by the number of the play."""
        said = []
        with torch.no_grad():
            for number, play in enumerate(self.plays):
                pair = self.run.pair(*self.pairs[number])
                said.append(pair.describe(canvas(number), play.round.generator()).sets)
        return torch.cat(said)

    @cached_property
    def _strangers(self) -> list[Float[Tensor, "b *ink h w"]]:
        """What senders of another seed's fresh weights draw of the same scenes, as ink, play by play."""
        run = self.run
        fresh = run.build_community(run.config.seed + 1)
        drawn = []
        with torch.no_grad():
            for play, (sender, receiver) in zip(self.plays, self.pairs, strict=True):
                pair = fresh.pair(sender, receiver, run.biases, run.step, training=False)
                drawn.append(run.config.canvas.draw(pair.draw(play.photo, play.round.generator()), run.step))
        return drawn

    def _untrained(self, number: int) -> Tensor:
        return self._strangers[number]


def describe_split(run: Run, split: str) -> Descriptions:
    """Describe the scenes of a split (at most ``measure.pictures``, a fixed random sample), without learning.

    Args:
        run: who plays; the pairs that can meet take turns, chunk by chunk.
        split: of the gallery.
    """
    game = run.game
    assert isinstance(game, Description)
    return Descriptions(run, game, split, *play_alone(run, split, CHUNK))
