"""Films: a drawing as it was found, and as it is drawn."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from raster import Strokes
from raster.shapes import Tensor, UInt8
from runs.draw.config import DrawConfig
from runs.draw.files import Sheet, batch_of_one, rendered
from runs.folder import write_atomic

LAST = 2000
"""Milliseconds that the last picture stands still."""


def found(frames: Sequence[tuple[int, Strokes, Tensor | None]], number: int, config: DrawConfig) -> list[Tensor]:
    """Frames (``Search.film``) of picture ``number``, bytes [3, size, size] each."""
    found = []
    for step, strokes, paper in frames:
        mine = None if paper is None else paper[number : number + 1]
        found.append(rendered(batch_of_one(strokes[number]), config.canvas, config.film.size, mine, step)[0])
    return found


def drawn(sheet: Sheet, config: DrawConfig) -> list[UInt8[Tensor, "3 size size"]]:
    """Frames of a drawing as its strokes come, one after another, or some at once where they are many."""
    count = sheet.strokes.count
    stops = sorted({round(count * number / (config.film.frames - 1)) for number in range(config.film.frames)})
    return [
        Sheet(sheet.strokes.select(slice(0, stop)), sheet.canvas, sheet.paper).pixels(config.film.size)
        for stop in stops
    ]


def save_film(frames: Sequence[UInt8[Tensor, "3 size size"]], path: Path, seconds: float) -> None:
    """Write an animation (WebP or GIF, by the file's ending) that runs for ``seconds``, rests on the last frame, and
    begins again.
    """
    images = [Image.fromarray(each.permute(1, 2, 0).contiguous().cpu().numpy()) for each in frames]
    each = max(20, round(1000 * seconds / max(1, len(images) - 1)))
    times = [each] * (len(images) - 1) + [LAST]
    kind = {".webp": "WEBP", ".gif": "GIF"}[path.suffix]
    options = {"quality": 70, "method": 2} if kind == "WEBP" else {"disposal": 1}

    def write(temporary: Path) -> None:
        images[0].save(
            temporary, format=kind, save_all=True, append_images=images[1:], duration=times, loop=0, **options
        )

    write_atomic(path, write)
