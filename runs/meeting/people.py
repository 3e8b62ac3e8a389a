"""Who meets: runs that played the same game about the same pictures, opened upon one gallery."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from games import OneTarget, Referential
from raster import InputError
from raster.shapes import Bool, Tensor
from runs import checkpoint
from runs.config import Config
from runs.folder import Folder, read_json
from runs.loading import diff
from runs.loading import load as load_config
from runs.run import Run, build_community, prepare
from runs.start import load, settle_community
from runs.summary import hardest

FEWEST = 2
"""Runs that can meet."""


@dataclass(frozen=True)
class Party:
    """One community of those who meet.

    Attributes:
        name: what tables call it: the name of its run's folder.
        run: its run; all parties share one gallery.
        senders: slots of those who draw, as they were when the run was last saved.
        receivers: likewise, of those who look.
    """

    name: str
    run: Run
    senders: list[int]
    receivers: list[int]

    def met(self) -> Bool[Tensor, "s r"]:
        """Which of its senders can meet which of its receivers as things stand, [S, R]."""
        return self.run.community.matrix[self.senders][:, self.receivers] > 0


def parties_of(folders: Sequence[Path | str], device: str = "cpu") -> tuple[list[Party], Referential]:
    """Open runs that are to meet, and the game that they are to play: the hardest part of theirs.

    Raises:
        InputError: fewer than two runs, one of them twice, one that is none or has no checkpoint; pictures, splits, a
            game, a canvas or colours that are not those of the first; a game that is not referential.
    """
    files = [Folder.of_run(Path(each)) for each in folders]
    if len(files) < FEWEST:
        raise InputError("strangers are of two runs at least", files[0].path if files else None, "name another run")
    places = [each.path.resolve() for each in files]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise InputError("the run is named twice", files[number].path, "name each once")
    configs = [load_config(Config, each.config, []).config for each in files]
    for each in files:
        if not (each.checkpoints / "last.safetensors").is_file():
            raise InputError("the run has no checkpoint", each.path, "let it run to its first one, or name another run")
    for each, config in zip(files[1:], configs[1:], strict=True):
        _alike(files[0], configs[0], each, config)
    parts = [each for each in configs[0].game.parts if isinstance(each, Referential)]
    parts = [each for each in parts if isinstance(each.targets, OneTarget)]
    if not parts:
        do = "name runs of a referential game with one target"
        raise InputError(f"strangers cannot meet in a game of kind {configs[0].game.kind}", files[0].path, do)
    first = load(files[0].path, device)
    runs = [first, *(_opened(folder, config, first) for folder, config in zip(files[1:], configs[1:], strict=True))]
    names = _names(places)
    found = [Party(name, run, *_there(run)) for name, run in zip(names, runs, strict=True)]
    return found, hardest(parts)


def _names(places: Sequence[Path]) -> list[str]:
    """The folders' own names, or as many of the folders above them as tell them apart."""
    for depth in range(1, max(len(each.parts) for each in places) + 1):
        names = ["/".join(each.parts[-depth:]) for each in places]
        if len(set(names)) == len(names):
            return names
    return [str(each) for each in places]


def _alike(first: Folder, one: Config, folder: Folder, other: Config) -> None:
    """See that two runs can be played with each other."""
    contents = [read_json(each.pictures).get("content") for each in (first, folder)]
    if contents[0] != contents[1]:
        told = "its pictures are others" + f" ({one.pictures.kind}, {other.pictures.kind})"
        raise InputError(f"{told} than those of {first.path}", folder.path, "name runs of the same pictures")
    pairs = (
        ("split", "pictures.split", one.pictures.split, other.pictures.split),
        ("game", "game", one.game, other.game),
        ("canvas", "canvas", one.canvas, other.canvas),
    )
    for what, key, mine, its in pairs:
        if mine != its:
            lines = [f"{key}.{each}" for each in diff(mine, its)] if type(mine) is type(its) else []
            told = lines[0] if lines else f"{key}.kind: {getattr(mine, 'kind', '?')} -> {getattr(its, 'kind', '?')}"
            raise InputError(
                f"its {what} is not that of {first.path}: {told}", folder.path, "name runs that differ in neither"
            )
    if one.sender.strokes.inks != other.sender.strokes.inks:
        raise InputError(
            f"only one of it and {first.path} draws in colours", folder.path, "name runs with colours, or without"
        )
    if one.train.dtype != other.train.dtype:
        told = f"its precision is {other.train.dtype}, that of {first.path} {one.train.dtype}"
        raise InputError(told, folder.path, "name runs of one train.dtype")


def _opened(folder: Folder, config: Config, first: Run) -> Run:
    """A further run upon the pictures and trunks of the first."""
    prepare(config, first.gallery)
    community = build_community(config, first.gallery, first.trunks, config.seed)
    weights, step = checkpoint.load_weights(folder.checkpoints / "last.safetensors")
    checkpoint.put(community, weights, folder.checkpoints / "last.safetensors")
    run = Run(config, folder, first.gallery, first.trunks, community, step)
    settle_community(run, folder)
    return run


def _there(run: Run) -> tuple[list[int], list[int]]:
    """Who is there: whoever can meet anybody, as the matrix stands."""
    matrix = run.community.matrix
    senders = (matrix.sum(dim=1) > 0).nonzero()[:, 0].tolist()
    receivers = (matrix.sum(dim=0) > 0).nonzero()[:, 0].tolist()
    return senders, receivers
