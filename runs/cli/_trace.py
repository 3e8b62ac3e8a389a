"""``lascaux trace``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runs.cli._options import Device, Plugins, RunFolder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runs.run import Run

SAMPLE = 8
"""Test pictures on a sheet for which none are given."""


def trace(
    folder: RunFolder,
    plugin: Plugins,
    pictures: Annotated[
        list[Path] | None, typer.Argument(metavar="[PICTURES]...", help="Picture files, or folders of them.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where NAME.svg and NAME.ndjson go; RUN/traces when left out.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Write pictures and traces side by side on one sheet.")
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(metavar="RUN", help="One more run whose traces stand on the sheet. May be repeated."),
    ] = None,
    device: Device = "cpu",
) -> None:
    """Turn pictures into strokes with a trained tracing run, in one pass: an SVG and an ndjson file for each.

    With --sheet and no pictures, the sheet shows test pictures of the run.
    """
    from runs.plugins import import_plugins

    import_plugins(plugin)
    from raster.errors import InputError
    from runs.tracing import sheet as write_sheet
    from runs.tracing import trace_files
    from runs.tracing.files import files_of, read_all

    given = list(pictures or [])
    if not given and sheet is None:
        raise InputError("no pictures to trace", "lascaux trace", "name files or folders, or say --sheet FILE.png")
    if beside and sheet is None:
        raise InputError("--beside says what else stands on a sheet", "lascaux trace", "say --sheet FILE.png too")
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise InputError("a sheet is a PNG picture", sheet, "give a name that ends in .png")
    run = _opened(folder, device)
    others = [_opened(each, device) for each in beside or []]
    problems: list[InputError] = []
    if given:
        done, problems = trace_files(run, given, out or folder / "traces")
        for each in done:
            typer.echo(f"{each.svg}")
    if sheet is not None:
        shown = [pixels for _, pixels in read_all(run, files_of(given))[0]] if given else _test_pictures(run)
        if shown:
            typer.echo(f"{write_sheet([run, *others], shown, sheet)}")
    if problems:
        raise InputError("\n".join(map(str, problems)))


def _opened(folder: Path, device: str) -> "Run":
    from raster.errors import InputError
    from runs.config import Config
    from runs.folder import Folder
    from runs.loading import load as load_config
    from runs.start import load

    config = load_config(Config, Folder.of_run(folder).config, []).config  # before its pictures are loaded
    if config.game.chooses or config.game.describes:
        what = f"a run of the game {config.game.kind} draws to be understood, not to trace"
        raise InputError(what, folder, "give a run of kind tracing (lascaux run tracing/lines)")
    return load(folder, device)


def _test_pictures(run: "Run") -> "list[NDArray[np.uint8]]":
    """The first test pictures that a run is measured on, uint8 [S, S, 3] each."""
    from runs.tracing import trace_split

    chosen = trace_split(run, "test").index[:SAMPLE]
    return list(run.gallery.pixels[chosen.to(run.gallery.device)].permute(0, 2, 3, 1).cpu().numpy())
