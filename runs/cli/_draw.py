"""``lascaux draw``."""

from pathlib import Path
from typing import Annotated

import typer

from runs.cli._options import Device, Plugins, Sets


def draw(
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="Picture files of any size and mode.")],
    sets: Sets,
    plugin: Plugins,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="One of those that `lascaux presets` lists as draw....")
    ] = "draw",
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="A config file instead of a preset (it may say base: draw)."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder; out/NAME/PICTURE when left out.")] = None,
    watch: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="A picture that is rewritten as the drawings get better.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the drawing in that folder.")] = False,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Drawings of each picture; the best is kept.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="The same as --set seed=N.")] = None,
    as_seen_by: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK,...",
            help="Draw once for each network, side by side: NAME[@WEIGHTS][:LEVEL+...], such as vgg16,packaged:2.",
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Draw pictures by optimisation: strokes find their places. Writes a folder with SVG, PNG, films and a page."""
    from runs.plugins import import_plugins

    import_plugins(plugin)  # first: the config knows the biases that are registered when it is imported
    import runs.draw as drawing
    from runs.loading import load

    given = [*sets]
    given += [] if seeds is None else [f"seeds={seeds}"]
    given += [] if seed is None else [f"seed={seed}"]
    made = load(drawing.DrawConfig, config if config is not None else preset, given).config
    common = {"out": out, "resume": resume, "watch": watch, "device": device, "plugins": tuple(plugin)}
    if as_seen_by is None:
        typer.echo(f"{drawing.draw(made, pictures, **common).folder}")  # type: ignore[arg-type]
        return
    eyes = [drawing.Eye.of(word) for word in as_seen_by.split(",")]
    typer.echo(f"{drawing.as_seen_by(made, pictures, eyes, **common)}")  # type: ignore[arg-type]
