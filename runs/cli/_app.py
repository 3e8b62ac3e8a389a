"""The command line's frame: global options, one way out for errors."""

import shlex
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from runs.cli import (
    _bias,
    _config,
    _corpus,
    _draw,
    _meet,
    _pictures,
    _plot,
    _runs,
    _scenes,
    _study,
    _sweep,
    _trace,
)
from runs.cli._errors import ranks, told

_DEBUG = "--debug"


class _Lascaux(TyperGroup):
    """All commands, with every error told in a line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # --debug may stand anywhere: it is typed after something went wrong, at the end of the line.
        ctx.obj = list(args)
        if _DEBUG in args:
            args = [_DEBUG, *(each for each in args if each != _DEBUG)]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if ranks() > 1 and name != "run":
            from raster.errors import InputError

            raise InputError(f"`{name}` is done by one process", "torchrun", "leave torchrun out")
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        def go_on() -> str:
            words = list(ctx.obj)
            if ranks() > 1:
                return "go on with: the same torchrun command and --resume"
            if ctx.invoked_subcommand == "sweep":
                return f"what is missing goes on with: {shlex.join(['lascaux', *words])}"
            if ctx.invoked_subcommand not in ("run", "draw"):
                return ""
            return f"go on with: {shlex.join(['lascaux', *words, *([] if '--resume' in words else ['--resume'])])}"

        with told(bool(ctx.params.get("debug")), go_on):
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Lascaux,
    name="lascaux",
    help="Agents learn to talk by drawing. Start with: [bold]lascaux run tiny[/bold]",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(asked: bool) -> bool:
    if asked:
        try:
            typer.echo(f"lascaux {metadata.version('lascaux')}")
        except metadata.PackageNotFoundError:
            typer.echo("lascaux, not installed (run from its folder)")
        raise typer.Exit
    return asked  # typer hands this on


@app.callback()
def _everywhere(
    debug: Annotated[
        bool, typer.Option(_DEBUG, envvar="LASCAUX_DEBUG", help="Show the traceback of an error. May stand anywhere.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Hold the global options; `_Lascaux.invoke` reads --debug."""


app.command("run")(_runs.run)
app.command("draw")(_draw.draw)
app.command("sweep")(_sweep.sweep)
app.command("report")(_runs.report)
app.command("probe")(_runs.probe)
app.command("corpus")(_corpus.corpus)
app.command("meet")(_meet.meet)
app.command("trace")(_trace.trace)
app.add_typer(_study.app, name="study")
app.command("presets")(_config.presets)
app.add_typer(_config.app, name="config")
app.command("pictures")(_pictures.pictures)
app.add_typer(_scenes.app, name="scenes")
app.command("plot")(_plot.plot)
app.command("check-bias")(_bias.check)
