"""``lascaux presets`` and ``lascaux config``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from runs.cli._models import model_named, model_of
from runs.cli._options import Plugins, Sets, Source

app = typer.Typer(help="Show what a config says, and what it may say.", no_args_is_help=True)


def presets() -> None:
    """List the configs that ship with lascaux."""
    from runs.loading import find_preset, preset_names

    names = preset_names()
    width = max((len(name) for name in names), default=0)
    for name in names:
        first = find_preset(name).read_text(encoding="utf-8").split("\n")[0]
        about = first.lstrip("# ") if first.startswith("#") else ""
        typer.echo(f"{name:<{width}}  {about}".rstrip())


@app.command("show")
def show(
    source: Source,
    sets: Sets,
    plugin: Plugins,
    where: Annotated[bool, typer.Option("--where", help="Say beside each value where it comes from.")] = False,
) -> None:
    """Print the whole config, with what it is based on, --set and every default, after checking it."""
    from runs.plugins import import_plugins

    import_plugins(plugin)
    from runs.loading import dump, load

    loaded = load(model_of(source), source, sets)
    typer.echo(dump(loaded.config, loaded if where else None), nl=False)


@app.command("schema")
def schema(
    plugin: Plugins,
    draw: Annotated[bool, typer.Option("--draw", help="Of `lascaux draw` instead of a run.")] = False,
    of_sets: Annotated[bool, typer.Option("--sets", help="Of `lascaux run sets/...` instead of a run.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of docs/config.md instead.")] = False,
    update: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table between the marks of this page.")
    ] = None,
) -> None:
    """Print the JSON schema of a config: every key, its type and default. Editors read it."""
    from runs.plugins import import_plugins

    import_plugins(plugin)
    found = model_named("draw" if draw else "sets" if of_sets else "run").model_json_schema()
    if update is not None:
        from runs.cli._reference import refreshed

        update.write_text(refreshed(update.read_text(encoding="utf-8"), found, str(update)), encoding="utf-8")
    elif markdown:
        from runs.cli._reference import reference

        typer.echo(reference(found), nl=False)
    else:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
