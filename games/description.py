"""The description game: draw a scene so that a partner who has only the drawing can say what is in it."""

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol, runtime_checkable

import torch
from pydantic import BaseModel, ConfigDict

from games.alone import deal_alone
from games.pictures import Gallery, PictureView
from games.play import Play, Players, Round
from games.tracing import as_ink
from perception import FrozenTrunk
from perception.sets import CLEVR, Decoded, SetLossConfig, build_set_loss, over_steps
from raster import CanvasConfig, InputError
from raster.shapes import Float, Tensor


@runtime_checkable
class Describers(Players, Protocol):
    """What a game of description needs of those who play it (``agents.Pair`` is one)."""

    def describe(self, canvas: Tensor, generator: torch.Generator) -> Decoded: ...


class Description(BaseModel):
    """A sender draws a scene; a describer, who has only the drawing, answers with the set of its objects: where each
    is, its material, colour, shape and size (``perception.sets.CLEVR``). What it costs is how far that set is from the
    true one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    chooses: ClassVar[bool] = False
    describes: ClassVar[bool] = True

    kind: Literal["description"] = "description"
    sees: Literal["drawing", "picture", "blank"] = "drawing"
    """What the describer is given. ``picture``: the scene itself, in its colours, at the size of the canvas: what can
    be read at best. ``blank``: an empty sheet: what can be said without looking. In both nobody needs the drawings,
    and only biases move them."""
    loss: SetLossConfig = SetLossConfig()
    """How far a set is from the true one."""

    @property
    def parts(self) -> "Sequence[Description]":
        return (self,)

    @property
    def label(self) -> str:
        """``description``, or with what is seen in place of a drawing: ``description-picture``."""
        return "description" if self.sees == "drawing" else f"description-{self.sees}"

    def reads(self) -> tuple[tuple[FrozenTrunk, int], ...]:
        """It is dealt without looking."""
        return ()

    def inks(self, drawn: int) -> int:
        """Channels of what the describer is given, where a drawing has ``drawn``."""
        return 3 if self.sees == "picture" else drawn

    def deal(self, gallery: Gallery, split: str, games: int, generator: torch.Generator, turn: int = 0) -> Round:
        """Deal ``games`` pictures of a split, none twice unless there are fewer; pools are empty.

        Raises:
            InputError: nobody knows what is in these pictures, or the split has none.
        """
        if gallery.sets is None:
            do = "take pictures: {kind: scenes}"
            raise InputError("nobody knows which objects are in these pictures", f"pictures {gallery.source}", do)
        return deal_alone(gallery, split, games, generator, "describe")

    def play(self, pair: Players, round: Round, gallery: Gallery, canvas: CanvasConfig, step: int) -> Play:
        """Play a round: draw, rasterise, describe. The round's indices are on the gallery's device."""
        assert isinstance(pair, Describers)
        assert gallery.sets is not None
        generator = round.generator()
        photo = gallery.view(round.shown)
        strokes = pair.draw(photo, generator)
        ink = canvas.draw(strokes, step)  # [B, H, W], or [B, 3, H, W] of coloured strokes
        answer = pair.describe(self.given(ink, photo), generator)
        wanted = gallery.sets[round.shown].to(ink.dtype)  # [B, M, C]
        loss = over_steps(build_set_loss(self.loss, CLEVR), answer.supervised, wanted)
        scores = ink.new_zeros(len(round.shown), 0)
        return Play(round, photo, strokes, ink, scores, loss, gallery.trunks, said=answer.sets)

    def given(self, ink: Float[Tensor, "b *inks h w"], photo: PictureView) -> Float[Tensor, "b *seen h w"]:
        """What the describer is given of B games: the drawing, the picture as ink in three colours, or nothing."""
        if self.sees == "picture":
            return as_ink(photo.pixels().to(ink.dtype), "dark", ink.shape[-1], colour=True)
        return ink if self.sees == "drawing" else torch.zeros_like(ink)
