"""Draw pictures, go on with a drawing that was stopped, and write what was found."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from agents import Bias
from games.pictures import Album
from perception import Trunks
from raster import InputError
from raster.shapes import Tensor, UInt8
from runs import checkpoint
from runs.draw import film
from runs.draw.config import DrawConfig
from runs.draw.files import (
    Sheet,
    load_strokes,
    paper_of,
    picture_format,
    save_drawing,
    save_picture,
    side_by_side,
)
from runs.draw.report import write_report
from runs.draw.search import Search
from runs.draw.studio import Studio, album_of
from runs.folder import Folder, append_line, cut_back, read_json, write_json, write_text
from runs.loading import dump
from runs.process import asked_to_stop
from runs.progress import Progress
from runs.start import choose_device, claim, surroundings

WATCHED = 16
"""Pictures at most on the sheet of --watch."""


@dataclass(frozen=True)
class Drawn:
    """What came of it: the folder, and the best drawing of each picture by name."""

    folder: Path
    sheets: dict[str, Sheet]


def draw(
    config: DrawConfig,
    pictures: Sequence[Path | str],
    out: Path | str | None = None,
    *,
    resume: bool = False,
    watch: Path | str | None = None,
    device: str = "auto",
    progress: bool = True,
    plugins: tuple[str, ...] = (),
    trunks: Trunks | None = None,
) -> Drawn:
    """Draw pictures by optimisation, all in one batch, and write a folder.

    Args:
        config: how.
        pictures: picture files of any size and mode.
        out: the folder; out/NAME/PICTURE when left out.
        resume: go on from the last checkpoint in it. Without one it starts at 0; a finished one is left as it is.
        watch: a picture file that is rewritten as the drawings get better: each photo and its drawing.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        progress: show the costs on the terminal.
        plugins: modules that were imported for their biases, recorded with the run.
        trunks: networks that are built already.

    Raises:
        InputError: a picture that cannot be read, a used folder without ``resume``, another config with it, ...
        KeyboardInterrupt: Ctrl-C; the best so far is written first, and it can be resumed.
    """
    files = [Path(each) for each in pictures]
    watched = None if watch is None else _watchable(Path(watch))
    where = choose_device(device)
    # Read first: a picture that is none must leave no folder behind.
    album = album_of(files, config.canvas.size, config.fit)
    folder = Folder(Path(out) if out is not None else default_folder(config, album))
    _claim(folder, config, album, resume)
    if resume and folder.status.exists() and read_json(folder.status).get("state") == "finished":
        return load_drawn(folder.path)
    if config.threads:
        torch.set_num_threads(config.threads)
    studio = Studio(config, album, where, trunks)
    search = Search(studio)
    _go_on(search, folder, resume)
    folder.path.mkdir(parents=True, exist_ok=True)
    write_text(folder.config, dump(config))
    write_json(folder.env, surroundings(studio.gallery, torch.float32, config.seed, plugins))
    write_json(folder.pictures, _pictures(album, files))
    shown = Progress(config.steps, enabled=progress, start=search.step, idle="cost   -  ")
    shown.say(_about(config, album, studio, where))
    for line in [*studio.told, *_idle_biases(config.biases)]:
        shown.say(f"note: {line}")
    _status(folder, "running", search)
    try:
        with shown, asked_to_stop() as stop:
            _search(search, folder, shown, stop, watched)
        stopped = not search.done
        sheets = _write(search, folder, "interrupted" if stopped else "finished")
    except BaseException:
        _status(folder, "interrupted", search)
        raise
    if stopped:
        raise KeyboardInterrupt
    return Drawn(folder.path, sheets)


def _search(search: Search, folder: Folder, shown: Progress, stop: Any, watched: Path | None) -> None:
    config = search.config
    if search.step == 0:
        search.look()
    while not search.done and not stop():
        began = time.perf_counter()
        search.advance()
        search.seconds += time.perf_counter() - began
        if search.step % config.look_every == 0 or search.done:
            line = {"step": search.step, **search.newest, "lr": search.lr_at(search.step - 1)}
            append_line(folder.metrics, {**line, "seconds": round(search.seconds, 3)})
            shown.update(search.step, search.newest)
            if watched is not None:
                save_picture(preview(search), watched)
        if search.step % config.checkpoint_every == 0 or search.done:
            _save(search, folder)
    _save(search, folder)


def _save(search: Search, folder: Folder) -> None:
    checkpoint.save(folder.checkpoints, search.studio, search.step, search.state())


def preview(search: Search, size: int = 192) -> UInt8[Tensor, "3 h w"]:
    """Photos and their best drawings so far side by side, at most ``WATCHED``, four pairs a row."""
    sheets = _sheets(search, WATCHED)
    photos = photos_at(search.studio.album, size)
    shown = [picture for number, sheet in enumerate(sheets) for picture in (photos[number], sheet.pixels(size))]
    return side_by_side([shown[start : start + 8] for start in range(0, len(shown), 8)])


def photos_at(album: Album, size: int) -> UInt8[Tensor, "n 3 size size"]:
    """The photos at another size, bytes."""
    small = torch.nn.functional.interpolate(
        torch.from_numpy(album.pixels).float(), (size, size), mode="bilinear", antialias=True
    )
    return small.round().clamp(0, 255).to(torch.uint8)


def _sheets(search: Search, most: int | None = None) -> list[Sheet]:
    strokes, paper = search.drawn()
    count = strokes.batch_shape[0] if most is None else min(most, strokes.batch_shape[0])
    strokes = strokes.cpu()
    return [Sheet(strokes[number], search.config.canvas, paper_of(paper, number)) for number in range(count)]


def _write(search: Search, folder: Folder, state: str) -> dict[str, Sheet]:
    """All that a person wants: drawings, films, figures, report; the status last."""
    config, studio = search.config, search.studio
    names = list(studio.album.classes)
    sheets = dict(zip(names, _sheets(search), strict=True))
    for name, sheet in sheets.items():
        save_drawing(sheet, folder.path, name, config.picture)
    if config.film.format != "none":
        frames = search.film()
        for number, (name, sheet) in enumerate(sheets.items()):
            kind = config.film.format
            made = film.found(frames, number, config)
            film.save_film(made, folder.path / f"{name}-found.{kind}", config.film.seconds)
            film.save_film(film.drawn(sheet, config), folder.path / f"{name}-drawn.{kind}", config.film.seconds)
    write_json(folder.summary, _summary(search, state))
    write_report(folder, photos_at(studio.album, min(256, config.canvas.size)), sheets)
    _status(folder, state, search)
    return sheets


def load_drawn(path: Path | str) -> Drawn:
    """The drawings in a folder that ``draw`` wrote.

    Raises InputError where there are none, or a file is damaged.
    """
    folder = Folder.of_run(Path(path))
    names = read_json(folder.pictures)["names"]
    return Drawn(folder.path, {name: load_strokes(folder.path / f"{name}.safetensors") for name in names})


def default_folder(config: DrawConfig, album: Album) -> Path:
    """out/NAME/PICTURE, and how many more."""
    more = len(album.classes) - 1
    return Path("out") / config.name / (album.classes[0] + (f"-and-{more}-more" if more else ""))


def _summary(search: Search, state: str) -> dict[str, Any]:
    config = search.config
    chosen = search.chosen().tolist()
    return {
        "name": config.name,
        "state": state,
        "step": search.step,
        "steps": config.steps,
        "seconds": round(search.seconds, 2),
        "strokes": int(search.studio.free.raw["points"].shape[1]),
        "pictures": {
            name: {
                "cost": float(search.best[number]),
                **{bias: float(cost[number]) for bias, cost in search.costs.items()},
                "seed": number % config.seeds,
                "cost_by_seed": search.best[row * config.seeds : (row + 1) * config.seeds].tolist(),
            }
            for row, (name, number) in enumerate(zip(search.studio.album.classes, chosen, strict=True))
        },
    }


def _pictures(album: Album, files: Sequence[Path]) -> dict[str, Any]:
    return {"content": album.content(), "names": list(album.classes), "files": [each.name for each in files]}


def _status(folder: Folder, state: str, search: Search) -> None:
    write_json(folder.status, {"state": state, "step": search.step, "steps": search.config.steps})


def _about(config: DrawConfig, album: Album, studio: Studio, where: torch.device) -> str:
    count, kind = studio.free.raw["points"].shape[1], studio.free.kind
    pictures = f"{len(album.classes)} picture{'s' * (len(album.classes) > 1)} ({album.source})"
    seeds = f", {config.seeds} seeds" if config.seeds > 1 else ""
    return f"{config.name}: {pictures}, {count} strokes of kind {kind}{seeds}, {config.steps} steps, {where}"


def _idle_biases(biases: Sequence[Bias]) -> list[str]:
    """Those of which nothing is felt here."""
    return [
        f"{each.kind} changes what a sender sees, and strokes that are optimised see nothing: it does nothing here"
        for each in biases
        if not each.costs() and type(each).move is Bias.move
    ]


def _watchable(path: Path) -> Path:
    """See now, not after the first steps, that a picture can be written there."""
    picture_format(path)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError("no picture can be written there", path, "give a file in a folder that is there")
    return path


def _claim(folder: Folder, config: DrawConfig, album: Album, resume: bool) -> None:
    """See that the folder may be written: empty, or the same drawing's when resuming."""
    claim(folder, config, resume, "drawing")
    if folder.pictures.exists() and read_json(folder.pictures).get("content") != album.content():
        raise InputError("the drawing in it is of other pictures", folder.path, "give the same, or another --out")


def _go_on(search: Search, folder: Folder, resume: bool) -> None:
    """Put the last checkpoint into a search, if there is one and it is asked for."""
    step = checkpoint.go_on(folder.checkpoints, search.studio, search.restore) if resume else None
    if step is None:
        folder.metrics.unlink(missing_ok=True)
    else:
        cut_back(folder.metrics, step)
