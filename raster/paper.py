"""What a viewer sees of a canvas: the one place where ink becomes black on white."""

from dataclasses import replace

import torch

from raster.errors import InputError
from raster.shapes import Float, Tensor
from raster.strokes import Strokes


def on_paper(canvas: Float[Tensor, "b *ink h w"]) -> Float[Tensor, "b 3 h w"]:
    """Canvases as pictures: black ink on white paper, and coloured ink as what it leaves of white.

    A canvas holds ink: 0 is paper. Ink without colour darkens red, green and blue alike; coloured ink has three
    channels, and takes each channel's part away from that of the paper, so ink of colour (1, 1, 1) is black and
    (0, 1, 1) is red.
    The same holds for every composition: ``over`` paints 1 - colour on white just as it paints colour on 0.

    Args:
        canvas: [B, H, W], or [B, 3, H, W] of coloured strokes; in [0, 1], but under ``sum`` it may exceed 1, and the
            picture then falls below 0.

    Raises ``InputError`` for another shape.

    >>> on_paper(torch.ones(2, 4, 4)).shape, float(on_paper(torch.zeros(1, 3, 4, 4)).min())
    (torch.Size([2, 3, 4, 4]), 1.0)
    """
    if canvas.ndim == 3:
        return (1.0 - canvas)[:, None].expand(-1, 3, -1, -1)
    if canvas.ndim == 4 and canvas.shape[1] == 3:
        return 1.0 - canvas
    raise InputError(f"a canvas of shape {list(canvas.shape)}", "on_paper", "expected [B, H, W] or [B, 3, H, W]")


def in_sight(strokes: Strokes) -> Strokes:
    """Strokes of coloured ink in the colours that a viewer sees, for ``to_svg`` on its white paper; others as they are.

    >>> red = Strokes(torch.zeros(1, 2, 2), colour=torch.tensor([[0.0, 1.0, 1.0]]))
    >>> in_sight(red).colour.tolist()
    [[1.0, 0.0, 0.0]]
    """
    if strokes.colour is None:
        return strokes
    seen = torch.cat([1.0 - strokes.colour[..., :3], strokes.colour[..., 3:]], dim=-1)  # an opacity stays one
    return replace(strokes, colour=seen)
