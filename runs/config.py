"""The whole of an experiment in one model: what a YAML file may say."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

import agents.biases  # noqa: F401  (registers the biases that ship with lascaux)
from agents import AnyBias, Bias, CommunityConfig, DescriberConfig, ReceiverConfig, SenderConfig
from agents.groups import all_biases, configs_of
from agents.reader import TrunkReader
from games import Game, GameConfig, Pictionary, Referential, SeveralTargets
from games.pictures import PicturesConfig
from perception import FrozenTrunk, OpenClipTrunk, TimmTrunk, TrunkConfig, uses_judge
from raster import CanvasConfig
from runs.probes._registry import ProbeName, probes, probes_of


def trunks_of(biases: Sequence[Bias]) -> dict[str, TimmTrunk]:
    """The networks of timm that biases name, by the key where each stands."""
    found = {}
    for number, each in enumerate(biases):
        for key in type(each).model_fields:
            value = getattr(each, key)
            if isinstance(value, TimmTrunk):
                found[f"biases.{number}.{key}"] = value
    return found


def agent_word(agent: SenderConfig | ReceiverConfig | DescriberConfig) -> str:
    """The key of a config under which such an agent stands."""
    kinds = {SenderConfig: "sender", ReceiverConfig: "receiver", DescriberConfig: "describer"}
    return kinds[type(agent)]


class TrainConfig(BaseModel):
    """How agents learn, and how often a run writes things down."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    steps: int = Field(2000, ge=0)
    """Optimiser steps."""
    games: int = Field(64, ge=1)
    """Games a pair plays in one step, B."""
    lr: float = Field(1e-3, gt=0, lt=10)
    """Adam's step size at its height."""
    warmup: int = Field(50, ge=0)
    """Steps in which lr rises from 0."""
    flat: float = Field(0.3, ge=0, le=1)
    """Part of the run in which lr stays at its height; a cosine takes it down from there."""
    floor: float = Field(0.02, ge=0, le=1)
    """Where the cosine ends, as a part of lr."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay (AdamW)."""
    clip: float = Field(5.0, gt=0)
    """Each agent's gradient is scaled down to at most this norm."""
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of agents and canvas; frozen trunks stay in float32."""
    ranks: Literal["games", "agents"] = "games"
    """What processes that torchrun starts share (docs/distributed.md): the ``games`` of a step, or the ``agents``, each
    process its own. Nothing where there is one process."""
    threads: int | None = Field(None, ge=1, le=256)
    """CPU threads of torch; as it comes when left out."""
    log_every: int = Field(20, ge=1)
    """Steps that one line of metrics.jsonl averages."""
    journal_every: int = Field(100, ge=1)
    """Steps between two rounds of training that are written to plays/train.jsonl."""
    validate_every: int = Field(200, ge=1)
    """Steps between two validations."""
    checkpoint_every: int = Field(200, ge=1)
    """Steps between two checkpoints."""


class MeasureConfig(BaseModel):
    """How much is played to measure a rate."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    validation_pools: int = Field(4, ge=1)
    """Pools of a validation, for each game that is played."""
    test_pools: int = Field(16, ge=2)
    """Pools of the test at the end, for each game and each condition."""
    pictures: int = Field(1000, ge=2)
    """Of a game without candidates (tracing, description): pictures of a split that are drawn to measure it, at most;
    all where there are fewer."""
    candidates: tuple[Annotated[int, Field(ge=2)], ...] = ()
    """Other numbers of candidates at which the test is played too, each with all its controls: a rate that holds at 100
    says more than one at the 10 that agents learned with."""
    probes_every: int | None = Field(500, ge=1)
    """Steps between two times that ``probes`` are asked while agents learn, on the validation split: those that are
    cheap. ``null``: at the end only."""
    probes_pools: int = Field(2, ge=2)
    """Pools that they are asked of then."""
    word_vectors: OpenClipTrunk | str | None = None
    """What the names of classes mean, for the probe ``semanticity``: a file of word vectors (an .npz, or text as GloVe
    and fastText have it), or a CLIP that reads them, ``{kind: open_clip}``."""
    word_vectors_key: str | None = None
    """Which array of an .npz of vectors; the first beside ``names`` if left out."""
    elsewhere: PicturesConfig | None = None
    """Other pictures that agents are taken to at the end, for the probe ``generalisation``: ``{kind: folder,
    path: DIR}`` or any other kind. All of them count as new; of each class ten at most."""
    clip: OpenClipTrunk | None = None
    """A CLIP that stands in for people who name drawings, for the probe ``standins``: ``{kind: open_clip}``."""


