"""What a meeting leaves to look at: the swap matrix as a picture, and a page."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from raster import in_sight, to_svg
from runs.folder import write_atomic, write_text
from runs.meeting.people import Party
from runs.meeting.swap import Drawn, Swap
from runs.report._pages import page
from runs.report.figures import as_data_uri, as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES, PARTIES = 12, 8
"""Rows and columns of the gallery, at most."""


def rows(findings: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The findings as lines of a table: what it is, within communities, across them."""
    none = {"value": None, "low": None, "high": None, "n": 0}
    found = [("drawings, read by", estimate(findings["within"]), estimate(findings["zmi"]))]
    if findings["within_unmet"]["value"] is not None:
        found.append(("... by those who never meet", estimate(findings["within_unmet"]), estimate(none)))
    found += [
        (f"{name} control", estimate(each["within"]), estimate(each["zmi"]))
        for name, each in findings["controls"].items()
    ]
    found += [
        (f"all receivers vote ({name})", estimate(each["within"]), estimate(each["zmi"]))
        for name, each in findings["votes"].items()
    ]
    found.append(("relative intelligibility", "100", estimate(findings["relative"])))
    found.append(("own partner's advantage", estimate(findings["advantage"]), estimate(none)))
    for name, each in findings.get("variation", {}).items():
        if isinstance(each, dict):
            told = f"variation, {name} ({each['other_pictures'] or 0:.2f} of other pictures)"
            found.append((told, estimate(each["in_group"], False), estimate(each["cross_group"], False)))
    for name, each in findings.get("grounding", {}).items():
        if isinstance(each, dict):
            control = ", ".join(
                f"{key} {estimate(value, name == 'iconicity')}" for key, value in each["controls"].items()
            )
            found.append((f"{name} ({control})", estimate(each, name == "iconicity"), estimate(none)))
    for side, each in findings.get("ease", {}).items():
        told = f"a new {side}'s area under the curve (untrained natives {estimate(each['untrained'])})"
        found.append((told, estimate(each["area"]), estimate(none)))
    return found


def estimate(found: dict[str, Any], per_cent: bool = True) -> str:
    """An estimate of meeting.json in words; a dash where there is none.

    >>> estimate({"value": 0.8125, "low": 0.79, "high": 0.83, "n": 4})
    '81.2 (79.0 to 83.0)'
    """
    if found["value"] is None:
        return "–"
    scale, digits = (100, 1) if per_cent else (1, 2)
    value = f"{scale * found['value']:.{digits}f}"
    if found["low"] is None:
        return value
    return f"{value} ({scale * found['low']:.{digits}f} to {scale * found['high']:.{digits}f})"


def matrix_figure(parties: Sequence[Party], swap: Swap) -> "Figure":
    """The swap matrix: senders down, receivers across, lines between communities."""
    from matplotlib.figure import Figure

    height, width = swap.rates.shape
    side = min(14.0, 3.0 + 0.22 * max(height, width))
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(100 * swap.rates.numpy(), cmap="viridis", vmin=0, vmax=100)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, label="% of games won")
    bar.ax.axhline(100 * swap.chance, color="white", lw=1.5)
    for agents, line, ticks, labels in (
        (swap.senders, axes.axhline, axes.set_yticks, axes.set_yticklabels),
        (swap.receivers, axes.axvline, axes.set_xticks, axes.set_xticklabels),
    ):
        middles = []
        for number in range(len(parties)):
            own = [place for place, (party, _) in enumerate(agents) if party == number]
            middles.append((own[0] + own[-1]) / 2)
            if number:
                line(own[0] - 0.5, color="white", lw=1)
        ticks(middles)
        labels([each.name for each in parties], parse_math=False)
    axes.tick_params(axis="x", rotation=90)
    axes.set(xlabel="receivers", ylabel="senders")
    return figure


def write_meeting(folder: Path, parties: Sequence[Party], swap: Swap, drawn: Drawn, findings: dict[str, Any]) -> None:
    """matrix.png, matrix.svg and report.html, which needs no server and no network."""
    figure = matrix_figure(parties, swap)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    write_atomic(folder / "matrix.png", lambda path: path.write_bytes(buffer.getvalue()))
    uri = as_svg(figure)
    svg = base64.b64decode(uri.split(",", 1)[1]).decode()
    write_text(folder / "matrix.svg", svg)
    gallery = parties[0].run.gallery
    html = page("runs.report", "meeting.html").render(
        name=folder.resolve().name,
        findings=findings,
        rows=rows(findings),
        matrix=uri,
        parties=[each.name for each in parties[:PARTIES]],
        gallery=_gallery(parties, swap, drawn),
        licences=gallery.licences,
        folders=[each.run.folder.path.resolve().name for each in parties],
    )
    write_text(folder / "report.html", html)


def _gallery(parties: Sequence[Party], swap: Swap, drawn: Drawn) -> list[dict[str, Any]]:
    """Some pictures, and what the first sender of each community draws of them."""
    gallery = parties[0].run.gallery
    first = [[party for party, _ in swap.senders].index(number) for number in range(min(PARTIES, len(parties)))]
    round = drawn.rounds[0]
    names = gallery.names(round.shown)
    found = []
    for game in range(min(PICTURES, len(round.shown))):
        sketches = []
        for number, row in enumerate(first):
            run = parties[number].run
            one = drawn.strokes[0][row][game]
            sigma2 = run.config.canvas.sigma2.at(run.step)
            svg = Markup(to_svg(in_sight(one.detach()), (96, 96), sigma2=sigma2))  # noqa: S704 (numbers only)
            right = float((drawn.choices[0][row, :, game] == int(round.target[game])).double().mean())
            sketches.append({"svg": svg, "right": right})
        uri = as_data_uri(gallery.pixels[round.shown[game]])
        found.append({"uri": uri, "name": names[game], "sketches": sketches})
    return found
