"""``lascaux study``: export a study; what comes back is scored (``_answers``)."""

from pathlib import Path
from typing import Annotated

import typer

from runs.cli import _answers
from runs.cli._options import DataRoot, Plugins, RunFolder

app = typer.Typer(help="Put the drawings before people, and read their answers.", no_args_is_help=True)


@app.command("export")
def export(
    folder: RunFolder,
    plugin: Plugins,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the study; it must not hold anything.")],
    trials: Annotated[int, typer.Option(min=1, help="Drawings that one participant sees.")] = 30,
    game: Annotated[
        str | None, typer.Option(metavar="same|class|artist", help="Which game; the run's own when left out.")
    ] = None,
    choices: Annotated[
        int | None, typer.Option(min=2, help="Candidates of a question; all that the receiver saw when left out.")
    ] = None,
    lists: Annotated[int, typer.Option(min=1, help="Different sets of drawings; each participant gets one.")] = 1,
    seed: Annotated[int, typer.Option(help="Decides which drawings, and their order.")] = 0,
    shown: Annotated[
        str, typer.Option(metavar="raster|vector", help="What people see: the receiver's canvas, or clean lines.")
    ] = "raster",
    consent: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A text file: what participants agree to.")
    ] = None,
    offline: Annotated[
        bool | None,
        typer.Option("--offline/--online", help="Insist on a folder that needs no network, or on the CDN."),
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Make a folder that asks people to pick the target among the receiver's own candidates."""
    from runs.plugins import import_plugins

    import_plugins(plugin)
    from runs.study import export as make

    made = make(
        folder,
        out,
        trials=trials,
        game=game,
        choices=choices,
        lists=lists,
        seed=seed,
        shown=shown,
        consent=consent,
        offline=offline,
        data_root=data_root,
    )
    typer.echo(f"{made.path / 'index.html'}: {made.trials} trials of {made.choices} candidates, game {made.game!r}")
    typer.echo(f"{made.key}: the answer key; never upload it")
    typer.echo(made.note)
    if made.placeholder:
        typer.echo("the consent text is a placeholder: write your own (--consent FILE) before people take part")


app.command("score")(_answers.score)
app.command("serve")(_answers.serve)
