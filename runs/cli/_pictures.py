"""``lascaux pictures``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runs.cli._options import DataRoot, Plugins, Sets

if TYPE_CHECKING:
    from games.pictures import PicturesConfig


def pictures(
    sets: Sets,
    plugin: Plugins,
    source: Annotated[
        str | None,
        typer.Argument(metavar="[PRESET|FILE.yaml|KIND]", help="Whose pictures; all kinds are listed when left out."),
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Say where pictures come from, how many there are, and under which licences. Fetches them if need be."""
    from runs.plugins import import_plugins

    import_plugins(plugin)
    kinds = _kinds()
    if source is None:
        width = max(len(kind) for kind in kinds)
        for kind, about in kinds.items():
            typer.echo(f"{kind:<{width}}  {about}")
        return
    import torch

    from games.pictures import describe, load_gallery
    from perception import Trunks

    device = torch.device("cpu")
    gallery = load_gallery(_config(source, sets, kinds), Trunks(device), None, device, data_root)
    for line in describe(gallery):
        typer.echo(line)


def _kinds() -> dict[str, str]:
    """Every kind of pictures, with the first line about it."""
    from pydantic import TypeAdapter

    from games.pictures import PicturesConfig
    from runs._schema import Schema, kinds_of

    schema = Schema(TypeAdapter(PicturesConfig).json_schema())
    return {
        kind: " ".join(each.get("description", "").split("\n\n")[0].split())
        for each in schema.choices(schema.root)
        for kind in kinds_of(each)
    }


def _config(source: str, sets: list[str], kinds: dict[str, str]) -> "PicturesConfig":
    from pydantic import create_model

    from games.pictures import PicturesConfig
    from raster.errors import InputError
    from runs.config import Config
    from runs.loading import load, nearest, preset_names

    if source in kinds:
        only = create_model("Only", __config__={"extra": "forbid"}, pictures=(PicturesConfig, ...))
        return load(only, None, [f"pictures.kind={source}", *sets]).config.pictures  # type: ignore[attr-defined]
    is_path = source.endswith((".yaml", ".yml"))
    if not is_path and source not in preset_names():
        hint = nearest(source, [*kinds, *preset_names()]) or f"kinds are {', '.join(kinds)}"
        raise InputError(f"{source!r} is neither a preset nor a kind of pictures", None, hint)
    return load(Config, Path(source) if is_path else source, sets).config.pictures
