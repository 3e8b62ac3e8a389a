"""Outlines in the place of pictures: photographs and clothes become something that a line can follow."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from games.pictures.album import Album

SHARP = 1 / 48
"""Sigma of the Gaussian whose gradient is taken, as a part of a picture's side."""
FULL = 97.0
"""Percentile of a picture's gradients that becomes full ink, and so does all above."""


def outlined(album: Album) -> Album:
    """The same album with each picture's outlines, black on white: the magnitude of the gradient of its grey (scipy's
    ``gaussian_gradient_magnitude``), scaled so that the strongest edges of each picture are black. A picture of one
    colour has none and is white.
    """
    grey = album.pixels.astype(np.float32).mean(axis=1)  # [n, H, W]
    sigma = max(0.5, SHARP * grey.shape[-1])
    pixels = np.empty_like(album.pixels)
    for number, one in enumerate(grey):
        edge = ndimage.gaussian_gradient_magnitude(one, sigma, mode="nearest")
        most = float(np.percentile(edge, FULL))
        ink = np.clip(edge / most, 0, 1) if most > 1 else np.clip(edge / max(1.0, float(edge.max())), 0, 1)
        pixels[number] = np.rint(255 * (1 - ink)).astype(np.uint8)
    return replace(album, pixels=pixels, source=f"{album.source}, outlines")
