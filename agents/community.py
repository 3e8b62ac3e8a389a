"""Senders, receivers, and who meets whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from agents.bias import Bias
from agents.describer import Describer, DescriberConfig
from agents.eye import Pictures, View
from agents.heads import Midway
from agents.moment import Moment
from agents.receiver import Receiver, ReceiverConfig
from agents.sender import Sender, SenderConfig
from agents.turns import Patience, Planned, Turns
from perception import TrunkConfig, Trunks, build_learned
from perception.sets import Decoded
from raster import CanvasConfig, Strokes
from raster.shapes import Float, Int, Tensor


class Full(BaseModel):
    """Everybody meets everybody, equally often."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["full"] = "full"

    def matrix(self, senders: int, receivers: int) -> Float[Tensor, "s r"]:
        """Weights of meeting, [S, R]."""
        return torch.ones(senders, receivers)


class CommunityConfig(BaseModel):
    """How many agents, and who plays with whom."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    senders: int = Field(1, ge=1, le=1024)
    receivers: int = Field(1, ge=1, le=1024)
    topology: Full = Full()
    """Who meets whom."""
    meetings: int | None = Field(None, ge=1)
    """Pairs that play in one step; max(senders, receivers) when left out."""
    executor: Literal["auto", "loop"] = "auto"
    """How the agents of a step are run; ``loop`` runs pair after pair, and ``auto`` takes it."""


@dataclass(frozen=True)
class Pair:
    """A sender and a receiver at one moment, biases included: what a game plays with.

    In a game of description the receiver is a describer. One in which nobody answers has no receivers: whoever draws
    there is a pair with None.
    """

    sender: Sender
    receiver: Receiver | Describer | None
    biases: Sequence[Bias]
    step: int
    training: bool

    @property
    def _looks(self) -> Receiver:
        assert isinstance(self.receiver, Receiver), "the community was built without receivers that choose"
        return self.receiver

    def _moment(self, role: str, generator: torch.Generator) -> Moment:
        return Moment(self.step, role, generator, self.training)

    def _see(self, view: View, moment: Moment) -> View:
        for each in self.biases:
            view = each.see(view, moment)
        return view

    def _move(self, strokes: Strokes, moment: Moment) -> Strokes:
        for each in self.biases:
            strokes = each.move(strokes, moment)
        return strokes

    def draw(self, view: View, generator: torch.Generator) -> Strokes:
        """What the sender draws of ``view`` (B pictures): strokes with points [B, N, P, 2]."""
        moment = self._moment("sender", generator)
        return self._move(self.sender.draw(self._see(view, moment), moment), moment)

    def score(
        self,
        canvas: Float[Tensor, "b *ink h w"],
        pool: View,
        pools: int,
        pool_of: Int[Tensor, " b"],
        generator: torch.Generator,
    ) -> Float[Tensor, "b k"]:
        """The receiver's scores of each game's candidates (``Receiver.score``)."""
        moment = self._moment("receiver", generator)
        return self._looks.score(canvas, self._see(pool, moment), pools, pool_of, moment)

    def describe(self, canvas: Float[Tensor, "b *ink h w"], generator: torch.Generator) -> Decoded:
        """What the describer says is on each canvas (``Describer.describe``)."""
        assert isinstance(self.receiver, Describer), "the community was built without describers"
        return self.receiver.describe(canvas, self._moment("receiver", generator))

    # A game of turns: the sender goes on with a drawing, the receiver answers or waits.

    def begin(self, view: View, generator: torch.Generator) -> Midway | Planned:
        """The sender looks at ``view`` (B pictures), which it will draw turn by turn."""
        moment = self._moment("sender", generator)
        return self.sender.begin(self._see(view, moment), moment)

    def more(
        self,
        at: Midway | Planned,
        canvas: Float[Tensor, "b *ink h w"] | None,
        count: int,
        generator: torch.Generator,
        heard: Float[Tensor, "b heard"] | None = None,
    ) -> tuple[Strokes, Midway | Planned]:
        """Its next ``count`` strokes (``Sender.more``); biases move the hand anew in every turn."""
        moment = self._moment("sender", generator)
        strokes, at = self.sender.more(at, canvas, count, moment, heard)
        return self._move(strokes, moment), at

    def look(self, pool: View, pools: int, generator: torch.Generator) -> Float[Tensor, "g k *places d"]:
        """The receiver looks at the candidates: [G, K, D], or [G, K, L, D] of places where it attends."""
        moment = self._moment("receiver", generator)
        return self._looks.embed_photos(self._see(pool, moment), moment).unflatten(0, (pools, -1))

    def guess(
        self, canvas: Float[Tensor, "b *ink h w"], photos: Float[Tensor, "g k *places d"], pool_of: Int[Tensor, " b"]
    ) -> Float[Tensor, "b k"]:
        """The receiver's scores of candidates that it has looked at (``look``)."""
        return self._looks.compare(self._looks.embed_canvas(canvas), photos, pool_of)

    def guess_photo(
        self,
        shown: View,
        photos: Float[Tensor, "g k *places d"],
        pool_of: Int[Tensor, " b"],
        generator: torch.Generator,
    ) -> Float[Tensor, "b k"]:
        """The same when the receiver is given the sender's photo instead of a drawing: the ceiling."""
        moment = self._moment("receiver", generator)
        return self._looks.compare(self._looks.embed_photos(self._see(shown, moment), moment), photos, pool_of)

    @property
    def patience(self) -> Patience:
        """How the receiver decides whether it waits for more strokes; made for games of turns only."""
        assert self._looks.patience is not None, "the community was built without turns"
        return self._looks.patience


