"""``lascaux meet``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from runs.cli._options import Device, Plugins


def meet(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Folders of runs that never met.")],
    plugin: Plugins,
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder for the matrix and the page.")] = Path(
        "out/meet"
    ),
    split: Annotated[str, typer.Option(metavar="NAME", help="Which pictures: test, validation, ...")] = "test",
    pools: Annotated[int, typer.Option(min=1, help="Rounds; a pair plays a game for each candidate in each.")] = 16,
    judge: Annotated[bool, typer.Option("--judge/--no-judge", help="Compare drawings and pictures, too.")] = True,
    newcomers: Annotated[int, typer.Option(min=0, help="Of each side and run, who learn among the natives.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Steps that a newcomer learns.")] = 200,
    device: Device = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Let strangers meet: every sender with every receiver, within and across runs, with controls and intervals."""
    from runs.plugins import import_plugins

    import_plugins(plugin)
    from runs.meeting import meet as carry_out
    from runs.meeting.report import rows

    done = carry_out(folders, out, split, pools, judge, newcomers, steps, device)
    if as_json:
        typer.echo(json.dumps(done.findings, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    told = done.findings
    table = Table(title=Text(f"{len(told['communities'])} communities, {told['n']} games a pair, game {told['game']}"))
    for column in ("", "within", "across"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("chance", *2 * [f"{100 * told['chance']:.1f}"])
    for row in rows(told):
        table.add_row(*map(Text, row))
    Console().print(table)
    if told["few"]:
        typer.echo("few communities: 95 % intervals resample them, and are rough, or cannot be had of fewer than three")
    typer.echo(f"{out / 'report.html'}")
