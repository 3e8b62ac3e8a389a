"""Figures of the report as data addresses: nothing is fetched when the page is opened."""

import base64
import io
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from raster import in_sight, to_svg
from raster.shapes import Tensor
from runs.drawings import strokes_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def as_data_uri(picture: Tensor) -> str:
    """A picture (uint8 [3, H, W]) as a PNG in a data address."""
    buffer = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def sketch_svg(drawing: Mapping[str, Any], sigma2: float) -> str:
    """A drawing of the journal (``drawings.one_of``) as an SVG element of 96 px, in the colours that a viewer sees."""
    return to_svg(in_sight(strokes_of(drawing)), (96, 96), sigma2=sigma2)


def curves(metrics: list[dict[str, Any]]) -> str:
    """Rates (left) and losses (right) over steps, training thin and validation with dots, as an SVG data address.

    Where nothing is chosen there are no rates: then the mean squared errors stand on the left.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    keys = dict.fromkeys(key for line in metrics for key in line)
    rates = [key for key in keys if key.startswith("rate")]
    if len(rates) > 1:
        rates.remove("rate")  # the mean of the others
    errors = [] if rates else [key for key in keys if key == "mse"]
    for number, key in enumerate(rates or errors):
        name, colour = key.removeprefix("rate/"), f"C{number}"
        for split, style in (("train", {"lw": 1.0, "alpha": 0.5}), ("validation", {"marker": "o", "ms": 4})):
            points = [(line["step"], line[key]) for line in metrics if line["split"] == split and key in line]
            if points:
                left.plot(*zip(*points, strict=True), color=colour, label=f"{name}, {split}", **style)
    left.set(xlabel="step", ylabel="mean squared error" if errors else "communication rate")
    left.set_ylim(0, None if errors else 1.02)
    if "balanced" in keys:
        rates.append("balanced")
    other = [key for key in keys if not key.startswith(("rate", "gradient/")) and key not in _NOT_CURVES]
    for key in other:
        points = [(line["step"], line[key]) for line in metrics if line["split"] == "train" and key in line]
        right.plot(*zip(*points, strict=True), label=key, lw=1.0)
    right.set(xlabel="step", ylabel="loss and biases, unweighted (training)")
    for axes in (left, right):
        axes.grid(alpha=0.25)
        if axes.lines:
            axes.legend(fontsize=8)
    return as_svg(figure)


def losses(metrics: list[dict[str, Any]]) -> str:
    """Every cost over steps, a panel each, as an SVG data address; ``metrics`` holds ``step`` and costs."""
    from matplotlib.figure import Figure

    keys = [key for key in dict.fromkeys(key for line in metrics for key in line) if key not in _NOT_CURVES]
    figure = Figure(figsize=(3.6 * len(keys), 2.8), layout="constrained")
    for axes, key in zip(figure.subplots(1, len(keys), squeeze=False)[0], keys, strict=True):
        points = [(line["step"], line[key]) for line in metrics if key in line]
        axes.plot(*zip(*points, strict=True), lw=1.2)
        axes.set(xlabel="step", title=key)
        axes.grid(alpha=0.25)
    return as_svg(figure)


_NOT_CURVES = {"balanced", "step", "split", "lr", "seconds", "games_per_second"}


def turn_curves(rates: dict[str, list[float | None]], shares: list[float], chance: float) -> str:
    """Rates by turn as lines over the shares of games answered at each, as an SVG data address.

    Args:
        rates: by what they are called, one a turn; None where there were no games.
        shares: part of the games that were answered after each turn.
        chance: rate of a blind guess.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axes = figure.subplots()
    turns = range(1, len(shares) + 1)
    axes.bar(turns, shares, color="0.85", label="games answered then")
    for name, values in rates.items():
        axes.plot(turns, [float("nan") if each is None else each for each in values], marker="o", ms=4, label=name)
    axes.axhline(chance, color="0.4", lw=1, ls=":", label="chance")
    axes.set(xlabel="turn", ylabel="communication rate", ylim=(0, 1.02), xticks=turns)
    axes.legend(fontsize=8)
    return as_svg(figure)


def confusion(counts: np.ndarray, names: list[str]) -> str:
    """A confusion matrix (rows: meant, columns: taken; [C, C] counts) as an SVG data address."""
    from matplotlib.figure import Figure

    side = 1.5 + 0.32 * len(names)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts / np.maximum(counts.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, parse_math=False)  # a name may hold a $
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set(xlabel="taken", ylabel="meant")
    return as_svg(figure)


def as_svg(figure: "Figure") -> str:
    import matplotlib as mpl

    buffer = io.BytesIO()
    # Letters stay letters, so that the reader's own fonts show names that matplotlib's font has no signs for; and
    # with the salt a report that is written again is the same, byte for byte.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lascaux"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