class Community(nn.Module):
    """All agents of a run, and the learned trunks that they share.

    Parameters are initialised from ``seed`` alone and leave the global random state as it was. Without a ``receiver``
    there are senders only, each of which plays by itself; receivers are describers where it is a describer's config.
    ``inks`` are the channels of what receivers are given, where it is no drawing.
    """

    matrix: Tensor

    def __init__(
        self,
        config: CommunityConfig,
        sender: SenderConfig,
        receiver: ReceiverConfig | DescriberConfig | None,
        pictures: Pictures,
        canvas: CanvasConfig,
        trunks: Trunks,
        seed: int,
        biases: Sequence[Bias] = (),
        turns: Turns | None = None,
        inks: int | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        inks = sender.strokes.inks if inks is None else inks
        hears = turns is not None and turns.hears
        self.commons: dict[TrunkConfig, nn.Module] = {}
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(seed)  # the CPU's alone; the GPUs' are not ours
            self.senders = nn.ModuleList(
                Sender(sender, pictures, self._learn, canvas, hears) for _ in range(config.senders)
            )
            self.receivers = nn.ModuleList(
                Describer(receiver, canvas.size, trunks, self._learn, inks)
                if isinstance(receiver, DescriberConfig)
                else Receiver(receiver, pictures, canvas.size, trunks, self._learn, inks, turns)
                for _ in range(config.receivers)
                if receiver is not None
            )
            kept = {str(number): each.keeps() for number, each in enumerate(biases)}
        self.shared = nn.ModuleList(self.commons.values())
        # What biases learn or remember: with the agents, so that it is moved, trained and saved like them.
        self.kept = nn.ModuleDict({number: module for number, module in kept.items() if module is not None})
        # A community on the meta device (the shape-only test) still draws real pairs.
        self.matrix = config.topology.matrix(config.senders, max(1, len(self.receivers)))

    def _learn(self, config: TrunkConfig) -> nn.Module:
        if not getattr(config, "shared", False):
            return build_learned(config)
        if config not in self.commons:
            self.commons[config] = build_learned(config)
        return self.commons[config]

    def sample(self, generator: torch.Generator) -> list[tuple[int, int]]:
        """Who plays with whom in this step: (sender, receiver) pairs drawn from the matrix, repeats allowed."""
        count = self.config.meetings or max(self.matrix.shape)
        cells = torch.multinomial(self.matrix.flatten(), count, replacement=True, generator=generator)
        return [divmod(int(cell), self.matrix.shape[1]) for cell in cells]

    def pair(self, sender: int, receiver: int, biases: Sequence[Bias], step: int, training: bool) -> Pair:
        """Sender and receiver by number, with the biases of the run; None for the receiver where there are none."""
        s, r = self.senders[sender], self.receivers[receiver] if len(self.receivers) else None
        assert isinstance(s, Sender)
        assert r is None or isinstance(r, Receiver | Describer)
        return Pair(s, r, biases, step, training)

    def kept_by(self, number: int) -> nn.Module | None:
        """What the bias of that number keeps from step to step (``Bias.keeps``), if anything."""
        return dict(self.kept.items()).get(str(number))

    def members(self) -> dict[str, nn.Module]:
        """Every agent, shared trunk and bias that keeps something, by the name its tensors have in a checkpoint."""
        named: dict[str, nn.Module] = {}
        for kind in ("senders", "receivers", "shared"):
            for number, module in enumerate(getattr(self, kind)):
                named[f"{kind}.{number}"] = module
        return named | {f"biases.{number}": module for number, module in self.kept.items()}
