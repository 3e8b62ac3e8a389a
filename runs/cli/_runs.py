"""``lascaux run``, ``report`` and ``probe``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from runs.cli._options import DataRoot, Device, Plugins, RunFolder, Sets, Source


def run(
    source: Source,
    sets: Sets,
    plugin: Plugins,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run's own folder; out/NAME when left out.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")] = False,
    device: Device = "auto",
    seed: Annotated[int | None, typer.Option(metavar="N", help="The same as --set seed=N.")] = None,
    data_root: DataRoot = None,
) -> None:
    """Train agents, or a predictor of sets, measure them, and write a folder with a report."""
    from runs.plugins import import_plugins

    import_plugins(plugin)  # first: the config knows the biases that are registered when it is imported
    from runs.ranks import joined

    with joined(device) as world:  # before the config is read: what is wrong with it is then told once
        folder = _run(source, sets, plugin, out, resume, device, seed, data_root, alone=world is None)
        if world is None or world.first:
            typer.echo(f"{folder}")


def _run(
    source: str,
    sets: list[str],
    plugin: list[str],
    out: Path | None,
    resume: bool,
    device: str,
    seed: int | None,
    data_root: Path | None,
    alone: bool,
) -> object:
    """Run whatever a preset or a file describes; its folder."""
    import runs
    from raster.errors import InputError
    from runs.config import Config
    from runs.loading import load, preset_names, says

    if source.split("/")[0] == "draw" and source in preset_names():
        raise InputError(f"the preset {source} is for single pictures", None, f"lascaux draw PICTURE --preset {source}")
    chosen = [*sets, *([] if seed is None else [f"seed={seed}"])]
    if says(source, "task"):
        from runs import sets as predicting

        if not alone:
            raise InputError("sets are predicted in one process", source, "leave torchrun out")
        wanted = load(predicting.SetsConfig, source, chosen).config
        return predicting.launch(wanted, out=out, resume=resume, device=device, data_root=data_root).folder
    config = load(Config, source, chosen).config
    return runs.launch(config, out=out, resume=resume, device=device, data_root=data_root, plugins=tuple(plugin)).folder


def report(folder: RunFolder, plugin: Plugins) -> None:
    """Write a run's report.html again."""
    from runs.plugins import import_plugins

    import_plugins(plugin)
    if _predicts_sets(folder):
        from runs import sets as predicting

        typer.echo(f"{predicting.write_report(folder)}")
        return
    from runs.report import write_report

    typer.echo(f"{write_report(folder)}")


def _predicts_sets(folder: Path) -> bool:
    """Whether the run in a folder is one of `lascaux run sets/...`."""
    from runs.folder import Folder
    from runs.loading import says

    return says(Folder.of_run(folder).config, "task")


def probe(
    folder: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, such as out/tiny.")],
    plugin: Plugins,
    names: Annotated[
        str | None, typer.Option(metavar="A,B", help="Which probes; those of the runs' configs when left out.")
    ] = None,
    device: Device = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    page: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write a page: a figure a probe.")
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option("--word-vectors", metavar="FILE", help="What names mean, for semanticity.")
    ] = None,
    elsewhere: Annotated[
        str | None, typer.Option(metavar="DIR|KIND", help="Other pictures to take agents to, for generalisation.")
    ] = None,
) -> None:
    """Ask what the drawings of runs are: every probe with its controls and interval, runs side by side."""
    from runs.plugins import import_plugins

    import_plugins(plugin)
    from runs.cli._probing import chosen, show, show_many

    wanted = None if names is None else chosen(names)  # refused before the pictures are loaded
    from raster.errors import InputError
    from runs import probing

    if page is not None and (page.is_dir() or page.suffix.lower() not in {".html", ".htm"}):
        raise InputError("this is no name of a page", f"--report {page}", "say a file that ends in .html")
    runs = probing.folders(folder)
    for each in runs:
        if _predicts_sets(each.path):
            do = "its figures stand in summary.json and report.html"
            raise InputError("this run predicts sets: it has no drawings to probe", each, do)
    asked = probing.names_of(runs) if wanted is None else wanted
    if elsewhere is not None:
        probing.pictures_named(elsewhere)  # refused before anything is loaded
    alone = len(runs) == 1
    found = [probing.open_and_probe(each, asked, device, vectors, alone, elsewhere) for each in runs]
    together = probing.pooled(found)
    if page is not None:
        from runs.report.probes import write_probes_page

        write_probes_page(page, found, together)
    if as_json:
        typer.echo(json.dumps(probing.as_data(found, together), indent=2, ensure_ascii=False))
    elif len(found) == 1:
        show(found[0].found)
    else:
        show_many(found, together)
    if page is not None and not as_json:
        typer.echo(f"{page}")
