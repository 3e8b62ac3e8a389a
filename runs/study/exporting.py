"""A finished run to a folder that a person opens, and an answer key beside it."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from raster import InputError
from runs.folder import Folder, read_json
from runs.study.bundle import Vendor, vendor
from runs.study.design import plan
from runs.study.files import write_whole
from runs.study.key import key_beside, key_table
from runs.study.layout import pages, read_consent, study_data, words_for
from runs.study.plays import KINDS, Game, Pictures, own_kind, read_pictures, read_plays
from runs.study.stimuli import Draw, Shown, drawer, opaque_name, photo_png

if TYPE_CHECKING:
    from runs.config import Config

__all__ = ["StudyFolder", "export", "export_plays"]


@dataclass(frozen=True)
class StudyFolder:
    """What ``export`` made.

    Attributes:
        path: the folder to upload, or to open by a double click.
        key: the answer key, beside it; never upload it.
        id: the study's own hash, which results carry.
        game: the game that people sit ("same", "class" or "artist").
        trials: drawings a participant sees, attention checks aside.
        lists: how many different sets of drawings.
        choices: candidates of a question (the fewest, where pools differ).
        shown: "raster" or "vector".
        bundled: whether jsPsych lies in the folder, so that nothing is asked of the network.
        note: why, in words.
        placeholder: whether the consent text is still to be written.
    """

    path: Path
    key: Path
    id: str
    game: str
    trials: int
    lists: int
    choices: int
    shown: Shown
    bundled: bool
    note: str
    placeholder: bool


def export(
    run_folder: Path | str,
    out: Path | str,
    *,
    trials: int = 30,
    game: str | None = None,
    choices: int | None = None,
    lists: int = 1,
    seed: int = 0,
    shown: str = "raster",
    consent: Path | str | None = None,
    offline: bool | None = None,
    data_root: Path | None = None,
) -> StudyFolder:
    """Make a study of a finished run's test games: people pick the target among the receiver's own candidates.

    Args:
        run_folder: the folder that ``lascaux run`` wrote. Only its files are read, and the pictures its config names.
        out: the folder to make; it must not hold anything yet.
        trials: drawings that one participant sees; two attention checks come on top.
        game: "same", "class" or "artist"; the run's own (its summary's) when left out.
        choices: candidates of a question; all that the receiver saw when left out, else a seeded sample which holds
            the target. The receiver's choice is then its best of that sample, by its scores.
        lists: different sets of drawings; each participant gets one.
        seed: decides what is drawn, in which lists and order, and the file names.
        shown: "raster", the canvas as the receiver saw it, or "vector", the strokes as clean paths.
        consent: the researcher's consent text, a plain text file.
        offline: ``True`` demands that jsPsych is bundled, ``False`` takes the CDN; bundled if it can be when left out.
        data_root: where torchvision's data sets lie, for a run on one of them.

    Raises:
        InputError: no run there, no test games, a used folder, pictures that are not the run's, more trials than
            different targets, a consent text that cannot be read.
    """
    folder = Folder.of_run(Path(run_folder))
    _unused(Path(out))
    _possible(game)
    seen = _shown(shown)
    text = read_consent(Path(consent) if consent is not None else None)
    config = _config(folder)
    if not config.game.chooses:
        what = f"nobody chooses in a run of the game {config.game.kind}, so there is nothing that people could take"
        raise InputError(what, folder, "take a run of the referential game")
    pictures = read_pictures(folder.pictures)
    games = read_plays(folder.journal("test"), len(pictures.names))
    summary = read_json(folder.summary) if folder.summary.exists() else {}
    return export_plays(
        games,
        pictures,
        _pixels(config, pictures, folder, data_root),
        Path(out),
        draw=drawer(config.canvas, seen),
        canvas=config.canvas.size,
        run=config.name,
        trials=trials,
        game=game or own_kind(games, summary if isinstance(summary, dict) else {}),
        choices=choices,
        lists=lists,
        seed=seed,
        shown=shown,
        consent=text,
        parts=vendor(offline),
    )


def export_plays(
    games: Sequence[Game],
    pictures: Pictures,
    pixels: NDArray[np.uint8],
    out: Path,
    *,
    draw: Draw,
    canvas: int,
    run: str,
    trials: int,
    game: str,
    choices: int | None = None,
    lists: int = 1,
    seed: int = 0,
    shown: str = "raster",
    consent: str | None = None,
    parts: Vendor,
) -> StudyFolder:
    """``export`` on plays in memory.

    Args:
        games: logged games of any kind and split; those of kind ``game`` on the main test split are taken.
        pictures: what their picture indices mean.
        pixels: [n, H, W, 3], the pictures.
        out: the folder to make.
        draw: a game's drawing, as PNG (``shown="raster"``) or SVG bytes.
        canvas: pixels on a side of the drawing.
        run: the run's name, for the key.
        consent: the consent text itself.
        parts: jsPsych, from ``vendor()``.

    For the other arguments, and errors, see ``export``.
    """
    _possible(game)
    seen = _shown(shown)
    _unused(out)
    kinds = sorted({each.kind for each in games})
    chosen = [each for each in games if each.kind == game and each.split == "test"]
    if not chosen:
        raise InputError(f"the run logged no test games of kind {game!r}", "--game", f"it has {', '.join(kinds)}")
    design = plan(chosen, pictures, trials=trials, lists=lists, choices=choices, seed=seed)
    salt = hashlib.sha256(f"lascaux study {seed} {run} {pictures.content}".encode()).digest()
    files: dict[str, bytes] = {}
    photo: dict[int, str] = {}
    for picture in {picture for item in design.items for picture in item.choices}:
        photo[picture] = _stimulus(files, salt, "photo", photo_png(pixels[picture]))
    stimulus: dict[str, str] = {}
    for item in design.items:
        # A check shows the photo under a name of its own: equal names would give the answer to whoever looks.
        content = photo_png(pixels[item.target_picture]) if item.kind == "catch" else draw(item.game)
        stimulus[item.id] = _stimulus(files, salt, f"drawing {item.id}", content)
    fewest = min(len(item.choices) for item in design.items)
    words = words_for(game, trials, fewest, consent)
    data = study_data(design, words, stimulus, photo, canvas=canvas, shown=seen)
    key = key_table(data["id"], run, design, pictures)
    _place(out, files | pages(data, design, parts), key)
    return StudyFolder(
        path=out,
        key=key_beside(out),
        id=data["id"],
        game=game,
        trials=trials,
        lists=lists,
        choices=fewest,
        shown=seen,
        bundled=parts.bundled,
        note=parts.why,
        placeholder=words.placeholder,
    )


def _stimulus(files: dict[str, bytes], salt: bytes, role: str, content: bytes) -> str:
    suffix = "png" if content.startswith(b"\x89PNG") else "svg"
    name = f"stimuli/{opaque_name(salt, role, content, suffix)}"
    files[name] = content
    return name


def _place(out: Path, files: dict[str, bytes], key: bytes) -> None:
    """Write all under a temporary name beside ``out``, then the key, then rename: never half a study."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary:
        draft = Path(temporary) / "study"
        for name, content in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        write_whole(key_beside(out), key)
        try:
            if out.is_dir():
                out.rmdir()  # empty, as was seen to; some systems do not rename over a folder
            draft.rename(out)
        except OSError:
            key_beside(out).unlink(missing_ok=True)
            raise


def _unused(out: Path) -> None:
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise InputError("the folder of the study is in use", out, "give a folder that is new or empty")
    if key_beside(out).exists():
        raise InputError("there is the key of another study", key_beside(out), "move it away, or give another folder")


def _possible(game: str | None) -> None:
    if game is not None and game.removesuffix("-nearest") not in KINDS:
        raise InputError(f"no game {game!r} that people can sit", "--game", "take same, class or artist")


def _shown(word: str) -> Shown:
    known: dict[str, Shown] = {"raster": "raster", "vector": "vector"}
    if word not in known:
        raise InputError(f"cannot show {word!r}", "--shown", "take raster or vector")
    return known[word]


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
