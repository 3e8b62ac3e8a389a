"""How luminance changes from place to place."""

import torch
import torch.nn.functional as F

from raster.shapes import Float, Tensor


def slopes(grey: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 2 h w"]:
    """The gradient to the right and downwards, a pixel, by Sobel's filters; the border goes on as it is."""
    across = grey.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
    filters = torch.stack([across, across.T])[:, None]  # [2, 1, 3, 3]
    return F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), filters)
