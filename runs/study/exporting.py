"""Finished runs to a folder that a person opens, and an answer key beside it."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raster import InputError
from runs.study.bundle import Vendor, vendor
from runs.study.config import Pick, StudyConfig
from runs.study.design import Design, kinds_of, plan
from runs.study.files import write_whole
from runs.study.items import Item
from runs.study.key import key_beside, key_table
from runs.study.layout import pages, study_data
from runs.study.platforms import jzip, jzip_beside
from runs.study.sources import Source, named_apart, read_source
from runs.study.stimuli import Shown, opaque_name, photo_png
from runs.study.words import read_consent, words_for

__all__ = ["StudyFolder", "export", "export_sources", "read_design", "short_form"]


@dataclass(frozen=True)
class StudyFolder:
    """What ``export`` made.

    Attributes:
        path: the folder to upload, or to open by a double click.
        key: the answer key, beside it; never upload it.
        id: the study's own hash, which results carry.
        kinds: what is asked, a word a part.
        games: of each part, the kind of game that its drawings come from.
        trials: questions that a participant answers, attention checks aside.
        lists: how many different lists of questions.
        choices: candidates of a question (the fewest of those with any); 0 where nothing is chosen.
        shown: "raster" or "vector".
        bundled: whether jsPsych lies in the folder, so that nothing is asked of the network.
        note: why, in words.
        placeholder: whether the consent text is still to be written.
        unlike: targets to be picked whose runs had other candidates beside them.
        jzip: the study for a JATOS server, where answers go to one.
    """

    path: Path
    key: Path
    id: str
    kinds: tuple[str, ...]
    games: tuple[str, ...]
    trials: int
    lists: int
    choices: int
    shown: Shown
    bundled: bool
    note: str
    placeholder: bool
    unlike: int = 0
    jzip: Path | None = None

    @property
    def game(self) -> str:
        """The kind of game that people sit first."""
        return self.games[0]


def read_design(path: Path) -> StudyConfig:
    """Read DESIGN.yaml by the strict loader; the consent text's path counts from the file.

    Raises:
        InputError: whatever is wrong with it, one line each.
    """
    from runs.loading import load

    config = load(StudyConfig, Path(path)).config
    if config.consent is None:
        return config
    return config.model_copy(update={"consent": Path(path).parent / config.consent.expanduser()})


def short_form(
    *,
    trials: int = 30,
    game: str | None = None,
    choices: int | None = None,
    lists: int | None = None,
    seed: int = 0,
    shown: str = "raster",
    consent: Path | str | None = None,
) -> StudyConfig:
    """The design of one part in which pictures are picked, from single values.

    Args:
        trials: drawings that one participant sees; two attention checks come on top.
        game: "same", "class" or "artist"; the run's own (its summary's) when left out.
        choices: candidates of a question; all that the receiver saw when left out, else a seeded sample which holds
            the target. The receiver's choice is then its best of that sample, by its scores.
        lists: different sets of drawings; each participant gets one. One for each run when left out.
        seed: decides what is drawn, in which lists and order, and the file names.
        shown: "raster", the canvas as the receiver saw it, or "vector", the strokes as clean paths.
        consent: the researcher's consent text, a plain text file.

    Raises:
        InputError: a value that cannot be.
    """
    if game is not None and game.removesuffix("-nearest") not in ("same", "class", "artist"):
        raise InputError(f"no game {game!r} that people can sit", "--game", "take same, class or artist")
    known: dict[str, Shown] = {"raster": "raster", "vector": "vector"}
    if shown not in known:
        raise InputError(f"cannot show {shown!r}", "--shown", "take raster or vector")
    if not 1 <= trials <= 1000 or (lists is not None and not 1 <= lists <= 500):
        what = f"{trials} trials in {1 if lists is None else lists} lists"
        raise InputError(what, "study", "both must be at least 1, and at most 1000 and 500")
    if choices is not None and choices < 2:
        raise InputError(f"{choices} choices", "study", "give at least 2")
    return StudyConfig(
        seed=seed,
        shown=known[shown],
        consent=Path(consent) if consent is not None else None,
        lists=lists,
        parts=(Pick(trials=trials, game=game, choices=choices),),
    )


def export(
    run_folders: Path | str | Sequence[Path | str],
    out: Path | str,
    *,
    design: StudyConfig | Path | str | None = None,
    offline: bool | None = None,
    data_root: Path | None = None,
    **short: Any,
) -> StudyFolder:
    """Make a study of finished runs' test games.

    Args:
        run_folders: the folder that ``lascaux run`` wrote, or several. Only their files are read, and the pictures that
            their configs name.
        out: the folder to make; it must not hold anything yet.
        design: what is asked: a ``StudyConfig``, or a YAML file of one.
        offline: ``True`` demands that jsPsych is bundled, ``False`` takes the CDN; bundled if it can be when left out.
        data_root: where torchvision's data sets lie, for a run on one of them.
        short: without a design, the arguments of ``short_form``.

    Raises:
        InputError: no run there, no test games, a used folder, pictures that are not the run's, more targets asked for
            than there are, runs that do not fit together, a consent text that cannot be read.
    """
    if design is not None and short:
        raise InputError(f"a design, and {', '.join(sorted(short))} beside it", "study", "say it in the design")
    config = design if isinstance(design, StudyConfig) else short_form(**short) if design is None else None
    if config is None:
        config = read_design(Path(str(design)))
    _unused(Path(out), config)
    folders = [run_folders] if isinstance(run_folders, (str, Path)) else list(run_folders)
    if not folders:
        raise InputError("no run to make a study of", "study", "give the folder of a run")
    text = read_consent(config.consent)
    loaded: dict[str, NDArray[np.uint8]] = {}
    sources = [read_source(folder, config.shown, data_root, loaded) for folder in folders]
    apart = named_apart([source.run for source in sources], [Path(folder) for folder in folders])
    sources = [replace(source, run=name) for source, name in zip(sources, apart, strict=True)]
    return export_sources(sources, config, Path(out), consent=text, parts=vendor(offline))


def export_sources(
    sources: Sequence[Source], config: StudyConfig, out: Path, *, consent: str | None, parts: Vendor
) -> StudyFolder:
    """``export`` on runs in memory.

    Args:
        sources: the runs, each with a name of its own.
        config: the design; its ``consent`` is not read.
        out: the folder to make.
        consent: the consent text itself.
        parts: jsPsych, from ``vendor()``.

    For errors, see ``export``.
    """
    _unused(out, config)
    if config.labels is not None:
        if len(config.labels) != len(sources):
            what = f"{len(config.labels)} labels for {len(sources)} run(s)"
            raise InputError(what, "labels", "give one for each, in the order of the command line")
        sources = [replace(each, condition=label) for each, label in zip(sources, config.labels, strict=True)]
    design = plan(config, sources)
    games = tuple(kinds_of(part, number, sources)[0] for number, part in enumerate(config.parts))
    contents = " ".join(source.pictures.content for source in sources)
    salt = hashlib.sha256(f"lascaux study {config.seed} {[s.run for s in sources]} {contents}".encode()).digest()
    files: dict[str, bytes] = {}
    stimulus, drawing = _stimuli(files, salt, design, sources)
    words = words_for(config, games, consent)
    # Of several runs the largest: it only decides how large a drawing is shown, in whole multiples of its pixels.
    data = study_data(config, design, words, stimulus, canvas=max(source.canvas for source in sources))
    key = key_table(data["id"], config.shown, design, sources, drawing)
    every = files | pages(data, config, parts)
    archive = jzip(every, config.title, data["id"], out.name) if config.save.kind == "jatos" else None
    _place(out, every, key, archive)
    return StudyFolder(
        path=out,
        key=key_beside(out),
        id=data["id"],
        kinds=tuple(part.kind for part in config.parts),
        games=games,
        trials=sum(part.trials for part in config.parts),
        lists=len(design.lists),
        choices=_fewest(design),
        shown=config.shown,
        bundled=parts.bundled,
        note=parts.why,
        placeholder=words.placeholder,
        unlike=design.unlike,
        jzip=None if archive is None else jzip_beside(out),
    )


def _stimuli(
    files: dict[str, bytes], salt: bytes, design: Design, sources: Sequence[Source]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """What each trial shows, and the file of its drawing; the pictures themselves go into ``files``."""

    def put(role: str, content: bytes) -> str:
        suffix = "png" if content.startswith(b"\x89PNG") else "svg"
        name = f"stimuli/{opaque_name(salt, role, content, suffix)}"
        files[name] = content
        return name

    photos: dict[str, str] = {}

    def photo(source: int, picture: int) -> str:
        item = sources[source].item(picture)
        if item not in photos:
            photos[item] = put("photo", photo_png(sources[source].pixels[picture]))
        return photos[item]

    stimulus, drawing = {}, {}
    for id, item in design.items.items():
        drawing[id] = ""
        shown = None
        if item.kind == "catch":
            # A check shows the photo under a name of its own: equal names would give the answer to whoever looks.
            shown = put(f"drawing {id}", photo_png(sources[item.source].pixels[item.meant]))
        elif item.kind not in ("draw", "compare"):
            shown = drawing[id] = put(f"drawing {id}", sources[item.source].draw(item.game))
        stimulus[id] = {
            "stimulus": shown,
            "photo": None if item.photo is None else photo(item.source, item.photo),
            "choices": [photo(item.source, picture) for picture in item.pictures]
            or [put(f"drawing {id} {run}", sources[run].draw(game)) for run, game in item.sides]
            or list(item.words),
        }
    return stimulus, drawing


def _fewest(design: Design) -> int:
    def chosen(item: Item) -> bool:
        return item.kind != "catch" and item.many > 0

    return min((item.many for item in design.items.values() if chosen(item)), default=0)


def _place(out: Path, files: dict[str, bytes], key: bytes, archive: bytes | None) -> None:
    """Write all under a temporary name beside ``out``, then what lies beside it, then rename: never half a study."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = {key_beside(out): key} | ({} if archive is None else {jzip_beside(out): archive})
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary:
        draft = Path(temporary) / "study"
        for name, content in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            for path, content in beside.items():
                write_whole(path, content)
            if out.is_dir():
                out.rmdir()  # empty, as was seen to; some systems do not rename over a folder
            draft.rename(out)
        except OSError:
            for path in beside:
                path.unlink(missing_ok=True)
            raise


def _unused(out: Path, config: StudyConfig) -> None:
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise InputError("the folder of the study is in use", out, "give a folder that is new or empty")
    beside = [key_beside(out), *([jzip_beside(out)] if config.save.kind == "jatos" else [])]
    for path in beside:
        if path.exists():
            raise InputError("there is the key of another study", path, "move it away, or give another folder")
