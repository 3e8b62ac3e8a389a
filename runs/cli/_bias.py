"""``lascaux check-bias``."""

from typing import Annotated

import typer


def check(
    bias: Annotated[str, typer.Argument(metavar="MODULE:NAME", help="Such as mybias:Upright, for mybias.py here.")],
) -> None:
    """Try a bias on small random plays: what a good one must pass. Exit code 1 if it does not."""
    from raster.errors import InputError
    from runs.plugins import import_plugins

    module, colon, name = bias.partition(":")
    if not (module and colon and name):
        raise InputError(f"{bias!r} does not name a bias", None, "say module:Name, such as mybias:Upright")
    import_plugins([module])
    import sys

    from agents.bias import Bias
    from agents.biases.check import check_bias
    from runs.loading import nearest

    kind = getattr(sys.modules[module], name, None)
    if not (isinstance(kind, type) and issubclass(kind, Bias)):
        classes = [(word, each) for word, each in vars(sys.modules[module]).items() if isinstance(each, type)]
        there = [word for word, each in classes if issubclass(each, Bias) and each is not Bias]
        hint = nearest(name, there) or (f"it has {', '.join(there)}" if there else "it has no subclass of agents.Bias")
        raise InputError(f"no bias {name!r} in this module", module, hint)
    results = check_bias(kind)
    for each in results:
        typer.echo(f"{'pass' if each.passed else 'FAIL'}  {each.name}: {each.seen}")
    if not all(each.passed for each in results):
        raise typer.Exit(1)
