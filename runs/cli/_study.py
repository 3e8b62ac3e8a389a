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


@app.command("simulate")
def simulate(
    study: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that `study export` wrote.")],
    plugin: Plugins,
    who: Annotated[
        str,
        typer.Option(
            "--with", metavar="RUN|judge|packaged|clip", help="Whose receiver answers; or a network that no run has."
        ),
    ],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to; DIR-simulated when left out.")] = None,
    sittings: Annotated[int | None, typer.Option(min=1, help="How many; one of each list when left out.")] = None,
    temperature: Annotated[
        float, typer.Option(min=0, help="0 takes the best choice, 1 draws by its probabilities.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of choices that are drawn.")] = 0,
    sender: Annotated[int, typer.Option(min=0, help="Which sender of the run draws.")] = 0,
    receiver: Annotated[int, typer.Option(min=0, help="Which receiver of the run answers.")] = 0,
    words: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For clip: a text file, a word a line, to name things with.")
    ] = None,
) -> None:
    """Let an agent sit a study, through the page and in a browser, and keep what the page saves."""
    from runs.plugins import import_plugins

    import_plugins(plugin)
    from runs.study.eyes import eye_of
    from runs.study.results import read_study
    from runs.study.simulating import simulate as sit
    from runs.study.stand_ins import drawings_of

    eye = eye_of(who, sender, receiver, words, drawings_of(read_study(study), study))
    made = sit(study, eye, out=out, temperature=temperature, sittings=sittings, seed=seed)
    typer.echo(f"{len(made.files)} simulated sitting(s) in {made.folder}")
    typer.echo(f"score them: lascaux study score {study} {made.folder}/*.json --simulated")


@app.command("stand-ins")
def stand_ins(
    study: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that `study export` wrote.")],
    plugin: Plugins,
    who: Annotated[list[str], typer.Option("--with", metavar="RUN|judge|packaged|clip", help="Who looks; repeatable.")],
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The answer key; DIR-key.csv when left out.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV; DIR-stand-ins.csv, which score reads, when left out.")
    ] = None,
) -> None:
    """Write how readable networks find each drawing, for `study score` to hold against people."""
    from runs.plugins import import_plugins

    import_plugins(plugin)
    from runs.study.stand_ins import stand_in_scores

    path = stand_in_scores(study, who, out=out, key=key)
    told = "" if out is None else f" --stand-ins {path}"
    typer.echo(f"{path}: {len(who)} stand-in(s)")
    typer.echo(f"hold them against people: lascaux study score {study} FILES...{told}")


app.command("score")(_answers.score)
app.command("serve")(_answers.serve)
