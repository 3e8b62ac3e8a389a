"""Pictures, strokes and costs of `lascaux draw`, and what one look at a drawing tells."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from agents import Bias, Free, FreeHand
from agents.bias import labels
from agents.starts import begin
from games import Drawing, Play
from games.pictures import Album, Gallery, SplitConfig
from games.pictures.images import read_picture
from perception import FrozenTrunk, Trunks
from raster import InputError
from raster.shapes import Float, Tensor
from runs.draw.config import DrawConfig

_WHOLE = SplitConfig(by=("picture",), validation=0.0, test=0.0)


def album_of(pictures: Sequence[Path], size: int, fit: str) -> Album:
    """Picture files, whatever they are, as squares of ``size`` pixels; each is a class by the name of its file.

    Two files of one name get numbers. Raises InputError for no pictures, a folder, and what is no usable picture.
    """
    if not pictures:
        raise InputError("no pictures", None, "give one or more picture files")
    for path in pictures:
        if path.is_dir():
            raise InputError("this is a folder", path, "give the pictures in it, such as FOLDER/*.jpg")
    pixels = np.stack([read_picture(path, size, "pad" if fit == "pad" else "crop") for path in pictures])
    return Album(
        pixels=np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)),
        label=np.arange(len(pictures), dtype=np.int64),
        artist=np.zeros(len(pictures), dtype=np.int64),
        classes=names_of(pictures),
        groups=[""] * len(pictures),
        source=", ".join(path.name for path in pictures[:3]) + (", ..." if len(pictures) > 3 else ""),
    )


def names_of(pictures: Sequence[Path]) -> list[str]:
    """A name for each picture's files: the file's own without its ending; -2, -3 ... where it comes again.

    >>> names_of([Path("a/cat.jpg"), Path("b/cat.png"), Path("dog.jpg")])
    ['cat', 'cat-2', 'dog']
    """
    taken: set[str] = set()
    found = []
    for path in pictures:
        name, number = path.stem, 1
        while name.lower() in taken:  # some file systems do not tell Cat from cat
            number += 1
            name = f"{path.stem}-{number}"
        taken.add(name.lower())
        found.append(name)
    return found


@dataclass(frozen=True)
class Look:
    """What M drawings cost.

    Attributes:
        total: in all, [M].
        costs: by each bias, before its weight, [M] each.
        play: the play itself.
        weights: where they were weighed, a weight of 1 a stroke, [M, N], to ask for gradients in.
    """

    total: Tensor
    costs: dict[str, Tensor]
    play: Play
    weights: Tensor | None


class Studio:
    """Everything that a step needs: pictures by size, trunks, strokes, biases.

    Drawings stand picture by picture: number p * S + s is seed s of picture p.
    """

    def __init__(self, config: DrawConfig, album: Album, device: torch.device, trunks: Trunks | None = None) -> None:
        self.config, self.device = config, device
        self.trunks = trunks if trunks is not None else Trunks(device)
        self.album = album
        self.pictures = len(album.label)
        self.drawings = self.pictures * config.seeds
        self.game = Drawing()
        self.biases: Sequence[Bias] = config.biases
        self.labels = labels(self.biases)
        self._galleries: dict[int, Gallery] = {}
        self.told: list[str] = []
        seeds = [config.seed + 7919 * number for number in range(config.seeds)]
        start = begin(
            config.start,
            config.strokes,
            self.gallery.view(torch.arange(self.pictures)),
            self.trunks,
            seeds,
            self.told.append,
        )
        self.free = Free(config.strokes, start, self._paper()).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(config.seed)
            kept = {str(number): each.keeps() for number, each in enumerate(self.biases)}
        self.kept = nn.ModuleDict({number: module for number, module in kept.items() if module is not None}).to(device)

    @property
    def gallery(self) -> Gallery:
        """The pictures at the size of the whole canvas."""
        return self.at(self.config.canvas.size)

    def at(self, size: int) -> Gallery:
        """The pictures at ``size`` pixels; made, and seen by the trunks that costs read, when first asked for."""
        if size not in self._galleries:
            pixels = self.album.pixels
            if pixels.shape[-1] != size:
                small = F.interpolate(torch.from_numpy(pixels).float(), (size, size), mode="bilinear", antialias=True)
                pixels = small.round().clamp(0, 255).to(torch.uint8).numpy()
            gallery = Gallery(replace(self.album, pixels=pixels), _WHOLE, self.trunks, device=self.device)
            wanted: dict[FrozenTrunk, set[int]] = {}
            for trunk, level in (pair for each in self.biases for pair in each.reads()):
                wanted.setdefault(trunk, set()).add(self.trunks[trunk].deepest if level is None else level)
            for trunk, levels in wanted.items():
                gallery.prepare(trunk, sorted(levels))
            self._galleries[size] = gallery
        return self._galleries[size]

    def members(self) -> dict[str, nn.Module]:
        """What a checkpoint holds, by name."""
        return {"strokes": self.free} | {f"biases.{number}": module for number, module in self.kept.items()}

    def look(self, step: int, seed: torch.Generator, *, final: bool = False, weigh: bool = False) -> Look:
        """Draw everything, and ask every bias what it costs.

        Args:
            step: what schedules go by.
            seed: seeds the noise of the costs.
            final: as it would be kept: the whole canvas, and every schedule at its end.
            weigh: give strokes a weight of 1 each.
        """
        config = self.config
        at = 2**31 if final else step
        size = config.canvas.size if final else config.size_at(step)
        gallery = self.at(size)
        hand = FreeHand(self.free, self.biases, step, training=not final)
        weights = hand.weigh() if weigh else None
        round = self.game.deal(gallery, "train", self.drawings, seed).to(self.device)
        play = self.game.play(hand, round, gallery, config.canvas.model_copy(update={"size": size}), at)
        total = play.canvas.new_zeros(self.drawings)
        costs = {}
        for number, (name, each) in enumerate(zip(self.labels, self.biases, strict=True)):
            if each.costs():
                kept = dict(self.kept.items()).get(str(number))
                costs[name] = each.cost(replace(play, kept=kept))
                total = total + each.weight.at(at) * costs[name]
        return Look(total, costs, play, weights)

    def remember(self, play: Play) -> None:
        """Let biases that remember do so, after a step."""
        with torch.no_grad():
            for number, each in enumerate(self.biases):
                each.remember(replace(play, kept=dict(self.kept.items()).get(str(number))))

    def _paper(self) -> Float[Tensor, "m c"] | None:
        """The ink of the paper to begin with: the median of each picture's."""
        if not self.config.strokes.paper:
            return None
        pixels = self.gallery.pixels.float() / 255  # [B, 3, H, W]
        if self.config.strokes.inks == 1:
            pixels = pixels.mean(1, keepdim=True)
        ink = 1 - pixels.flatten(2).median(-1).values  # [B, C]
        return ink.repeat_interleave(self.config.seeds, 0)
