"""Probes asked of runs that are there: of one, or of many side by side, with seeds of one config taken together."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from games.pictures import PicturesConfig
from raster.errors import InputError
from runs.config import Config
from runs.evidence import gather
from runs.finding import Finding, plain
from runs.folder import Folder, lines
from runs.loading import load as load_config
from runs.looks import Kept
from runs.probes import ask_all, asked, probes_of
from runs.report.probes import Found, Probed, photos_of
from runs.run import Run
from runs.spread import over_seeds
from runs.start import load
from runs.tracing import trace_split


def measure(run: Run, names: Sequence[str]) -> Found:
    """Every probe on the test plays of every game.

    Raises:
        InputError: a probe asks for what the run has not.
    """
    if run.game.describes:
        do = "its figures stand in summary.json and report.html"
        raise InputError(f"no probe can be asked of a run of the game {run.config.game.kind}", run.folder, do)
    fit = probes_of(run.game)
    for name in names:
        if name not in fit:
            what = f"{name} cannot be asked of a run of the game {run.config.game.kind}"
            raise InputError(what, "--names", f"ask {', '.join(fit)}")
    return _answers(run, names, strict=True)


def measure_what_fits(run: Run, names: Sequence[str]) -> Found:
    """The same of one run among many: what cannot be asked of it is refused in its place, and the others stand."""
    fit = [] if run.game.describes else probes_of(run.game)
    why = f"cannot be asked of a run of the game {run.config.game.kind}"
    found = _answers(run, [name for name in names if name in fit], strict=False)
    return {name: found.get(name, {run.game.label: {"refused": why}}) for name in names}


def _answers(run: Run, names: Sequence[str], strict: bool) -> Found:
    found: Found = {name: {} for name in names}
    for label, evidence in _evidence(run) if names else ():
        answers: Mapping[str, Finding | str] = ask_all(names, evidence) if strict else asked(names, evidence)
        for name, each in answers.items():
            found[name][label] = plain(each) if isinstance(each, Finding) else {"refused": each}
    return found


def _evidence(run: Run) -> Any:
    if not run.game.chooses:
        yield run.game.label, trace_split(run, "test")
        return
    seen = Kept()  # the games of a run show the same photos, of which a sender draws the same
    for part in run.game.parts:
        evidence = gather(run, part, "test", run.config.measure.test_pools)
        seen = evidence.sketches.remember(seen).seen
        yield part.label, evidence
        gc.collect()  # evidence and its sketches know each other: hundreds of megabytes would wait for a round


def probed(run: Run, name: str, found: Found) -> Probed:
    """What was found in a run, with all that a page shows of it."""
    metrics = [line for line in lines(run.folder.metrics) if line["split"] == "probes"]
    photos = photos_of(found, run.gallery.pixels)
    return Probed(name, run.config, found, metrics, photos, run.config.canvas.sigma2.at(run.step))


def open_and_probe(
    folder: Folder,
    names: Sequence[str],
    device: str = "cpu",
    vectors: Path | None = None,
    alone: bool = True,
    elsewhere: str | None = None,
) -> Probed:
    """Open a run and ask it.

    Args:
        folder: the run's.
        names: of probes.
        device: where to compute.
        vectors: a file of word vectors, in the place of the one that its config names, if any.
        alone: a probe that cannot be asked is an error; beside other runs it is refused, and the rest stands.
        elsewhere: other pictures, for ``generalisation``: a folder of theirs, or the word of their kind.

    Raises:
        InputError: the run cannot be opened; no probe is named, or ``alone`` and one cannot be asked.
    """
    run = load(folder.path, device)
    config = run.config
    told: dict[str, Any] = {} if vectors is None else {"word_vectors": str(vectors)}
    if elsewhere is not None:
        told["elsewhere"] = pictures_named(elsewhere)
    run.config = config.model_copy(update={"measure": config.measure.model_copy(update=told)})
    if not names and not run.game.describes:
        raise InputError("the run's config names no probe", folder, "say which, such as --names rate,prefix")
    found = measure(run, names) if alone else measure_what_fits(run, names)
    return probed(run, str(folder), found)


def pictures_named(word: str) -> PicturesConfig:
    """The pictures in a folder (a sub-folder a class), or of a kind that needs nothing said: ``emoji``, ``digits``.

    Raises:
        InputError: neither.
    """
    raw = {"kind": "folder", "path": word} if Path(word).is_dir() else {"kind": word}
    try:
        found: PicturesConfig = TypeAdapter(PicturesConfig).validate_python(raw)
    except ValidationError as error:
        do = "give a folder with a sub-folder a class, or a kind such as emoji, digits or cifar10"
        raise InputError(f"no pictures {word!r}", "--elsewhere", do) from error
    return found


def as_data(runs: Sequence[Probed], together: "Sequence[Pooled]") -> dict[str, Any]:
    """What ``--json`` prints: of one run its findings, of several ``runs`` by name and ``pooled`` by config."""
    if len(runs) == 1:
        return runs[0].found
    joined = {group.name: {"runs": group.members, **group.found} for group in together}
    return {"runs": {run.name: run.found for run in runs}, "pooled": joined}


def folders(paths: Sequence[Path]) -> list[Folder]:
    """The folders of runs, each once, before any of them is opened.

    Raises:
        InputError: one is no run's, or stands there twice.
    """
    found = [Folder.of_run(path) for path in paths]
    places = [each.path.resolve() for each in found]
    twice = next((each for each, place in zip(found, places, strict=True) if places.count(place) > 1), None)
    if twice is not None:
        raise InputError("this run is given twice", twice.path, "give each run once")
    return found


def names_of(paths: Sequence[Folder]) -> list[str]:
    """The probes that the configs of runs name, each once.

    Raises:
        InputError: a config is damaged.
    """
    every = [load_config(Config, each.config, []).config.probes for each in paths]
    return list(dict.fromkeys(name for names in every for name in names))


@dataclass(frozen=True)
class Pooled:
    """What was found in runs that differ in their seed alone.

    Attributes:
        name: of the config; with a number where another config has the same.
        members: names of the runs.
        found: {probe: {game: {value, low, high, n, runs, chance, baselines}}}: means over the runs, with the interval
            over seeds (Student's t).
    """

    name: str
    members: list[str]
    found: Found


def pooled(runs: Sequence[Probed]) -> list[Pooled]:
    """Seeds of one config taken together; configs with one run are left out."""
    groups: dict[str, list[Probed]] = {}
    for run in runs:
        groups.setdefault(run.experiment, []).append(run)
    found: list[Pooled] = []
    for several in groups.values():
        if len(several) < 2 or len({run.config.seed for run in several}) < len(several):
            continue
        name = several[0].config.name
        same = sum(each.name.split(" #")[0] == name for each in found)
        label = f"{name} #{same + 1}" if same else name
        found.append(Pooled(label, [run.name for run in several], _together([run.found for run in several])))
    return found


def _together(found: Sequence[Found]) -> Found:
    joined: Found = {}
    for name in found[0]:
        games = found[0][name]
        for game in games:
            rows = [each[name][game] for each in found if game in each.get(name, {})]
            rows = [row for row in rows if "refused" not in row and row["value"] is not None]
            if len(rows) < 2:
                continue
            value, low, high = over_seeds([row["value"] for row in rows])
            shared = [key for key in rows[0]["baselines"] if all(key in row["baselines"] for row in rows)]
            chances = [row["chance"] for row in rows]
            joined.setdefault(name, {})[game] = {
                "value": value,
                "low": low,
                "high": high,
                "n": sum(row["n"] for row in rows),
                "runs": len(rows),
                "chance": None if None in chances else over_seeds(chances)[0],
                "baselines": {key: _mean([row["baselines"][key] for row in rows]) for key in shared},
                "measure": rows[0]["measure"],
            }
    return joined


def _mean(values: Sequence[float | None]) -> float | None:
    there = [each for each in values if each is not None]
    return over_seeds(there)[0] if len(there) == len(values) else None
