"""Who draws: photo features to strokes."""

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

from agents.eye import Eye, Pictures, Sighted
from agents.heads import (
    Connected,
    ConnectedHead,
    HeadConfig,
    Midway,
    OnePass,
    OnePassHead,
    Recurrent,
    RecurrentHead,
    SetHead,
    Sight,
    StrokesConfig,
    StrokeSet,
)
from agents.moment import Moment
from agents.turns import HEARD, Planned
from perception import ConvnetTrunk, Level, Linear, TimmTrunk, TrunkConfig, build_learned, numbered
from raster import CanvasConfig, InputError, Strokes
from raster.shapes import Float, Tensor


class SenderConfig(BaseModel):
    """A drawing agent: its eye, and a head to stroke parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    trunk: TrunkConfig = Field(TimmTrunk(), discriminator="kind")
    """Whose features it sees."""
    levels: tuple[Level, ...] = Field((3,), min_length=1)
    """Which levels of the trunk's pyramid: 0 is the finest; or their names, where the trunk's kind gives them some."""
    pixels: bool = False
    """Also sees the picture itself through a small learned convnet."""
    pixel_channels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field((32, 64, 96), min_length=1, max_length=8)
    """Channels of each layer of that convnet."""
    hidden: int = Field(256, ge=1)
    """Width of the hidden layers."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout rate on the trunk's features."""
    head: HeadConfig = OnePassHead()
    """How strokes come from what it sees: all at once, one after another, or as a set."""
    strokes: StrokesConfig = StrokesConfig()
    """What it draws with."""

    @model_validator(mode="after")
    def _levels_are_there(self) -> "SenderConfig":
        numbered(self.trunk, self.levels)
        if isinstance(self.head, ConnectedHead):
            self.head.check(self.strokes)
        return self


class Sender(nn.Module):
    """Photo -> eye -> two hidden layers -> head -> ``Strokes`` with points in (-1, 1), after Mihai & Hare 2021
    (section 3), whose agents are the head ``onepass`` and lines.

    Args:
        config: the agent.
        pictures: the gallery, asked for shapes and statistics only.
        learn: gives the module of a trunk that is learned: a new one, or the community's shared one.
        canvas: what is drawn on, for a head that looks at it.
        hears: whether it is told how the receiver's guess stands, for a game of turns (``more``).

    Raises:
        InputError: it is to hear, but its head draws all at once.
    """

    def __init__(
        self,
        config: SenderConfig,
        pictures: Pictures,
        learn: Callable[[TrunkConfig], nn.Module] = build_learned,
        canvas: CanvasConfig = CanvasConfig(),  # noqa: B008 (frozen)
        hears: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.eye = Eye(config.trunk, config.levels, config.hidden, config.dropout, pictures, learn)
        self.glance = (
            Eye(ConvnetTrunk(channels=config.pixel_channels), (), config.hidden, 0.0, pictures, learn)
            if config.pixels
            else None
        )  # pixels beside features
        width = config.hidden * (2 if config.pixels else 1)
        self.hidden = Linear(width, config.hidden)
        shapes = [shape for eye in self._eyes() for shape in eye.shapes]
        self.head: OnePass | Connected | Recurrent | StrokeSet
        if isinstance(config.head, RecurrentHead):
            self.head = Recurrent(config.head, config.strokes, shapes, config.hidden, canvas, HEARD if hears else 0)
        elif hears:
            what = f"a sender that sees scores cannot have the head {config.head.kind}, which draws all at once"
            raise InputError(what, "sender.head", "take kind: recurrent, or leave the scores out")
        elif isinstance(config.head, SetHead):
            self.head = StrokeSet(config.head, config.strokes, shapes, config.hidden)
        elif isinstance(config.head, ConnectedHead):
            self.head = Connected(config.hidden, config.strokes)
        else:
            self.head = OnePass(config.hidden, config.strokes)

    def draw(self, view: Sighted, moment: Moment) -> Strokes:
        """Draw B pictures; returns strokes with points [B, N, P, 2] in (-1, 1), and what else they are to carry."""
        return self.head.draw(self.see(view, moment), moment)

    def between(self, view: Sighted, other: Sighted, part: Float[Tensor, " b"], moment: Moment) -> Strokes:
        """Draw what lies between B pictures and B others: ``part`` of the way, [B] in [0, 1], along the straight line
        between what is seen of the two. At 0 and 1 it is the drawing of the one and of the other.
        """
        one, two = self.see(view, moment), self.see(other, moment)

        def mixed(a: Tensor, b: Tensor) -> Tensor:
            return torch.lerp(a, b, part.to(a).reshape(-1, *[1] * (a.ndim - 1)))

        maps = [mixed(a, b) for a, b in zip(one.maps, two.maps, strict=True)]
        return self.head.draw(Sight(mixed(one.vector, two.vector), maps), moment)

    def begin(self, view: Sighted, moment: Moment) -> Midway | Planned:
        """Look at B pictures that are to be drawn turn by turn (``more``)."""
        sight = self.see(view, moment)
        return (
            self.head.set_out(sight) if isinstance(self.head, Recurrent) else Planned(self.head.draw(sight, moment), 0)
        )

    def more(
        self,
        at: Midway | Planned,
        canvas: Float[Tensor, "b *ink h w"] | None,
        count: int,
        moment: Moment,
        heard: Float[Tensor, "b heard"] | None = None,
    ) -> tuple[Strokes, Midway | Planned]:
        """The next ``count`` strokes of B drawings upon a canvas (None: a blank one).

        A recurrent head sees the canvas as it stands and, where it ``hears``, what it is told; the others thought of
        the whole drawing when they saw the picture, and show the next strokes of it.
        """
        if isinstance(at, Planned):
            return at.more(count)
        assert isinstance(self.head, Recurrent)
        return self.head.more(at, canvas, count, moment, heard)

    def see(self, view: Sighted, moment: Moment) -> Sight:
        """What the head is given of B pictures; noise is dealt to the vector first, then to the maps."""
        eyes = self._eyes()
        maps = [eye.maps(view) for eye in eyes]
        seen = [eye.vector(each, moment) for eye, each in zip(eyes, maps, strict=True)]
        vector = torch.relu(self.hidden(torch.relu(torch.cat(seen, dim=-1))))  # [B, hidden]
        if not self.head.attends:
            return Sight(vector, ())
        rates = [eye.dropout for eye, each in zip(eyes, maps, strict=True) for _ in each]
        places = [place for each in maps for place in each]
        return Sight(vector, [moment.dropout(place, rate) for place, rate in zip(places, rates, strict=True)])

    def _eyes(self) -> list[Eye]:
        return [self.eye] if self.glance is None else [self.eye, self.glance]
