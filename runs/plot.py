"""``lascaux plot``: a drawing's file, a machine, and what becomes of them: the machine's own file."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from agents.bodies import MACHINES, Deviation, Machine, Plan, deviation, plan, replay, sheet, written
from raster import InputError, Strokes, from_quickdraw, from_svg
from runs.draw import load_strokes
from runs.drawings import one_of, strokes_of
from runs.folder import lines, write_atomic, write_text
from runs.loading import Shelf, load

MACHINE_SHELF = Shelf(MACHINES, "machine")
READS = (".svg", ".safetensors", ".ndjson", ".jsonl")
"""Endings of drawings: a vector picture, strokes of lascaux, QuickDraw's lines, plays of a run."""
LARGEST = 200_000_000
"""Bytes of a file of strokes."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawing as it was read.

    Attributes:
        strokes: [n], canvas coordinates.
        aspect: the canvas's width by its height.
        as_seen: whether colours are what is seen on white, not ink.
        notes: what the reader has to say, a line each.
    """

    strokes: Strokes
    aspect: float
    as_seen: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Plotted:
    """What ``plot`` did.

    Attributes:
        plan: the movements and what became of the drawing (``plan.report``).
        path: the machine's file.
        drawing: what was read.
        checked: the file replayed against the plan, where that was asked for.
    """

    plan: Plan
    path: Path
    drawing: Drawing
    checked: Deviation | None = None


def machine_of(source: str | Path, sets: Sequence[str] = ()) -> Machine:
    """A machine that ships (``a4-axidraw``, ``hpgl``, ``gcode``) or one from a file, changed by words ``a.b=value``.

    A file may begin from one that ships: ``base: gcode``.

    Raises:
        InputError: whatever is wrong with it, one line each.
    """
    return load(Machine, source, sets, MACHINE_SHELF).config


def plot(
    path: Path, machine: Machine, out: Path | None = None, *, number: int = 0, preview: Path | None = None,
    check: bool = False,
) -> Plotted:  # fmt: skip
    """Plan a drawing and write what the machine reads; nothing is written unless everything went well.

    Args:
        path: the drawing, see ``read_drawing``.
        machine: who draws it.
        out: the file, or a folder for it; ``out/NAME`` with the machine's ending if left out.
        number: which drawing of a file with several, from 0.
        preview: a PNG of the sheet, drawn from the file that was written, not from the plan.
        check: replay the file and measure it against the plan.

    Raises:
        InputError: a file that is no drawing, or of which nothing can be drawn.
    """
    drawing = read_drawing(path, number)
    target = _target(path, out, machine)
    for each in (target, preview):
        if each is not None and each.exists() and each.resolve() == path.resolve():
            raise InputError("this would write over the drawing itself", each, "give another name")
    if preview is not None and preview.resolve() == target.resolve():
        raise InputError("--preview and --out are one file", preview, "give another name")
    try:
        planned = plan(drawing.strokes, machine, drawing.aspect, drawing.as_seen)
    except InputError as error:
        raise InputError(error.what, path if error.where == "plan" else f"{path}, {error.where}", error.do) from None
    text = written(planned)
    again = replay(text, machine) if check or preview is not None else None
    measured = deviation(planned, again) if check and again is not None else None
    if preview is not None and again is not None:
        pixels = (sheet(again.lines, machine.body) * 255).round().to(torch.uint8)
        picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
        write_atomic(preview, lambda temporary: picture.save(temporary, format="PNG"))
    write_text(target, text)
    return Plotted(planned, target, drawing, measured)


def _target(path: Path, out: Path | None, machine: Machine) -> Path:
    name = path.stem + machine.output.suffix
    if out is None:
        return Path("out") / name
    return out / name if out.is_dir() or str(out).endswith("/") or not out.suffix else out


def read_drawing(path: Path, number: int = 0) -> Drawing:
    """A drawing of a file: SVG, strokes of lascaux (.safetensors), QuickDraw's ndjson, a run's plays (.jsonl).

    Args:
        path: the file.
        number: which of several, from 0; games of a run's plays are counted through its lines.

    Raises:
        InputError: it is missing, damaged, no drawing, or has fewer drawings.
    """
    if path.is_dir():
        raise InputError("this is a folder, not a drawing", path, f"give a file: {', '.join(READS)}")
    if not path.exists():
        raise InputError("no such file", path, "check the path")
    readers = {".svg": _of_svg, ".safetensors": _of_tensors, ".ndjson": _of_lines, ".jsonl": _of_lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(*_no_drawing(path))
    return reader(path, number)


def _no_drawing(path: Path) -> tuple[str, Path, str]:
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore")
            kind = picture.format
    except Exception:  # noqa: BLE001 (whatever pillow says of a file that is no picture)
        return "no kind of drawing that is known", path, f"give one of {', '.join(READS)}"
    return (
        f"this is a picture ({kind}), not a drawing",
        path,
        "a plotter needs strokes: `lascaux draw` makes them of a picture",
    )


def _only(number: int, path: Path) -> None:
    if number != 0:
        raise InputError(f"no drawing number {number}", path, "this file has one, number 0")


def _of_svg(path: Path, number: int) -> Drawing:
    _only(number, path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        strokes, (height, width) = from_svg(path)
    return Drawing(strokes, width / height, True, tuple(str(each.message) for each in said))


def _of_tensors(path: Path, number: int) -> Drawing:
    _only(number, path)
    if path.stat().st_size > LARGEST:
        raise InputError(f"more than {LARGEST:,} bytes of strokes", path, "give a smaller drawing")
    return Drawing(load_strokes(path).strokes, 1.0, False)


def _of_lines(path: Path, number: int) -> Drawing:
    """A run's plays have ``strokes`` in every line; QuickDraw's lines have ``drawing``."""
    try:
        with path.open("rb") as file:
            first = file.readline(LARGEST).strip()
        begun = json.loads(first) if first else {}
    except (ValueError, RecursionError):
        begun = {}
    if isinstance(begun, Mapping) and "strokes" in begun and "drawing" not in begun:
        return _of_plays(path, number)
    count = -1
    for count, each in enumerate(from_quickdraw(path)):
        if count == number:
            return Drawing(each.strokes, 1.0, False, (f"drawing {number}" + (f": {each.word}" if each.word else ""),))
    raise InputError(f"no drawing number {number}", path, f"it has {count + 1}, from number 0")


def _of_plays(path: Path, number: int) -> Drawing:
    try:
        return _play(path, number)
    except (UnicodeDecodeError, RecursionError):
        raise InputError("a line that is no JSON", path, "give a file that a run wrote") from None


def _play(path: Path, number: int) -> Drawing:
    passed = 0
    for line in lines(path):
        games = _games(line, path)
        if number < passed + games:
            try:
                strokes = strokes_of(one_of(line, number - passed))
                if strokes.batch_shape or strokes.points.shape[-1] != 2:
                    raise InputError("strokes that cannot be drawn", path, "give a file that a run wrote")
            except InputError as error:
                raise InputError(error.what, path, error.do) from None
            except (IndexError, TypeError, KeyError):
                raise InputError("strokes that cannot be drawn", path, "give a file that a run wrote") from None
            told = f"game {number}" + (f", step {line['step']}" if "step" in line else "")
            return Drawing(strokes, 1.0, False, (told,))
        passed += games
    raise InputError(f"no drawing number {number}", path, f"it has {passed}, from number 0")


def _games(line: Any, path: Path) -> int:
    games = line.get("strokes") if isinstance(line, Mapping) else None
    if not isinstance(games, list):
        raise InputError("a line without strokes", path, "give a file that a run wrote")
    return len(games)
