"""``lascaux scenes make`` and ``lascaux scenes show``."""

from pathlib import Path
from typing import Annotated

import typer

from runs.cli._options import Sets

app = typer.Typer(help="Scenes of objects in CLEVR's own folder layout: made up, or looked at.", no_args_is_help=True)


@app.command("make")
def make(
    sets: Sets,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    train: Annotated[int, typer.Option(min=0, help="Scenes to learn from.")] = 1000,
    val: Annotated[int, typer.Option(min=0, help="Scenes to choose by.")] = 100,
    test: Annotated[int, typer.Option(min=0, help="Scenes for the last figures.")] = 100,
    size: Annotated[
        str, typer.Option(metavar="N|WIDTHxHEIGHT", help="Pixels; the view is 3:2 (CLEVR's 480x320) whatever they are.")
    ] = "64",
    samples: Annotated[int, typer.Option(min=1, max=16, help="Rays a pixel along each side.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same bytes.")] = 0,
    masks: Annotated[bool, typer.Option("--masks/--no-masks", help="Also write whose each pixel is.")] = True,
) -> None:
    """Make scenes up by CLEVR's rules and render them. Keys for --set: least, most, gap, margin, visible, ..."""
    from rich.console import Console
    from rich.progress import Progress

    from games.scenes import WorldConfig, write_scenes
    from runs.loading import load

    width, height = _size(size)
    config = load(WorldConfig, None, sets).config
    counts = {split: count for split, count in (("train", train), ("val", val), ("test", test)) if count}
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scenes", total=sum(counts.values()))
        write_scenes(
            folder,
            counts,
            config,
            width=width,
            height=height,
            samples=samples,
            seed=seed,
            masks=masks,
            progress=lambda: bar.advance(task),
        )
    said = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    typer.echo(f"{folder}: {said} scenes of {config.least} to {config.most} objects, {width}x{height} pixels")


@app.command("show")
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="CLEVR_v1.0, or what `lascaux scenes make` made.")],
    split: Annotated[str, typer.Option(metavar="train|val|test", help="Which part.")] = "train",
    count: Annotated[int, typer.Option(min=1, max=400, help="How many scenes.")] = 16,
    out: Annotated[Path, typer.Option(metavar="FILE.png", help="The sheet to write.")] = Path("scenes.png"),
    boxes: Annotated[bool, typer.Option("--boxes", help="Draw the boxes of the objects.")] = False,
) -> None:
    """Lay the first scenes of a folder side by side, and say what is in it."""
    from games.scenes import read_scenes
    from runs.scenes import sheet

    found = read_scenes(folder, split)
    sheet(found, count, boxes, out)
    objects = [len(each.things) for each in found.scenes]
    between = f"{min(objects)} to {max(objects)} objects" if objects else "no objects"
    typer.echo(f"{folder}: {len(found):,} {split} scenes of {between}, {found.width}x{found.height} pixels")
    typer.echo(f"{out}: the first {min(count, len(found))}")


def _size(text: str) -> tuple[int, int]:
    from raster.errors import InputError

    try:
        sides = [int(each) for each in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) not in {1, 2} or not all(8 <= side <= 4096 for side in sides):
        raise InputError(f"{text!r} is no size", "--size", "say 64 or 480x320; sides are 8 to 4096 pixels")
    return sides[0], sides[-1]
