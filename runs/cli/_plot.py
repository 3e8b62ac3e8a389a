"""``lascaux plot``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runs.cli._options import Sets

if TYPE_CHECKING:
    from runs.plot import Plotted


def plot(
    drawing: Annotated[
        Path,
        typer.Argument(metavar="DRAWING", help="An .svg, strokes (.safetensors), .ndjson, or a run's plays/*.jsonl."),
    ],
    sets: Sets,
    machine: Annotated[
        str, typer.Option(metavar="a4-axidraw|hpgl|gcode|FILE.yaml", help="Who draws it, and on what page.")
    ] = "a4-axidraw",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE|DIR", help="Where to write; out/NAME when left out.")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Also a picture of the sheet, drawn from the file as written.")
    ] = None,
    number: Annotated[int, typer.Option(min=0, help="Which drawing of a file with several, from 0.")] = 0,
    check: Annotated[bool, typer.Option("--check", help="Replay the file and measure it against the plan.")] = False,
) -> None:
    """Make of a drawing what a pen plotter reads: lines sorted, the way through the air short, a layer a pen."""
    from runs.plot import machine_of
    from runs.plot import plot as make

    done = make(drawing, machine_of(machine, sets), out, number=number, preview=preview, check=check)
    _show(done)
    for each in (done.path, preview):
        if each is not None:
            typer.echo(each)
    if done.checked is not None and not done.checked.widths <= 0.5:
        raise typer.Exit(1)


def _show(done: "Plotted") -> None:
    from rich.console import Console
    from rich.table import Table

    report = done.plan.report
    for note in done.drawing.notes:
        typer.echo(note)
    for why, count in report.left_out.items():
        typer.echo(f"{count} {'stroke' if count == 1 else 'strokes'} left out: {why}")
    if report.cut > 0.05:
        typer.echo(f"{report.cut:.1f} mm of line cut off: out of reach or off the canvas")
    table = Table()
    columns = ("", "lines", "pens", "ink, m", "travel, m", "minutes")
    for name in columns:
        table.add_column(name, justify="right" if name else "left")
    drawn = report.strokes - sum(report.left_out.values())
    rows = (
        ("as drawn", drawn, report.travel_drawn, report.seconds_drawn),
        ("as planned", report.lines, report.travel, report.seconds),
    )
    for name, count, travel, seconds in rows:
        table.add_row(
            name,
            str(count),
            str(report.pens),
            f"{report.ink / 1000:.2f}",
            f"{travel / 1000:.2f}",
            f"{seconds / 60:.1f}",
        )
    Console().print(table)
    if report.travel_drawn > 0:
        typer.echo(f"travel: {100 * report.travel / report.travel_drawn:.0f} % of the drawing's own order")
    if done.checked is not None:
        checked = done.checked
        told = f"replayed: at most {checked.mm:.3f} mm off the plan, {checked.widths:.2f} of the pen's width"
        typer.echo(f"{told}; {checked.outside:.3f} mm beyond reach, {checked.off_page:.3f} mm off the page")
