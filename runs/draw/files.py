"""One drawing as files: strokes exactly (safetensors), as a vector picture, as QuickDraw's line, as pixels."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from raster import CanvasConfig, InputError, Strokes, in_sight, on_paper, to_quickdraw, to_svg
from raster.curves import STRAIGHT, flatten
from raster.shapes import Float, Tensor, UInt8
from runs.folder import write_atomic, write_text

_CARRIED = ("sigma2", "width", "opacity", "colour", "presence")
_FORMAT = "lascaux strokes 1"
#: Pieces of a curve in a QuickDraw line, whose coordinates are whole numbers to 255.
_PIECES = 32


@dataclass(frozen=True)
class Sheet:
    """One drawing and what it is drawn on.

    Attributes:
        strokes: one sketch, points [N, P, 2], ink as in the raster.
        canvas: how it is rasterised; its size is that of the optimisation.
        paper: ink of the paper, one number or three, in [0, 1]; None for white.
    """

    strokes: Strokes
    canvas: CanvasConfig
    paper: tuple[float, ...] | None = None

    @property
    def sigma2(self) -> float:
        """Squared half-width of strokes that carry no width, as at the end of its schedule."""
        return self.canvas.sigma2.ends[1]

    def svg(self) -> str:
        """As an SVG picture, in the colours that a viewer sees."""
        paper = 1.0 if self.paper is None else [1 - ink for ink in self.paper]
        shown = in_sight(self.strokes)
        return to_svg(shown, (self.canvas.size,) * 2, sigma2=self.sigma2, paper=paper)

    def pixels(self, size: int) -> UInt8[Tensor, "3 size size"]:
        """As the raster draws it, ``size`` pixels a side."""
        return rendered(batch_of_one(self.strokes), self.canvas, size, self._ink())[0]

    def ndjson(self, word: str) -> str:
        """As a line of QuickDraw's simplified form; what lies outside the canvas is brought to its edge."""
        strokes = self.strokes.cpu()
        points, kind = strokes.points, strokes.kind
        if kind not in STRAIGHT:
            points, kind = flatten(strokes, _PIECES), "polyline"
        there = Strokes(points.clamp(-1, 1), kind, presence=strokes.presence)
        return to_quickdraw(batch_of_one(there), word)

    def _ink(self) -> Tensor | None:
        if self.paper is None:
            return None
        ink = torch.tensor(self.paper)[None, :, None, None]  # [1, C, 1, 1]
        return ink if len(self.paper) == 3 else ink[:, 0]


def batch_of_one(strokes: Strokes) -> Strokes:
    """One sketch as a batch of one."""
    carried = {name: getattr(strokes, name) for name in _CARRIED}
    batched = {name: value[None] for name, value in carried.items() if value is not None}
    return replace(strokes, points=strokes.points[None], **batched)


def rendered(
    strokes: Strokes, canvas: CanvasConfig, size: int, paper: Tensor | None = None, step: int = 2**31
) -> UInt8[Tensor, "b 3 size size"]:
    """Sketches as a viewer sees them, bytes [B, 3, size, size]; ``step`` is what sigma2's schedule goes by."""
    with torch.no_grad():
        ink = canvas.model_copy(update={"size": size}).draw(strokes, step, upon=paper)
        return (on_paper(ink).clamp(0, 1) * 255).round().to(torch.uint8)


def save_picture(pixels: UInt8[Tensor, "3 h w"], path: Path) -> None:
    """Write a picture whole or not at all; the file's ending says the format.

    Raises InputError for an ending that pillow does not write.
    """
    image = Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())
    kind = picture_format(path)
    write_atomic(path, lambda temporary: image.save(temporary, format=kind))


def picture_format(path: Path) -> str:
    """Pillow's word for what a file's ending means.

    Raises InputError for an ending that pillow does not write.
    """
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"):
        raise InputError(f"no pictures are written as {path.suffix or 'a file without an ending'}", path, "say .png")
    return kind


def save_strokes(sheet: Sheet, path: Path) -> None:
    """Write a drawing's strokes exactly: their tensors, and in the metadata what else it takes to draw them again."""
    strokes = sheet.strokes.detach().cpu()
    named = {name: getattr(strokes, name) for name in ("points", *_CARRIED)}
    tensors = {name: value.clone().contiguous() for name, value in named.items() if value is not None}
    told = {
        "kind": strokes.kind,
        "knots": strokes.knots,
        "canvas": sheet.canvas.model_dump(mode="json", by_alias=True),
        "paper": sheet.paper,
    }
    # One key: the order of several is another one in every process, and equal drawings should be equal files.
    write_atomic(path, lambda temporary: save_file(tensors, temporary, {_FORMAT: json.dumps(told)}))


def load_strokes(path: Path | str) -> Sheet:
    """Read what ``save_strokes`` wrote. A stranger's file runs no code.

    Raises InputError for a file that is missing, damaged, or something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no plain dict)
        if _FORMAT not in metadata:
            raise ValueError("it holds no strokes of lascaux")
        told = json.loads(metadata[_FORMAT])
        paper = told["paper"]
        strokes = Strokes(kind=told["kind"], knots=told["knots"], **tensors)
        canvas = CanvasConfig.model_validate(told["canvas"])
        return Sheet(strokes, canvas, None if paper is None else tuple(float(ink) for ink in paper))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError("no such file of strokes", path, "give one that `lascaux draw` wrote") from error
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        what = (str(error).splitlines() or ["it is empty"])[0][:160]
        raise InputError(f"damaged strokes: {what}", path, "draw again, or give another file") from error


def save_drawing(sheet: Sheet, folder: Path, name: str, size: int) -> None:
    """Write NAME.safetensors, .svg, .ndjson and .png (``size`` pixels a side) into a folder."""
    save_strokes(sheet, folder / f"{name}.safetensors")
    write_text(folder / f"{name}.svg", sheet.svg())
    write_text(folder / f"{name}.ndjson", sheet.ndjson(name))
    save_picture(sheet.pixels(size), folder / f"{name}.png")


def side_by_side(
    rows: list[list[UInt8[Tensor, "3 size size"]]], gap: int = 6, background: int = 255
) -> UInt8[Tensor, "3 h w"]:
    """Pictures of one size as a sheet, a row a list; shorter rows end in background."""
    size = rows[0][0].shape[-1]
    wide, tall = max(len(row) for row in rows), len(rows)
    sheet = torch.full((3, tall * (size + gap) + gap, wide * (size + gap) + gap), background, dtype=torch.uint8)
    for down, row in enumerate(rows):
        for across, picture in enumerate(row):
            y, x = gap + down * (size + gap), gap + across * (size + gap)
            sheet[:, y : y + size, x : x + size] = picture.cpu()
    return sheet


def paper_of(paper: Float[Tensor, "b *ink 1 1"] | None, number: int) -> tuple[float, ...] | None:
    """The ink of one of several papers (``Free.paper``) as numbers."""
    return None if paper is None else tuple(paper[number].detach().flatten().cpu().tolist())
