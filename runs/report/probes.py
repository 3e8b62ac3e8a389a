"""Probes on a page: of each a table, a figure and its drawings; runs side by side, curves over training."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from raster.shapes import Tensor, UInt8
from runs.config import Config
from runs.folder import write_text
from runs.loading import dump
from runs.probes import probes
from runs.report._pages import page
from runs.report.drawn import drawn_svg
from runs.report.figures import as_data_uri
from runs.report.probe_figures import curves_of, points_of, training_of

if TYPE_CHECKING:
    from runs.probing import Pooled

MOST_PARTS = 24
"""Parts of a finding in a table: of more the largest and the smallest."""


Found = dict[str, dict[str, Any]]
"""Findings as plain data: {probe: {game: finding}}; {"refused": why} in the place of one that cannot be asked."""


@dataclass(frozen=True)
class Probed:
    """What was found in one run.

    Attributes:
        name: what it is called beside others: its folder as it was given.
        config: the experiment.
        found: the findings.
        metrics: the lines of metrics.jsonl that probes wrote while agents learned.
        photos: the pictures that drawings of the findings are shown beside, as data addresses.
        sigma2: ink width of its drawings.
    """

    name: str
    config: Config
    found: Found
    metrics: list[dict[str, Any]] = field(default_factory=list)
    photos: dict[int, str] = field(default_factory=dict)
    sigma2: float = 5e-4

    @property
    def experiment(self) -> str:
        """What is the same for all seeds of one config: a hash of it without name and seed."""
        alike = self.config.model_copy(update={"seed": 0, "name": "run"})
        return hashlib.sha256(dump(alike).encode()).hexdigest()


def photos_of(found: Found, pixels: UInt8[Tensor, "n 3 h w"]) -> dict[int, str]:
    """The pictures that the drawings of findings are shown beside, as data addresses, by position in the gallery."""
    drawings = [
        each
        for games in found.values()
        for finding in games.values()
        if isinstance(finding, dict)
        for each in finding.get("pictures", ())
    ]
    wanted = {each["photo"] for each in drawings if each["photo"] is not None}
    return {index: as_data_uri(pixels[index]) for index in sorted(wanted)}


@dataclass(frozen=True)
class Row:
    """One finding in a table: whose, and the finding as plain data."""

    label: str
    finding: Mapping[str, Any]
    pooled: bool = False


@dataclass(frozen=True)
class Shown:
    """A drawing of a finding, with the photo that was shown, if any."""

    sketch: Markup
    caption: str
    photo: str | None


@dataclass(frozen=True)
class Section:
    """All that a page shows of one probe.

    Attributes:
        name: its word.
        about: what it asks.
        controls: columns of baselines.
        rows: findings.
        refused: (whose, why) where it could not be asked.
        figure: values with intervals, or curves, as a data address.
        parts: (label, parts) of each finding that has some.
        tables: (label, columns, rows) of each finding that has a table.
        pictures: (label, drawings).
        training: its curve over training.
    """

    name: str
    about: str
    controls: list[str]
    rows: list[Row]
    refused: list[tuple[str, str]]
    figure: str | None
    parts: list[tuple[str, list[tuple[str, float | None]]]]
    tables: list[tuple[str, list[str], dict[str, dict[str, float]]]]
    pictures: list[tuple[str, list[Shown]]] = field(default_factory=list)
    training: str | None = None


def sections(runs: Sequence[Probed], together: "Sequence[Pooled]" = ()) -> list[Section]:
    """A section a probe, for one run or several side by side."""
    names = list(dict.fromkeys(name for run in runs for name in run.found))
    return [_section(name, runs, together) for name in names]


def _section(name: str, runs: Sequence[Probed], together: "Sequence[Pooled]") -> Section:
    rows: list[Row] = []
    refused: list[tuple[str, str]] = []
    pictures: list[tuple[str, list[Shown]]] = []
    for run in runs:
        games = run.found.get(name, {})
        for game, finding in games.items():
            label = _label(run.name if len(runs) > 1 else "", game, len(games) > 1 or len(runs) == 1)
            if "refused" in finding:
                refused.append((label, finding["refused"]))
                continue
            rows.append(Row(label, finding))
            shown = [
                Shown(drawn_svg(each, run.sigma2), each["caption"], run.photos.get(each["photo"]))
                for each in finding.get("pictures", ())
            ]
            pictures += [(label, shown)] if shown else []
    for group in together:
        games = group.found.get(name, {})
        rows += [Row(_label(group.name, game, len(games) > 1), each, pooled=True) for game, each in games.items()]
    known = probes().get(name)
    controls = list(dict.fromkeys(key for row in rows for key in row.finding["baselines"] if key != "chance"))
    with_curves = [(row.label, row.finding) for row in rows if row.finding.get("curves")]
    figure = curves_of(with_curves) if with_curves else points_of([(r.label, r.finding, r.pooled) for r in rows])
    return Section(
        name,
        known.about if known else "",
        controls,
        rows,
        refused,
        figure,
        [(row.label, some_of(row.finding["parts"])) for row in rows if row.finding.get("parts")],
        [(row.label, _columns(row.finding["table"]), row.finding["table"]) for row in rows if row.finding.get("table")],
        pictures,
        training_of(name, [(run.name, run.experiment, run.metrics) for run in runs]),
    )


def _label(run: str, game: str, with_game: bool) -> str:
    return ", ".join(each for each in (run, game if with_game else "") if each)


def _columns(table: Mapping[str, Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(column for row in table.values() for column in row))


def some_of(parts: Mapping[str, float | None], most: int = MOST_PARTS) -> list[tuple[str, float | None]]:
    """All parts, or of very many the largest and the smallest, with a line between that says how many there are.

    >>> some_of({"a": 0.1, "b": 0.5, "c": 0.3}, 2)
    [('b', 0.5), ('1 between (--json has them)', None), ('a', 0.1)]
    """
    if len(parts) <= most:
        return list(parts.items())
    ranked = sorted(parts.items(), key=lambda item: -(item[1] if item[1] is not None else float("-inf")))
    half = most // 2
    return [*ranked[:half], (f"{len(ranked) - 2 * half} between (--json has them)", None), *ranked[-half:]]


def write_probes_page(path: Path, runs: Sequence[Probed], together: "Sequence[Pooled]") -> Path:
    """Write the page of ``lascaux probe RUN... --report FILE``: a section a probe, self-contained."""
    html = page("runs.report", "probes.html").render(
        runs=[(run.name, run.config.name, run.config.seed) for run in runs],
        together=together,
        probed=sections(runs, together),
    )
    write_text(path, html)
    return path
