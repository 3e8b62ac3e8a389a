"""Stand-ins for people look at the drawings of a study; what they make of them is held against people's answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from raster import InputError
from runs.study.eyes import eye_of
from runs.study.files import table, write_whole
from runs.study.key import key_beside, read_key
from runs.study.relations import stand_ins_beside
from runs.study.results import read_study
from runs.study.simulating import how_sure

__all__ = ["drawings_of", "stand_in_scores"]


def drawings_of(study: dict[str, Any], folder: Path) -> list[Path]:
    """The files of all drawings of a study that stand alone."""
    trials = [trial for trial in study["trials"].values() if trial["kind"] not in ("catch", "draw", "compare")]
    return [folder / each for each in sorted({trial["stimulus"] for trial in trials})]


def stand_in_scores(
    study_dir: Path | str, who: Sequence[str], *, out: Path | None = None, key: Path | None = None
) -> Path:
    """Write how readable stand-ins find each drawing of a study (``how_sure``): a CSV that ``score`` reads.

    Args:
        study_dir: the folder that ``export`` wrote.
        who: names that ``eye_of`` knows; each is a column.
        out: the file; ``DIR-stand-ins.csv`` beside the folder when left out. It is written anew.
        key: the answer key; ``DIR-key.csv`` when left out.

    Raises:
        InputError: no study or key there, nobody is named or one twice, a name that nobody has, or no drawing of which
            one knows anything.
    """
    folder = Path(study_dir)
    study = read_study(folder)
    rows = read_key(key if key is not None else key_beside(folder), study)
    if not who or len(set(who)) < len(who):
        raise InputError("nobody to look" if not who else "a stand-in is named twice", "--with", "name each once")
    targets = {id: row.target for id, row in rows.items()}
    seen = drawings_of(study, folder)
    scores = {name: how_sure(study, folder, eye_of(name, drawings=seen), targets) for name in who}
    for name, found in scores.items():
        if not found:
            raise InputError(f"{name} knows nothing of any drawing", folder, "ask for pictures (pick, rate, compare)")
    trials = [id for id in study["trials"] if any(id in found for found in scores.values())]
    lines = [
        {"study": study["id"], "sketch": id}
        | {name: f"{found[id]:.6g}" if id in found else "" for name, found in scores.items()}
        for id in trials
    ]
    path = out if out is not None else stand_ins_beside(folder)
    write_whole(path, table(("study", "sketch", *who), lines))
    return path
