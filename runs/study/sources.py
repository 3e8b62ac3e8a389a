"""The runs of a study: whose drawings people see, and the pictures that they were made of."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from raster import InputError
from runs.folder import Folder, read_json
from runs.study.plays import Game, Pictures, own_kind, read_pictures, read_plays
from runs.study.stimuli import Draw, Shown, drawer

if TYPE_CHECKING:
    from runs.config import Config

__all__ = ["Source", "named_apart", "read_source"]


@dataclass(frozen=True, eq=False)
class Source:
    """One run as a study sees it.

    Attributes:
        run: its name, another for each run of a study.
        games: its logged games of one target, of any kind and split.
        own: the kind of game that it is about.
        pictures: what their indices mean.
        pixels: [n, H, W, 3], the pictures.
        draw: a game's drawing, as PNG or SVG bytes.
        canvas: pixels on a side of it.
        condition: what the run stands for; its name when empty.
        biases: the kinds of its biases.
        seed: its seed.
    """

    run: str
    games: Sequence[Game]
    own: str
    pictures: Pictures
    pixels: NDArray[np.uint8]
    draw: Draw
    canvas: int
    condition: str = ""
    biases: tuple[str, ...] = ()
    seed: int = 0
    _items: dict[int, str] = field(default_factory=dict, repr=False)

    @property
    def label(self) -> str:
        """What the run stands for."""
        return self.condition or self.run

    def item(self, picture: int) -> str:
        """An opaque name of a picture, the same in every run that has it: a hash of its pixels."""
        if picture not in self._items:
            content = np.ascontiguousarray(self.pixels[picture])
            head = f"lascaux item {content.shape}".encode()
            self._items[picture] = hashlib.sha256(head + content.tobytes()).hexdigest()[:12]
        return self._items[picture]

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of games that it logged."""
        return tuple(sorted({game.kind for game in self.games}))


def read_source(
    run_folder: Path | str,
    shown: Shown,
    data_root: Path | None = None,
    load: dict[str, NDArray[np.uint8]] | None = None,
) -> Source:
    """A finished run's folder: its plays, and the pictures that its config names. Agents are not loaded.

    Args:
        run_folder: the folder that ``lascaux run`` wrote.
        shown: how its drawings are shown.
        data_root: where torchvision's data sets lie, for a run on one of them.
        load: pictures that were loaded for another run, by their content; what is loaded here is put there.

    Raises:
        InputError: no run there, no test games of one target, or pictures that are not the run's.
    """
    folder = Folder.of_run(Path(run_folder))
    config = _config(folder)
    if not config.game.chooses:
        what = f"nobody chooses in a run of the game {config.game.kind}, so there is nothing that people could take"
        raise InputError(what, folder, "take a run of the referential game")
    pictures = read_pictures(folder.pictures)
    games = read_plays(folder.journal("test"), len(pictures.names))
    summary = read_json(folder.summary) if folder.summary.exists() else {}
    loaded = {} if load is None else load
    if pictures.content not in loaded:
        loaded[pictures.content] = _pixels(config, pictures, folder, data_root)
    return Source(
        run=config.name,
        games=games,
        own=own_kind(games, summary if isinstance(summary, dict) else {}),
        pictures=pictures,
        pixels=loaded[pictures.content],
        draw=drawer(config.canvas, shown),
        canvas=config.canvas.size,
        biases=tuple(each.kind for each in config.all_biases),
        seed=config.seed,
    )


def named_apart(names: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """A name for each run that no other has: its own, else its folder's, else numbered.

    >>> named_apart(["demo", "demo", "tiny"], [Path("out/a"), Path("out/b"), Path("out/c")])
    ['a', 'b', 'tiny']
    """
    apart = [
        name if names.count(name) == 1 else folder.resolve().name for name, folder in zip(names, folders, strict=True)
    ]
    return [
        name if apart.count(name) == 1 else f"{name}-{apart[: place + 1].count(name)}"
        for place, name in enumerate(apart)
    ]


def _config(folder: Folder) -> "Config":
    from runs.config import Config
    from runs.loading import load as load_config

    return load_config(Config, folder.config, []).config


def _pixels(config: "Config", pictures: Pictures, folder: Folder, data_root: Path | None) -> NDArray[np.uint8]:
    """The run's pictures [n, H, W, 3], from its config alone; agents and features are not loaded."""
    import torch

    from games.pictures import load_gallery
    from perception import Trunks

    device = torch.device("cpu")
    gallery = load_gallery(config.pictures, Trunks(device), None, device, data_root)
    if gallery.content != pictures.content:
        raise InputError(
            "the pictures are not those that the run played with", folder.pictures, "restore them, or run again"
        )
    return gallery.pixels.permute(0, 2, 3, 1).numpy()
