"""``lascaux study score`` and ``lascaux study serve``: what comes back from people."""

from pathlib import Path
from typing import Annotated

import typer

Study = Annotated[Path, typer.Argument(metavar="DIR", help="The folder that `study export` wrote.")]


def score(
    study: Study,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES...", help="What participants' pages saved; JATOS's zip; folders.")
    ],
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The answer key; DIR-key.csv when left out.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to write; DIR-scores when left out.")] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="Score simulated runs, and only those.")] = False,
    synonyms: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Other names of classes, a YAML file: cat: [kitty, puss].")
    ] = None,
    coded: Annotated[
        Path | None, typer.Option(metavar="FILE", help="names.csv, filled in; that in DIR-scores is read in any case.")
    ] = None,
    stand_ins: Annotated[
        list[Path] | None,
        typer.Option(
            "--stand-ins", metavar="FILE", help="CSV of drawings' scores by stand-ins for people; repeatable."
        ),
    ] = None,
) -> None:
    """Print people's rates beside the agents', with intervals, and write tables and report.html."""
    from runs.study import score as count

    count(study, files, key, out=out, simulated=simulated, synonyms=synonyms, coded=coded, stand_ins=stand_ins or ())


def serve(
    study: Study,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the answers go; DIR-answers when left out.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen at. 127.0.0.1 is this machine alone; 0.0.0.0 is everyone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8000,
) -> None:
    """Give the study out to a laboratory's machines, and write one file of answers a participant."""
    from runs.study.serving import StudyServer

    with StudyServer(study, out, host=host, port=port, told=typer.echo) as server:
        typer.echo(f"{server.url} (answers: {server.answers}; Ctrl-C ends it)")
        if not server.local:
            typer.echo("everyone who can reach this address can answer, and nothing is encrypted on the way")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo(f"\nended; {len(list(server.answers.glob('answers-*.json')))} file(s) in {server.answers}")
