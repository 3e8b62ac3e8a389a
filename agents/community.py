"""Senders, receivers, and who meets whom."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

from agents.bias import Bias
from agents.describer import Describer, DescriberConfig
from agents.events import Event
from agents.eye import Pictures, View
from agents.faces import lent, one_eye
from agents.groups import Group, configs_of, numbers_of
from agents.heads import Midway
from agents.meetings import Meetings, Sampler
from agents.moment import Moment
from agents.receiver import Receiver, ReceiverConfig
from agents.sender import Sender, SenderConfig
from agents.topologies import WHERE, Full, Topology, checked
from agents.turns import Patience, Planned, Turns
from perception import TrunkConfig, Trunks, build_learned
from perception.sets import Decoded
from raster import CanvasConfig, InputError, Strokes
from raster.shapes import Bool, Float, Int, Tensor


class Change(BaseModel):
    """Another topology from a step on."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    at: int = Field(ge=1)
    """The first step (0 is the run's first) whose meetings are drawn from it."""
    topology: Topology
    """Who meets whom from then on."""


class CommunityConfig(BaseModel):
    """How many agents, and who plays with whom (docs/communities.md)."""

    # Deferred as that of its groups is.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True)

    senders: int = Field(1, ge=1, le=1024)
    receivers: int = Field(1, ge=1, le=1024)
    topology: Topology = Full()
    """Who meets whom."""
    schedule: tuple[Change, ...] = ()
    """Other topologies from given steps on."""
    groups: tuple[Group, ...] = ()
    """Agents that differ; all are alike when left out."""
    both: bool = False
    """Whether agents draw and look: sender ``i`` and receiver ``i`` are two faces of one agent. They live and die
    together, see through one eye where their configs give both the same, and nobody meets itself."""
    reach: float = Field(1.0, ge=0, le=1)
    """Probability that the receiver's gradient reaches the sender in a meeting of agents of different places; at one
    place it always does. 0 is partitioned training (Michel et al. 2023): who draws learns from its own partner
    alone, who looks learns from all."""
    vacant: int = Field(0, ge=0)
    """The last slots of each side that are empty at first: room for births."""
    events: tuple[Event, ...] = ()
    """What happens in its life, and when."""
    meetings: int | None = Field(None, ge=1)
    """Pairs that play in one step; max(senders, receivers) when left out, or as many as ``draw: matching`` finds."""
    draw: Literal["independent", "matching"] = "independent"
    """How pairs of a step are drawn: one by one, so that an agent may play twice and another not at all; or as a
    ``matching``, in which everybody plays at most once and no pair that could still meet is left over."""
    executor: Literal["auto", "loop", "batched"] = "auto"
    """How the agents of a step are run: pair after pair, or all agents of one architecture at once; ``auto`` takes
    ``batched`` where it is the faster one."""

    @model_validator(mode="after")
    def _in_order(self) -> "CommunityConfig":
        at = [each.at for each in self.schedule]
        if at != sorted(set(at)):
            raise ValueError(f"schedule: steps must rise, got {at}")
        for side in ("senders", "receivers"):
            members = sum(getattr(group, side) for group in self.groups)
            if self.groups and members != getattr(self, side):
                told = f"groups: they have {members} {side}, the community {getattr(self, side)}"
                raise ValueError(f"{told}: make them agree")
        if self.vacant >= min(self.senders, self.receivers):
            told = f"{self.senders} senders, {self.receivers} receivers"
            raise ValueError(f"vacant: {self.vacant} leaves nobody of {told}")
        if self.both:
            self._two_faces()
        for number, event in enumerate(self.events):
            who, side = getattr(event, "who", ()), getattr(event, "side", "senders")
            slots = {"senders": self.senders, "receivers": self.receivers}.get(side, min(self.senders, self.receivers))
            if isinstance(who, tuple) and who and max(who) >= slots:
                raise ValueError(f"events.{number}: no slot {max(who)} among {slots} {side}: take 0 to {slots - 1}")
        return self

    def _two_faces(self) -> None:
        """Raise ValueError where agents cannot be both."""
        if self.senders != self.receivers or self.senders < 2:
            told = f"{self.senders} senders, {self.receivers} receivers"
            raise ValueError(f"both: {told}, but each agent is one of both: give as many, two at least")
        for number, group in enumerate(self.groups):
            if group.senders != group.receivers:
                raise ValueError(f"groups.{number}: with both, a group has as many senders as receivers")
        for number, event in enumerate(self.events):
            if event.kind == "contact":
                raise ValueError(f"events.{number}: strangers cannot come where agents are both: leave the contact out")
            if getattr(event, "side", "both") != "both":
                raise ValueError(f"events.{number}: agents are both: leave side out")


