"""``lascaux study``: export a study, simulate participants; what comes back is scored (``_answers``)."""

from pathlib import Path
from typing import Annotated

import typer

from runs.cli import _answers
from runs.cli._options import DataRoot, Plugins

app = typer.Typer(help="Put the drawings before people, and read their answers.", no_args_is_help=True)


@app.command("export")
def export(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, such as out/tiny.")],
    plugin: Plugins,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the study; it must not hold anything.")],
    design: Annotated[
        Path | None, typer.Option(metavar="DESIGN.yaml", help="What is asked, in full; instead of the options below.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Drawings that one participant sees; 30 when left out.")
    ] = None,
    game: Annotated[
        str | None, typer.Option(metavar="same|class|artist", help="Which game; the run's own when left out.")
    ] = None,
    choices: Annotated[
        int | None, typer.Option(min=2, help="Candidates of a question; all that the receiver saw when left out.")
    ] = None,
    lists: Annotated[
        int | None, typer.Option(min=1, help="Different lists of questions; one for each run when left out.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides which drawings, and their order; 0 when left out.")] = None,
    shown: Annotated[
        str | None,
        typer.Option(metavar="raster|vector", help="What people see: the receiver's canvas, or clean lines."),
    ] = None,
    consent: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A text file: what participants agree to.")
    ] = None,
    offline: Annotated[
        bool | None,
        typer.Option("--offline/--online", help="Insist on a folder that needs no network, or on the CDN."),
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Make a folder that puts the drawings of runs before people; without a design, they pick the target's picture."""
    from runs.plugins import import_plugins

    import_plugins(plugin)
    from runs.study import export as make

    given = {
        "trials": trials,
        "game": game,
        "choices": choices,
        "lists": lists,
        "seed": seed,
        "shown": shown,
        "consent": consent,
    }
    short = {key: value for key, value in given.items() if value is not None}
    made = make(folders, out, design=design, offline=offline, data_root=data_root, **short)
    what = ", ".join(dict.fromkeys(made.kinds))
    candidates = f" of {made.choices} candidates" if made.kinds == ("pick",) else ""
    of = f"{made.lists} list(s)"
    typer.echo(f"{made.path / 'index.html'}: {made.trials} trials{candidates}, {of}: {what}; game {made.game!r}")
    typer.echo(f"{made.key}: the answer key; never upload it")
    if made.jzip is not None:
        typer.echo(f"{made.jzip}: the study for a JATOS server")
    typer.echo(made.note)
    if made.unlike:
        typer.echo(f"for {made.unlike} target(s) the runs' receivers saw other candidates, and so will people")
    if made.placeholder:
        typer.echo("the consent text is a placeholder: write your own (--consent FILE) before people take part")


app.command("score")(_answers.score)
app.command("serve")(_answers.serve)
