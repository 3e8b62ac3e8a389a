"""Drawing pictures by optimisation, as a game: nobody guesses, and only what biases cost is to be won."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch

from games.pictures import Gallery, PictureView
from games.play import Play, Round
from perception import FrozenTrunk
from raster import CanvasConfig, InputError, Strokes
from raster.shapes import Tensor


@runtime_checkable
class Drawer(Protocol):
    """What this game needs of whoever draws (``agents.FreeHand`` is one)."""

    def draw(self, view: PictureView, generator: torch.Generator) -> Strokes: ...

    def paper(self) -> Tensor | None:
        """The ink of each paper, broadcasting with the canvas; None for white paper."""
        ...


@dataclass(frozen=True)
class Drawing:
    """B drawings, the same number of each picture of a split; there is no receiver, no candidate and no target.

    A play of it has ``pool`` [1, 0], ``target`` -1, ``scores`` [B, 0] and no loss of its own, and every cost of a bias
    works on it as on any other.
    """

    def deal(self, gallery: Gallery, split: str, games: int, generator: torch.Generator, turn: int = 0) -> Round:
        """Deal each picture of the split ``games`` / pictures times, picture by picture, in the gallery's order.

        Raises InputError where ``games`` is no multiple of the number of pictures.
        """
        shown = gallery.splits[split].shown.nonzero()[:, 0]
        if not len(shown) or games % len(shown):
            raise InputError(f"{games} drawings of {len(shown)} pictures", "drawing", "give as many of each picture")
        seed = int(torch.randint(2**62, (1,), generator=generator))
        return Round(
            pool=torch.zeros(1, 0, dtype=torch.long),
            target=torch.full((games,), -1),
            pool_of=torch.zeros(games, dtype=torch.long),
            shown=shown.repeat_interleave(games // len(shown)),
            split=split,
            seed=seed,
        )

    def play(self, hand: Drawer, round: Round, gallery: Gallery, canvas: CanvasConfig, step: int) -> Play:
        """Draw, and put it on paper with the sigma2 of this step.

        Strokes with a width of their own are as much wider as the schedule's sigma2 is above its end, so that a
        schedule that begins soft does so for them too.
        """
        photo = round.photo(gallery)
        strokes = hand.draw(photo, round.generator())
        drawn = strokes
        if strokes.width is not None and not canvas.sigma2.constant:
            drawn = replace(strokes, width=strokes.width * (canvas.sigma2.at(step) / canvas.sigma2.ends[1]) ** 0.5)
        ink = canvas.draw(drawn, step, upon=hand.paper())
        return Play(
            round=round,
            photo=photo,
            strokes=strokes,
            canvas=ink,
            scores=ink.new_zeros(len(photo), 0),
            loss=ink.new_zeros(len(photo)),
            trunks=gallery.trunks,
        )

    def reads(self) -> tuple[tuple[FrozenTrunk, int], ...]:
        return ()

    @property
    def parts(self) -> Sequence["Drawing"]:
        return (self,)

    @property
    def label(self) -> str:
        return "drawing"