@dataclass(frozen=True)
class Pair:
    """A sender and a receiver at one moment, the biases of each included: what a game plays with.

    In a game of description the receiver is a describer. One in which nobody answers has no receivers: whoever draws
    there is a pair with None.
    """

    sender: Sender
    receiver: Receiver | Describer | None
    biases: Sequence[Bias]
    step: int
    training: bool
    cut: bool = False
    """Whether the receiver's gradient does not reach the sender."""
    looks_with: Sequence[Bias] | None = None
    """The receiver's biases, where they are others than the sender's ``biases``."""

    @property
    def _looks(self) -> Receiver:
        assert isinstance(self.receiver, Receiver), "the community was built without receivers that choose"
        return self.receiver

    def moment(self, role: str, generator: torch.Generator) -> Moment:
        """The circumstances of one call: whose eyes or hand, and whose noise."""
        return Moment(self.step, role, generator, self.training)

    def seen(self, view: View, moment: Moment) -> View:
        """What biases let an agent (``moment.role``) see of ``view``."""
        other = moment.role == "receiver" and self.looks_with is not None
        for each in self.looks_with or () if other else self.biases:
            view = each.see(view, moment)
        return view

    def moved(self, strokes: Strokes, moment: Moment) -> Strokes:
        """What biases make of the strokes that the hand meant."""
        for each in self.biases:
            strokes = each.move(strokes, moment)
        return strokes

    def draw(self, view: View, generator: torch.Generator) -> Strokes:
        """What the sender draws of ``view`` (B pictures): strokes with points [B, N, P, 2]."""
        moment = self.moment("sender", generator)
        return self.moved(self.sender.draw(self.seen(view, moment), moment), moment)

    def score(
        self,
        canvas: Float[Tensor, "b *ink h w"],
        pool: View,
        pools: int,
        pool_of: Int[Tensor, " b"],
        generator: torch.Generator,
    ) -> Float[Tensor, "b k"]:
        """The receiver's scores of each game's candidates (``Receiver.score``)."""
        moment = self.moment("receiver", generator)
        canvas = canvas.detach() if self.cut else canvas
        return self._looks.score(canvas, self.seen(pool, moment), pools, pool_of, moment)

    def describe(self, canvas: Float[Tensor, "b *ink h w"], generator: torch.Generator) -> Decoded:
        """What the describer says is on each canvas (``Describer.describe``)."""
        assert isinstance(self.receiver, Describer), "the community was built without describers"
        canvas = canvas.detach() if self.cut else canvas
        return self.receiver.describe(canvas, self.moment("receiver", generator))

    # A game of turns: the sender goes on with a drawing, the receiver answers or waits.

    def begin(self, view: View, generator: torch.Generator) -> Midway | Planned:
        """The sender looks at ``view`` (B pictures), which it will draw turn by turn."""
        moment = self.moment("sender", generator)
        return self.sender.begin(self.seen(view, moment), moment)

    def more(
        self,
        at: Midway | Planned,
        canvas: Float[Tensor, "b *ink h w"] | None,
        count: int,
        generator: torch.Generator,
        heard: Float[Tensor, "b heard"] | None = None,
    ) -> tuple[Strokes, Midway | Planned]:
        """Its next ``count`` strokes (``Sender.more``); biases move the hand anew in every turn."""
        moment = self.moment("sender", generator)
        strokes, at = self.sender.more(at, canvas, count, moment, heard)
        return self.moved(strokes, moment), at

    def look(self, pool: View, pools: int, generator: torch.Generator) -> Float[Tensor, "g k *places d"]:
        """The receiver looks at the candidates: [G, K, D], or [G, K, L, D] of places where it attends."""
        moment = self.moment("receiver", generator)
        return self._looks.embed_photos(self.seen(pool, moment), moment).unflatten(0, (pools, -1))

    def guess(
        self, canvas: Float[Tensor, "b *ink h w"], photos: Float[Tensor, "g k *places d"], pool_of: Int[Tensor, " b"]
    ) -> Float[Tensor, "b k"]:
        """The receiver's scores of candidates that it has looked at (``look``)."""
        return self.answer(self.read(canvas), photos, pool_of)

    def read(self, canvas: Float[Tensor, "b *ink h w"]) -> Float[Tensor, "b *places d"]:
        """What the receiver makes of canvases, whatever they are held against (``answer``)."""
        return self._looks.embed_canvas(canvas.detach() if self.cut else canvas)

    def answer(
        self,
        read: Float[Tensor, "b *places_c d"],
        photos: Float[Tensor, "g k *places_p d"],
        pool_of: Int[Tensor, " b"],
    ) -> Float[Tensor, "b k"]:
        """The receiver's scores of candidates that it has looked at (``look``), of canvases that it has read."""
        return self._looks.compare(read, photos, pool_of)

    def guess_photo(
        self,
        shown: View,
        photos: Float[Tensor, "g k *places d"],
        pool_of: Int[Tensor, " b"],
        generator: torch.Generator,
    ) -> Float[Tensor, "b k"]:
        """The same when the receiver is given the sender's photo instead of a drawing: the ceiling."""
        moment = self.moment("receiver", generator)
        return self._looks.compare(self._looks.embed_photos(self.seen(shown, moment), moment), photos, pool_of)

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
        hears = turns is not None and turns.hears

        draws = configs_of(config.groups, sender, config.senders)
        looks = [] if receiver is None else configs_of(config.groups, receiver, config.receivers)
        drawn = draws[0].strokes.inks
        if any(each.strokes.inks != drawn for each in draws):
            raise InputError("some senders have colours and some have not", "community.groups", "give all, or none")
        given = drawn if inks is None else inks

        def new_sender(slot: int) -> Sender:
            return Sender(draws[slot], pictures, self._learn, canvas, hears)

        def new_receiver(slot: int) -> Receiver | Describer:
            own = looks[slot]
            if isinstance(own, DescriberConfig):
                return Describer(own, canvas.size, trunks, self._learn, given)
            return Receiver(own, pictures, canvas.size, trunks, self._learn, given, turns)

        self._makers: dict[str, Callable[[int], nn.Module]] = {"senders": new_sender, "receivers": new_receiver}
        self.commons: dict[TrunkConfig, nn.Module] = {}
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(seed)  # the CPU's alone; the GPUs' are not ours
            self.senders = nn.ModuleList(map(new_sender, range(len(draws))))
            self.receivers = nn.ModuleList(map(new_receiver, range(len(looks))))
            kept = {str(number): each.keeps() for number, each in enumerate(biases)}
        self.eyes = nn.ModuleDict()
        """Eyes that the two faces of an agent share, by slot: neither's own parameters."""
        for slot, (draws_as, looks_as) in enumerate(zip(draws, looks, strict=True) if config.both else ()):
            if isinstance(looks_as, ReceiverConfig) and one_eye(draws_as, looks_as):
                draws_with, looks_with = self.senders[slot], self.receivers[slot]
                assert isinstance(draws_with, Sender)
                assert isinstance(looks_with, Receiver)
                self.eyes[str(slot)] = lent(draws_with)
                lent(looks_with, draws_with.eye)
                looks_with.read_as_the_eye()
        # Whether some groups have biases of their own, which stand after those of all.
        self._parted = any(group.biases is not None for group in config.groups)
        self._common = len(biases) - sum(len(group.biases or ()) for group in config.groups)
        self.shared = nn.ModuleList(self.commons.values())
        # What biases learn or remember: with the agents, so that it is moved, trained and saved like them.
        self.kept = nn.ModuleDict({number: module for number, module in kept.items() if module is not None})
        # On the CPU on every device (the meta device included): real pairs are drawn from them.
        shape = (config.senders, max(1, len(self.receivers)))
        changes = ((0, config.topology), *((each.at, each.topology) for each in config.schedule))
        apart = 1 - torch.eye(*shape) if config.both else torch.ones(shape)
        self._matrices = [(at, each, checked(each.matrix(*shape) * apart, WHERE)) for at, each in changes]
        self._sampler: Sampler | None = None
        self._arranged: object = None
        self.arrange(0)

    def _learn(self, config: TrunkConfig) -> nn.Module:
        if not getattr(config, "shared", False):
            return build_learned(config)
        if config not in self.commons:
            self.commons[config] = build_learned(config)
        return self.commons[config]

    def newborn(self, side: str, slot: int, seed: int) -> nn.Module:
        """An agent for a slot of ``senders`` or ``receivers`` with new weights by ``seed``; not yet in it.

        An eye that faces share there is lent to it: its ``eye``, but not among its parameters.
        """
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(seed)
            # Of an agent that is held here, where some are on other ranks (whose places are on the meta device).
            like = min(self.parameters(), key=lambda each: each.is_meta)
            agent = self._makers[side](slot).to(device=like.device, dtype=like.dtype)
        if str(slot) in self.eyes:
            lent(agent)
        return agent

    def arrange(
        self, step: int, senders: Bool[Tensor, " s"] | None = None, receivers: Bool[Tensor, " r"] | None = None
    ) -> None:
        """Make ``matrix`` that of a step: what the topology and its schedule say, without those who are not there.

        Args:
            step: the step that is to be played, from 0.
            senders: which are there, [S]; all when left out.
            receivers: likewise, [R].

        Raises:
            InputError: nobody is left who could meet.
        """
        at, topology, matrix = next(each for each in reversed(self._matrices) if each[0] <= step)
        key = (at, *(None if each is None else tuple(each.tolist()) for each in (senders, receivers)))
        if key == self._arranged:
            return
        self.topology, self._arranged = topology, key
        for present, shape in ((senders, (-1, 1)), (receivers, (1, -1))):
            matrix = matrix if present is None else matrix * present.reshape(shape)
        self.matrix = checked(matrix, f"community, step {step}")

    def sitting_out(self) -> tuple[list[int], list[int]]:
        """Senders and receivers, by number, that nobody ever meets as things stand."""
        alone = [(self.matrix.sum(dim=side) == 0).nonzero()[:, 0].tolist() for side in (1, 0)]
        return alone[0], alone[1]

    def sample(self, generator: torch.Generator) -> Meetings:
        """Who plays with whom in this step: (sender, receiver) pairs drawn from the matrix as ``config.draw`` says."""
        if self._sampler is None or self._sampler.source is not self.matrix:
            self._sampler = Sampler(self.matrix)
        if self.config.draw == "matching":
            return self._sampler.matching(self.config.meetings, generator)
        return self._sampler.independent(self.config.meetings or max(self.matrix.shape), generator)

    def pair(self, sender: int, receiver: int, biases: Sequence[Bias], step: int, training: bool) -> Pair:
        """Sender and receiver by number, each with those of a run's ``biases`` that are its own; None for the receiver
        where there are none.
        """
        s, r = self.senders[sender], self.receivers[receiver] if len(self.receivers) else None
        assert isinstance(s, Sender)
        assert r is None or isinstance(r, Receiver | Describer)
        if not self._parted:
            return Pair(s, r, biases, step, training)
        draws, looks = (
            [biases[n] for n in self.pushed_by(side, slot)]
            for side, slot in (("senders", sender), ("receivers", receiver))
        )
        return Pair(s, r, draws, step, training, looks_with=looks)

    def pushed_by(self, side: str, slot: int) -> list[int]:
        """The numbers of the run's biases that push the agent of a slot of ``senders`` or ``receivers``."""
        return numbers_of(self.config.groups, self._common, side == "senders", slot)

    def kept_by(self, number: int) -> nn.Module | None:
        """What the bias of that number keeps from step to step (``Bias.keeps``), if anything."""
        return dict(self.kept.items()).get(str(number))

    def members(self) -> dict[str, nn.Module]:
        """Every agent, shared trunk, eye of two faces, and bias that keeps something, by its name in a checkpoint."""
        named: dict[str, nn.Module] = {}
        for kind in ("senders", "receivers", "shared"):
            for number, module in enumerate(getattr(self, kind)):
                named[f"{kind}.{number}"] = module
        named |= {f"eyes.{slot}": module for slot, module in self.eyes.items()}
        return named | {f"biases.{number}": module for number, module in self.kept.items()}
