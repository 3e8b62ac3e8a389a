"""``lascaux sweep``."""

from pathlib import Path
from typing import Annotated

import typer

from runs.cli._options import DataRoot, Device, Plugins


def sweep(
    source: Annotated[Path, typer.Argument(metavar="SWEEP.yaml", help="What is varied (docs/sweeps.md).")],
    plugin: Plugins,
    local: Annotated[int, typer.Option("--local", metavar="N", min=1, help="Runs at once on this machine.")] = 1,
    slurm: Annotated[bool, typer.Option("--slurm", help="Hand the runs to a Slurm cluster instead.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The sweep's own folder; out/NAME when left out.")
    ] = None,
    device: Device = "auto",
    data_root: DataRoot = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and their states; start none.")] = False,
) -> None:
    """Run many configs with many seeds; what is finished is not run again. One table and one page at the end."""
    from runs.plugins import import_plugins

    import_plugins(plugin)  # first: the config knows the biases that are registered when it is imported
    from rich.console import Console
    from rich.table import Table

    from runs.folder import kept_apart
    from runs.sweep import plan_of, write_table
    from runs.sweep import sweep as begin
    from runs.sweep.table import HEADLINE, columns_of, shown

    config, folder, points = plan_of(source, out)
    if dry_run:
        for each in points:
            typer.echo(f"{each.state:12} {each.path}")
        return
    failed: dict[Path, str] = {}
    with kept_apart(folder / ".lock", "this sweep"):
        try:
            failed |= begin(
                points, folder, at_once=local, slurm=config.slurm if slurm else None, device=device, plugins=plugin,
                data_root=data_root, say=typer.echo,
            )  # fmt: skip
        finally:
            cells = write_table(folder, config.name, points, failed)
    table = Table(title=config.name)
    known = columns_of(cells)  # the page has them all
    columns = [key for key in HEADLINE if key in known] or known[: len(HEADLINE)]
    for column in ("", *columns, "n"):
        table.add_column(column.replace("_", " "), justify="right" if column else "left", overflow="fold")
    for cell in cells:
        done = sum(state == "finished" for state in cell.states.values())
        table.add_row(cell.name, *(shown(cell.means.get(key)) for key in columns), f"{done} of {len(cell.states)}")
    Console(stderr=True).print(table)
    typer.echo(f"{folder / 'sweep.html'}")
    if failed:
        typer.echo(f"{len(failed)} of {len(points)} runs failed; the same command runs them again", err=True)
        raise typer.Exit(2)
