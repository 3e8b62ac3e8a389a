"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    str, typer.Argument(metavar="PRESET|FILE.yaml", help="A preset (see `lascaux presets`) or a config file.")
]
Sets = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        default_factory=list,
        show_default=False,
        help="Change a key, such as train.steps=100 or biases.0.weight=2. May be repeated.",
    ),
]
Plugins = Annotated[
    list[str],
    typer.Option(
        "--plugin",
        metavar="MODULE",
        default_factory=list,
        show_default=False,
        help="Import a module first, for the biases in it. May be repeated.",
    ),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, such as out/tiny.")]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda[:N]|mps", help="Where to compute.")]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", metavar="DIR", help="Where torchvision's data sets lie, or are put.")
]
