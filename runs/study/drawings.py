"""What people drew, as other tools read it: QuickDraw's ndjson, with who drew what beside each drawing."""

import json
from collections.abc import Sequence

from runs.study.drawn import strokes_drawn
from runs.study.files import plain
from runs.study.rows import Row

__all__ = ["drawings_ndjson", "person_svg"]

_WIDTH = 0.02
"""Of a line in the report, canvas units."""


def drawings_ndjson(rows: Sequence[Row]) -> bytes:
    """Answers of kind ``draw`` as lines of QuickDraw's simplified form, with who drew what.

    ``drawing`` is what ``raster.from_quickdraw`` reads: whole numbers from 0 to 255 over the canvas, or, of a drawing
    that goes over its edge, moved and scaled to fit (``moved``). ``strokes`` is as it was answered, with times.
    """
    from raster import to_quickdraw

    lines = []
    for row in rows:
        strokes = strokes_drawn(row.answer.response)
        over = bool(strokes.points.abs().max() > 1)
        word = row.key.target_class.encode("utf-8", "replace").decode()
        line = json.loads(to_quickdraw(strokes, word, key_id=f"{row.participant}-{row.answer.trial}", fit=over))
        line |= {"participant": row.participant, "excluded": row.excluded, "sketch": row.answer.trial}
        line |= {"picture": row.key.name, "moved": over, "strokes": row.answer.response}
        lines.append(json.dumps(line, separators=(",", ":")) + "\n")
    return "".join(lines).encode()


def person_svg(row: Row) -> str:
    """A person's drawing as an SVG element, black lines on nothing."""
    lines = []
    for stroke in row.answer.response:
        points = " ".join(f"{point[0] / 1000:.3f},{point[1] / 1000:.3f}" for point in stroke)
        points += f" {points}" if len(stroke) == 1 else ""  # a dot: a line of no length has round ends
        lines.append(f'<polyline points="{points}"/>')
    return (
        f'<svg viewBox="-1 -1 2 2" width="96" height="96" fill="none" stroke="black" stroke-width="{_WIDTH}" '
        f'stroke-linecap="round" stroke-linejoin="round"><title>{_title(row)}</title>{"".join(lines)}</svg>'
    )


def _title(row: Row) -> str:
    from markupsafe import escape

    return str(escape(plain(row.key.target_class, 40)))
