"""The multilayer perceptron that agents learn themselves: a picture's pixels, all at once."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn

from perception.config import MlpTrunk
from perception.linear import Linear
from raster.shapes import Float, Tensor


class Mlp(nn.Module):
    """Grey pixels through a linear layer and ReLU for each entry of ``hidden``: ``[B, 3, H, W] -> [B, C, 1, 1]``.

    Pictures of another size are averaged or interpolated to ``size`` first, so that it knows how many pixels it gets.
    On pictures of a few hundred pixels it costs a tenth of a convnet. Freshly made weights come from torch's
    global generator, so make it under ``torch.random.fork_rng``.
    """

    def __init__(self, config: MlpTrunk) -> None:
        super().__init__()
        self.size, self.channels = config.size, config.hidden[-1]
        widths = (config.size**2, *config.hidden)
        self.layers = nn.ModuleList(Linear(before, after) for before, after in itertools.pairwise(widths))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d 1 1"]:
        """Features of pictures; see the class."""
        if x.shape[-2:] != (self.size, self.size):
            x = F.interpolate(x, size=(self.size, self.size), mode="bilinear", antialias=True, align_corners=False)
        x = x.mean(dim=1).flatten(1)  # [B, size^2]
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x[:, :, None, None]
