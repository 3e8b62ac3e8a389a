"""The sets of a task, and what is told of each: dealt anew at every step, or held in memory by split."""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch

from games.pictures.config import DigitPictures, TorchvisionPictures
from games.pictures.load import load_album
from games.scenes import boxes_of, multisets, numbering, points_of, polygons, read_scenes, to_sets
from perception import FeatureCache, Trunks
from raster import InputError
from raster.shapes import Float, Tensor, UInt8
from runs.sets.config import TrunkEncoder
from runs.sets.made import made_scenes, placed_scenes
from runs.sets.tasks import (
    BoxesTask,
    FolderScenes,
    MultisetsTask,
    NumberingTask,
    ObjectsTask,
    PointsTask,
    PolygonsTask,
    StateTask,
    Task,
)

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Say = Callable[[str], None]

BLOCK = 128
"""Held-out sets of a toy that are dealt at once."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """What is told, and the sets that are wanted.

    Attributes:
        given: [B, D] vectors, [B, M, C] sets, [B, 3, H, W] bytes or [B, C, h, w] float16 features.
        wanted: [B, N, C], presence last.
    """

    given: Float[Tensor, "b ..."] | UInt8[Tensor, "b 3 h w"]
    wanted: Float[Tensor, "b n c"]


@runtime_checkable
class Data(Protocol):
    """Where pairs come from, and on which device they are wanted.

    Attributes:
        content: a hash of it, the same in every process.
        source: one line for a person.
    """

    device: torch.device
    content: str
    source: str

    def train(self, count: int, generator: torch.Generator) -> Pairs:
        """Pairs to learn from, drawn evenly, with replacement."""
        ...

    def held(self, split: Split, count: int) -> Pairs:
        """The first `count` pairs of a held-out split, or as many as there are: always the same."""
        ...

    def pixels(self, split: Split, count: int) -> UInt8[Tensor, "b 3 h w"] | None:
        """The pictures of those pairs, on the CPU; None for sets without pictures."""
        ...


class Dealt:
    """The toys: new sets at each step. Held-out ones come from generators of their own.

    Args:
        task: which toy.
        seed: of the held-out sets.
        device: where they are wanted.
    """

    def __init__(self, task: PolygonsTask | MultisetsTask | NumberingTask, seed: int, device: torch.device) -> None:
        self.task, self.seed, self.device = task, seed, device
        self.content = hashlib.sha256(f"{task.model_dump_json()} {seed}".encode()).hexdigest()
        self.source = f"{task.kind}, made anew at each step"

    def train(self, count: int, generator: torch.Generator) -> Pairs:
        """See `Data`."""
        given, wanted = self._deal(count, generator)
        return Pairs(given.to(self.device), wanted.to(self.device))

    def held(self, split: Split, count: int) -> Pairs:
        """See `Data`. There are always as many as are asked for."""
        blocks = [self._block(split, number) for number in range(math.ceil(count / BLOCK))]
        given, wanted = (torch.cat(each)[:count] for each in zip(*blocks, strict=True))
        return Pairs(given.to(self.device), wanted.to(self.device))

    def _block(self, split: Split, number: int) -> tuple[Tensor, Tensor]:
        """Sets that are dealt at once: a generator's numbers hang on how many are asked for."""
        # Hashed, because torch takes 32 bits of a seed only: what is added above them would change nothing.
        digest = hashlib.sha256(f"{self.seed} {split} {number}".encode()).digest()
        return self._deal(BLOCK, torch.Generator().manual_seed(int.from_bytes(digest[:4], "big")))

    def pixels(self, split: Split, count: int) -> None:
        """There are none."""

    def _deal(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        task = self.task
        if isinstance(task, PolygonsTask):
            return polygons(count, task.slots, generator)
        if isinstance(task, MultisetsTask):
            sets = multisets(count, task.slots, task.numbers, generator, task.copies)
            return sets, sets
        made = numbering(count, task.slots, task.classes, generator)
        return made.given, made.wanted


class Stored:
    """Pairs that are there as a whole, by split; what is told stays where it is until it is asked for."""

    def __init__(
        self,
        given: Mapping[Split, Tensor],
        wanted: Mapping[Split, Tensor],
        device: torch.device,
        source: str,
        pictures: Mapping[Split, Tensor] | None = None,
    ) -> None:
        for split in SPLITS:
            if not len(wanted[split]):
                raise InputError(f"no set is left for {split}", source, "take more sets, or hold fewer back")
        self.given, self.wanted, self.device, self.source = given, wanted, device, source
        self.pictures = pictures
        self.content = _digest(pictures or given, wanted)

    def train(self, count: int, generator: torch.Generator) -> Pairs:
        """See `Data`."""
        return self._rows("train", torch.randint(len(self.wanted["train"]), (count,), generator=generator))

    def held(self, split: Split, count: int) -> Pairs:
        """See `Data`."""
        return self._rows(split, torch.arange(min(count, len(self.wanted[split]))))

    def pixels(self, split: Split, count: int) -> UInt8[Tensor, "b 3 h w"] | None:
        """See `Data`."""
        return None if self.pictures is None else self.pictures[split][:count]

    def _rows(self, split: Split, rows: Tensor) -> Pairs:
        return Pairs(self.given[split][rows].to(self.device), self.wanted[split][rows].to(self.device))


def load_data(
    task: Task,
    encoder: object,
    seed: int,
    device: torch.device,
    data_root: Path | None = None,
    trunks: Trunks | None = None,
    say: Say = lambda line: None,
) -> Data:
    """The sets of a task.

    Args:
        task: which.
        encoder: how they will be read; a `TrunkEncoder` makes features of the pictures now, from the cache if it can.
        seed: of the toys' held-out sets.
        device: where they are wanted.
        data_root: where torchvision's data sets lie.
        trunks: networks that are built already.
        say: called with a line where something takes long.

    Raises:
        InputError: a folder or a data set that is not there or damaged, more objects than slots, ...
    """
    if isinstance(task, PolygonsTask | MultisetsTask | NumberingTask):
        return Dealt(task, seed, device)
    if isinstance(task, PointsTask):
        sets, source = _points(task, data_root)
        return Stored(sets, sets, device, source)
    if isinstance(task, ObjectsTask):
        sets = _slotted(placed_scenes(task, say), task.slots)
        return Stored(sets, sets, device, f"{task.count} scenes without pictures")
    pictures, wanted, source = _scenes(task, say)
    given = pictures
    if isinstance(encoder, TrunkEncoder):
        given = _features(encoder, pictures, trunks or Trunks(device), say)
    return Stored(given, wanted, device, source, pictures)


def _points(task: PointsTask, data_root: Path | None) -> tuple[dict[Split, Tensor], str]:
    config: DigitPictures | TorchvisionPictures = DigitPictures(size=8)
    if task.pictures == "mnist":
        config = TorchvisionPictures(kind="mnist", size=28, per_class=None, download=task.download)
    album = load_album(config, data_root)
    ink = 255 - torch.from_numpy(album.pixels[:, 0])
    sets = points_of(ink, task.slots, task.threshold)
    order = torch.randperm(len(sets), generator=torch.Generator().manual_seed(0))
    held = int(task.held * len(sets))
    rows = order.split([len(sets) - 2 * held, held, held])
    return {split: sets[each] for split, each in zip(SPLITS, rows, strict=True)}, album.source


def _scenes(task: StateTask | BoxesTask, say: Say) -> tuple[dict[Split, Tensor], dict[Split, Tensor], str]:
    """Pictures, sets, and where they come from."""
    config = task.scenes
    if not isinstance(config, FolderScenes):
        found = made_scenes(config, say)
        wanted = found.state if isinstance(task, StateTask) else found.boxes
        return dict(found.pixels), _slotted(wanted, task.slots), f"{config.count} scenes made up"
    pictures: dict[Split, Tensor] = {}
    sets: dict[Split, Tensor] = {}
    named: dict[Split, str] = {"train": config.train, "test": config.test}
    for split, name in named.items():
        read = read_scenes(config.path, name, config.limit)
        if not len(read):
            raise InputError("the split has no scene", f"{config.path}, {name}", "take another")
        say(f"reading {len(read)} pictures of {name}")
        state = isinstance(task, StateTask)
        scenes = (
            to_sets(read.scenes, task.slots) if state else boxes_of(read.scenes, read.width, read.height, task.slots)
        )
        pictures[split], sets[split] = read.pixels(config.width, config.height), scenes
    left = len(sets["train"]) - config.validation
    if left < 1:
        told = f"of {len(sets['train'])} scenes, {config.validation} for validation leave none to learn from"
        raise InputError(told, config.path, "set task.scenes.validation lower")
    for held in (pictures, sets):
        held["train"], held["validation"] = held["train"][:left], held["train"][left:]
    return pictures, sets, f"scenes of {config.path}"


def _features(config: TrunkEncoder, pictures: Mapping[Split, Tensor], trunks: Trunks, say: Say) -> dict[Split, Tensor]:
    """Feature maps [n, C, h, w], float16, by split."""
    trunk, cache = trunks[config.trunk], FeatureCache.of_user()
    found: dict[Split, Tensor] = {}
    for split, pixels in pictures.items():

        def make(pixels: Tensor = pixels) -> Tensor:
            say(f"features of {len(pixels)} pictures, once")
            return trunk.extract(pixels, [config.level])[0]

        key = f"scenes-{hashlib.sha256(_bytes(pixels)).hexdigest()}-{trunk.key}-{config.level}"
        found[split] = cache.get(key, make)
    return found


def _slotted(sets: Mapping[Split, Tensor], slots: int) -> dict[Split, Tensor]:
    """Sets with as many slots; empty ones are zero."""
    return {split: torch.nn.functional.pad(each, (0, 0, 0, slots - each.shape[1])) for split, each in sets.items()}


def _digest(given: Mapping[Split, Tensor], wanted: Mapping[Split, Tensor]) -> str:
    found = hashlib.sha256()
    for each in (given, wanted):
        for split in SPLITS:
            found.update(_bytes(each[split]))
    return found.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    """A tensor's bytes as hashlib takes them, without a copy."""
    return tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data
