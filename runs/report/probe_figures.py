"""Figures of probes as data addresses: values with their intervals, curves, curves over training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runs.report.figures import as_svg
from runs.spread import over_seeds

MARKS = {"untrained": "s", "shuffled": "^", "blank": "o", "random": "D", "ceiling": "*", "photos": "P"}
"""How baselines are marked; others are ticks."""


def points_of(rows: Sequence[tuple[str, Mapping[str, Any], bool]]) -> str | None:
    """Values with their intervals, one row a finding, baselines as marks beside them; None where there is none.

    Args:
        rows: (label, finding, whether it is a mean over seeds), from the top.
    """
    from matplotlib.figure import Figure

    there = [row for row in rows if row[1]["value"] is not None]
    if not there:
        return None
    figure = Figure(figsize=(8.5, 1.5 + 0.34 * len(there)), layout="constrained")
    axes = figure.subplots()
    named: set[str] = set()
    keys = list(dict.fromkeys(key for _, each, _ in there for key in each["baselines"] if key != "chance"))
    for place, (_, finding, pooled) in enumerate(there):
        value, colour = finding["value"], "C3" if pooled else "C0"
        if finding["low"] is not None and finding["high"] is not None:
            axes.plot([finding["low"], finding["high"]], [place, place], color=colour, lw=3 if pooled else 2)
        axes.plot([value], [place], "o", color=colour, ms=7)
        for number, key in enumerate(keys):
            baseline = finding["baselines"].get(key)
            if baseline is not None:
                label = None if key in named else key
                named.add(key)
                style: dict[str, Any] = {"color": "0.35", "mfc": "none", "ms": 5, "ls": ""}
                mark = MARKS.get(key, f"${number}$")
                axes.plot([baseline], [place], marker=mark, label=_plain(label), **style)
        if finding["chance"] is not None:
            label = None if "chance" in named else "chance"
            named.add("chance")
            axes.plot([finding["chance"]] * 2, [place - 0.35, place + 0.35], color="0.5", lw=1, ls=":", label=label)
    axes.set_yticks(range(len(there)), [label or "value" for label, _, _ in there], parse_math=False)
    axes.set(ylim=(len(there) - 0.4, -0.6))
    axes.set_xlabel(there[0][1]["measure"], parse_math=False)
    axes.grid(axis="x", alpha=0.25)
    if named:
        axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return as_svg(figure)


def curves_of(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The curves of findings: a colour a finding, a kind of line and of mark a curve."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 3.6), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(name for _, finding in rows for name in finding["curves"]))
    kinds, marks = ["-", "--", ":", "-."], [".", "^", "s", "x"]
    for number, (label, finding) in enumerate(rows):
        for name, curve in finding["curves"].items():
            x, y = _numbers(curve["x"]), _numbers(curve["y"])
            told = ", ".join(each for each in (label, name) if each)
            style: dict[str, Any] = {"color": f"C{number}", "ls": kinds[names.index(name) % 4], "lw": 1.4}
            mark = marks[names.index(name) // 4 % 4]
            axes.plot(x, y, label=_plain(told), marker=mark if len(x) < 30 else None, ms=5, **style)
            if curve.get("low") and curve.get("high"):
                lower, upper = _numbers(curve["low"]), _numbers(curve["high"])
                axes.fill_between(x, lower, upper, color=f"C{number}", alpha=0.12, lw=0)
    axes.set_xlabel(rows[0][1].get("over", ""), parse_math=False)
    axes.set_ylabel(rows[0][1].get("height") or rows[0][1]["measure"], parse_math=False)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return as_svg(figure)


def training_of(name: str, runs: Sequence[tuple[str, str, Sequence[Mapping[str, Any]]]]) -> str | None:
    """A probe over training: each run's curve with its interval and baselines; seeds of one config as a mean with the
    interval over seeds. None where nobody asked it on the way.

    Args:
        name: of the probe.
        runs: (name, experiment, lines of metrics.jsonl that probes wrote); equal experiments are seeds of one config.
    """
    from matplotlib.figure import Figure

    asked = [(label, key, [line for line in lines if name in line]) for label, key, lines in runs]
    asked = [each for each in asked if each[2]]
    if not asked:
        return None
    figure = Figure(figsize=(8.5, 3.2), layout="constrained")
    axes = figure.subplots()
    experiments = list(dict.fromkeys(key for _, key, _ in asked))
    for number, experiment in enumerate(experiments):
        own = [(label, lines) for label, key, lines in asked if key == experiment]
        colour = f"C{number}"
        if len(own) > 1:
            steps = sorted(set.intersection(*({line["step"] for line in lines} for _, lines in own)))
            values = [[line[name] for _, lines in own for line in lines if line["step"] == step] for step in steps]
            mean, low, high = np.array([over_seeds(each) for each in values]).reshape(-1, 3).T
            axes.plot(steps, mean, color=colour, marker="o", ms=4, label=_plain(f"{own[0][0]} and {len(own) - 1} more"))
            axes.fill_between(steps, low, high, color=colour, alpha=0.15, lw=0)
            continue
        label, lines = own[0]
        steps = [line["step"] for line in lines]
        axes.plot(steps, [line[name] for line in lines], color=colour, marker="o", ms=4, label=_plain(label or name))
        lower, upper = ([line.get(f"{name}.{end}", np.nan) for line in lines] for end in ("low", "high"))
        axes.fill_between(steps, lower, upper, color=colour, alpha=0.15, lw=0)
        keys = [key for key in lines[-1] if key.startswith(f"{name}.baselines.") and len(asked) == 1]
        for place, key in enumerate(keys):
            grey = f"{0.25 + 0.5 * place / max(1, len(keys)):.2f}"
            style: dict[str, Any] = {"lw": 1, "ls": ["--", ":", "-."][place % 3], "color": grey}
            axes.plot(steps, [line.get(key, np.nan) for line in lines], label=key.rpartition(".")[2], **style)
    axes.set(xlabel="step", ylabel=name)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return as_svg(figure)


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if each is None else float(each) for each in values]


def _plain(label: str | None) -> str | None:
    """A label as matplotlib shows it verbatim: no formulas, and an underscore hides nothing."""
    return None if label is None else label.replace("$", r"\$").removeprefix("_")
