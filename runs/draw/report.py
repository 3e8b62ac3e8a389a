"""report.html of a drawing: photo, drawing, films, what it cost, how to do it again. One page, nothing outside it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from raster.shapes import Tensor, UInt8
from runs.draw.files import Sheet
from runs.folder import Folder, lines, read_json, write_text
from runs.report._pages import page
from runs.report.figures import as_data_uri, losses


@dataclass(frozen=True)
class Shown:
    """One picture of the page: data addresses, and its row of the summary."""

    name: str
    photo: str
    drawing: Markup
    films: list[tuple[str, str]]
    figures: dict[str, float]
    by_seed: list[float]


def write_report(folder: Folder, photos: UInt8[Tensor, "b 3 h w"], sheets: Mapping[str, Sheet]) -> Path:
    """Write ``report.html`` from what stands in a folder, and return its path.

    Args:
        folder: what `lascaux draw` wrote, summary.json included.
        photos: the pictures, in the order of ``sheets``.
        sheets: the drawings by name.
    """
    summary = read_json(folder.summary)
    shown = []
    for number, (name, sheet) in enumerate(sheets.items()):
        row = summary["pictures"][name]
        films = [(what, _film(folder.path, f"{name}-{what}")) for what in ("found", "drawn")]
        shown.append(
            Shown(
                name=name,
                photo=as_data_uri(photos[number]),
                drawing=Markup(sheet.svg()),  # noqa: S704 (numbers only)
                films=[(what, uri) for what, uri in films if uri],
                figures={key: value for key, value in row.items() if isinstance(value, float)},
                by_seed=row["cost_by_seed"],
            )
        )
    metrics = list(lines(folder.metrics))
    html = page("runs.draw", "draw.html").render(
        summary=summary,
        shown=shown,
        curves=losses(metrics) if len(metrics) > 1 else None,
        config=folder.config.read_text(encoding="utf-8"),
        env=read_json(folder.env),
    )
    write_text(folder.report, html)
    return folder.report


def _film(folder: Path, stem: str) -> str | None:
    for ending in ("webp", "gif"):
        path = folder / f"{stem}.{ending}"
        if path.is_file():
            return f"data:image/{ending};base64," + base64.b64encode(path.read_bytes()).decode()
    return None