class Config(BaseModel):
    """One experiment. Every key has a default, so an empty file is the default experiment."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field("run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the run; its folder is out/NAME unless --out says otherwise."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seeds everything the run draws: weights, rounds, noise."""
    pictures: PicturesConfig
    """What the agents talk about."""
    game: GameConfig = Referential()
    """What they play."""
    canvas: CanvasConfig = CanvasConfig()
    """What they draw on."""
    sender: SenderConfig = SenderConfig()
    """Who draws."""
    receiver: ReceiverConfig = ReceiverConfig()
    """Who looks, and chooses."""
    describer: DescriberConfig = DescriberConfig()
    """Who looks in the game ``description``, in place of a receiver, and says what there is."""
    biases: tuple[AnyBias, ...] = ()
    """What pushes them beside the game."""
    community: CommunityConfig = CommunityConfig()
    """How many of them there are, and who meets whom."""
    train: TrainConfig = TrainConfig()
    """How they learn."""
    measure: MeasureConfig = MeasureConfig()
    """How they are measured."""
    probes: tuple[ProbeName, ...] = ("rate", "iconicity")
    """What is asked of the drawings (docs/probes.md); of a tracing game ``readable`` and ``one_shot``, of a description
    nothing (write []), of all others the rest."""

    @model_validator(mode="after")
    def _a_hand_draws_what_its_turns_hold(self) -> "Config":
        if isinstance(self.game, Pictionary):
            turns, strokes, count = self.game.turns, self.game.strokes, self.sender.strokes.count
            if count != turns * strokes:
                told = f"{turns} turns of {strokes} strokes are {turns * strokes}, but sender.strokes.count is {count}"
                raise ValueError(f"{told}: make them agree")
            head = self.sender.head.kind
            if self.game.sees_scores and head != "recurrent":
                raise ValueError(f"game.sees_scores asks for sender.head.kind recurrent: {head} draws all at once")
        return self

    @property
    def all_biases(self) -> list[Bias]:
        """Every bias, those of groups after those of all: the position is its number in a checkpoint."""
        return all_biases(self.community.groups, self.biases)

    @property
    def partner(self) -> ReceiverConfig | DescriberConfig | None:
        """Who looks at the drawings: a receiver, a describer, or nobody, as the game is."""
        return self.receiver if self.game.chooses else self.describer if self.game.describes else None

    def agents(self) -> list[SenderConfig | ReceiverConfig | DescriberConfig]:
        """The configs of all agents, each once: those of groups too; no receivers where nobody looks."""
        community, partner = self.community, self.partner
        found: list[SenderConfig | ReceiverConfig | DescriberConfig] = []
        found += configs_of(community.groups, self.sender, community.senders)
        if partner is not None:
            found += configs_of(community.groups, partner, community.receivers)
        return list(dict.fromkeys(found))

    @model_validator(mode="after")
    def _groups_are_agents(self) -> "Config":
        for number, group in enumerate(self.community.groups):
            for side, base in (("sender", self.sender), ("receiver", self.partner or self.receiver)):
                changes = getattr(group, side)
                try:
                    configs_of([group], base, 1)
                except ValidationError as error:
                    first = error.errors()[0]
                    where = ".".join(["community.groups", str(number), side, *map(str, first["loc"])])
                    raise ValueError(f"{where}: {first['msg']}") from None
                if changes and isinstance(self.game, Pictionary) and side == "sender":
                    raise ValueError(f"community.groups.{number}.sender: in pictionary all senders are alike")
        return self

    @model_validator(mode="after")
    def _somebody_looks(self) -> "Config":
        if self.community.both and self.partner is None:
            raise ValueError(f"community.both: nobody looks in a game of kind {self.game.kind}: leave it out")
        return self

    @model_validator(mode="after")
    def _events_happen(self) -> "Config":
        for number, event in enumerate(self.community.events):
            if event.first >= self.train.steps > 0:
                told = f"community.events.{number}: {event.kind} before step {event.first}, but the last is "
                raise ValueError(f"{told}{self.train.steps - 1}: say an earlier step, or more train.steps")
        return self

    @model_validator(mode="after")
    def _the_probes_are_of_the_game(self) -> "Config":
        game = self.game
        wrong = [each for each in self.probes if not probes()[each].fits(game)]
        if wrong:
            told = f"{' and '.join(wrong)} cannot be asked of a game of kind {game.kind}"
            fit = probes_of(game)
            raise ValueError(f"{told}: say probes: [{', '.join(fit)}]{', or some of them' if fit else ''}")
        if game.describes and self.pictures.kind != "scenes":
            raise ValueError(
                f"nobody knows which objects are in pictures of kind {self.pictures.kind}: a game of kind {game.kind} "
                "takes pictures: {kind: scenes}"
            )
        return self

    @model_validator(mode="after")
    def _the_judge_judges_only(self) -> "Config":
        trunks: dict[str, TrunkConfig | FrozenTrunk] = {}
        # The run's own are named first.
        for agent in reversed([self.sender, self.receiver, self.describer, *self.agents()]):
            side = agent_word(agent)
            named: dict[str, TrunkConfig | FrozenTrunk] = {}
            if not isinstance(agent, DescriberConfig):
                named[f"{side}.trunk"] = agent.trunk
            if not isinstance(agent, SenderConfig) and isinstance(agent.reader, TrunkReader):
                named[f"{side}.reader.trunk"] = agent.reader.trunk
            trunks |= {key: trunk for key, trunk in named.items() if key not in trunks or uses_judge(trunk)}
        trunks |= trunks_of(self.biases)
        for number, group in enumerate(self.community.groups):
            own = trunks_of(group.biases or ())
            trunks |= {f"community.groups.{number}.{key}": trunk for key, trunk in own.items()}
        played: Sequence[Game] = self.game.parts
        for number, part in enumerate(played):
            trunks |= {f"the trunk of game {number}'s distractors": trunk for trunk, _ in part.reads()}
        for where, trunk in trunks.items():
            if uses_judge(trunk):
                raise ValueError(f"{where} is the judge, which only probes may use: take another trunk")
        return self

    @model_validator(mode="after")
    def _the_game_can_be_judged(self) -> "Config":
        for part in self.game.parts:
            if not isinstance(part, Referential) or not isinstance(part.targets, SeveralTargets):
                continue
            if not self.receiver.threshold:
                raise ValueError("several targets need a receiver with a threshold: say receiver.threshold: true")
            few = [k for k in self.measure.candidates if k <= part.targets.most]
            if few:
                raise ValueError(f"measure.candidates: {part.targets.most} targets leave no distractor among {few[0]}")
        return self
