"""``lascaux corpus``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from runs.cli._options import Plugins, RunFolder


def corpus(
    folder: RunFolder,
    plugin: Plugins,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to; an empty folder, or one that is not there.")],
    split: Annotated[Literal["train", "validation", "test"], typer.Option(help="Whose drawings.")] = "test",
    tokens: Annotated[
        Literal["strokes", "places"], typer.Option(help="What a word is: a kind of stroke, or a place on the canvas.")
    ] = "strokes",
    vocabulary: Annotated[
        int, typer.Option(metavar="N", help="Kinds of strokes, or places (a square number).", min=2, max=65536)
    ] = 64,
) -> None:
    """Write a run's drawings for other tools: QuickDraw's lines, and utterances of whole numbers with metadata."""
    from runs.plugins import import_plugins

    import_plugins(plugin)
    from runs.corpus import export_corpus

    said = export_corpus(folder, out, split, tokens, vocabulary)["analysis"]
    typer.echo(
        f"{out}: {said['utterances']} drawings, {said['tokens']} tokens, {said['tokens_used']} different, "
        f"{said['unigram_entropy_bits']:.2f} bits a token"
    )
