"""A run as an object: who plays, with what, and where it is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from agents import Bias, Community, Describer, DescriberConfig, Pair, Receiver, Sender, Turns
from games import Description, Game, Pictionary
from games.pictures import Gallery, load_gallery
from perception import FeatureCache, FrozenTrunk, ScratchTrunk, Trunks, as_frozen, numbered
from raster import InputError
from runs.config import Config
from runs.folder import Folder
from runs.looks import Kept


@dataclass
class Run:
    """One experiment, trained or in training.

    ``run.sender`` and ``run.receiver`` are the first of each; ``run.community`` has them all. ``step`` is the
    number of steps that the weights have learned.
    """

    config: Config
    folder: Folder
    gallery: Gallery
    trunks: Trunks
    community: Community
    step: int = 0
    fallback: str | None = None
    """Why these pictures are not the ones first asked for, if they are not."""
    seen: dict[str, Kept] = field(default_factory=dict, repr=False)
    """What stand-ins saw, by who looked: the games of a run show them the same pictures."""

    @property
    def game(self) -> Game:
        """What is played (a mixture has ``parts``)."""
        return self.config.game

    @property
    def sender(self) -> Sender:
        """The first sender."""
        first = self.community.senders[0]
        assert isinstance(first, Sender)
        return first

    @property
    def receiver(self) -> Receiver:
        """The first receiver, of a game that has any (``game.chooses``)."""
        first = self.community.receivers[0]
        assert isinstance(first, Receiver)
        return first

    @property
    def describer(self) -> Describer:
        """The first describer, of a game that has any (``game.describes``)."""
        first = self.community.receivers[0]
        assert isinstance(first, Describer)
        return first

    @property
    def biases(self) -> Sequence[Bias]:
        """Every bias, those of groups after those of all."""
        return self.config.all_biases

    def pair(self, sender: int, receiver: int, training: bool = False) -> Pair:
        """A sender and a receiver as they are now, by number."""
        return self.community.pair(sender, receiver, self.biases, self.step, training)

    def build_community(self, seed: int) -> Community:
        """A fresh community of this config, nothing learned."""
        return build_community(self.config, self.gallery, self.trunks, seed)


def build_community(config: Config, gallery: Gallery, trunks: Trunks, seed: int) -> Community:
    """Fresh agents on the gallery's device and in the run's precision; no receiver where nobody answers."""
    game = config.game
    inks = game.inks(config.sender.strokes.inks) if isinstance(game, Description) else None
    turns = Turns(game.turns, game.sees_scores) if isinstance(game, Pictionary) else None
    community = Community(
        config.community,
        config.sender,
        config.partner,
        gallery,
        config.canvas,
        trunks,
        seed,
        config.all_biases,
        turns,
        inks,
    )
    dtype = torch.float64 if config.train.dtype == "float64" else torch.float32
    return community.to(device=gallery.device, dtype=dtype)


def assemble(
    config: Config, path: Path, device: torch.device, data_root: Path | None = None, fallback: str | None = None
) -> Run:
    """Load the pictures and build fresh agents; nothing is written."""
    trunks = Trunks(device)
    gallery = load_gallery(config.pictures, trunks, FeatureCache.of_user(), device, data_root)
    _room_for_all(config, gallery)
    prepare(config, gallery)
    community = build_community(config, gallery, trunks, config.seed)
    return Run(config, Folder(path), gallery, trunks, community, fallback=fallback)


def _room_for_all(config: Config, gallery: Gallery) -> None:
    """Raise InputError where a scene may hold more objects than a describer can tell of."""
    if config.game.describes and gallery.sets is not None and gallery.sets.shape[1] > config.describer.slots:
        told = f"scenes hold up to {gallery.sets.shape[1]} objects, but describers tell of {config.describer.slots}"
        raise InputError(told, "describer.slots", "give it as many, or make scenes of fewer (pictures.world.most)")


def prepare(config: Config, gallery: Gallery) -> None:
    """Compute the photo features of all who will ask for them, in one pass of each photo through each trunk."""
    wanted: dict[FrozenTrunk, set[int]] = {}
    asked = [pair for each in config.all_biases for pair in each.reads()]
    reads = [(trunk, gallery.trunks[trunk].deepest if level is None else level) for trunk, level in asked]
    reads += config.game.reads()
    for agent in config.agents():
        if not isinstance(agent, DescriberConfig) and not isinstance(agent.trunk, ScratchTrunk):
            # Of one that is learned on, too: its agents start from what the frozen one sees.
            reads += [(as_frozen(agent.trunk), level) for level in numbered(agent.trunk, agent.levels)]
    for trunk, level in reads:
        wanted.setdefault(trunk, set()).add(level)
    for trunk, levels in wanted.items():
        gallery.prepare(trunk, sorted(levels))
