"""``augment``: in training each game's photo is seen a little changed, so that nothing hangs on its exact pixels."""

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field

from agents.bias import Bias, bias
from agents.biases._grey import luminance
from agents.eye import View
from agents.moment import Moment
from raster.shapes import Float, Tensor

DRAWN = 8
"""Random numbers of one change: crop's size, x and y, mirror, red, green, blue, grey."""


@bias("augment")
class Augment(Bias):
    """Photos cropped, mirrored, tinted and made grey at random, game by game, while agents learn; none is changed when
    a run is measured. Costs and candidates keep the photo as it is.

    With ``versions`` each photo comes in so many fixed versions, the first of them unchanged; a version is one change,
    the same for all photos, so its features are computed once and cached, and no step becomes slower. Without, every
    game has a change of its own, and a frozen trunk runs in every step: that suits learned eyes.
    """

    crop: float = Field(0.2, ge=0, lt=1)
    """Largest part of the side that is cut away; what is left is made as large as the picture."""
    flip: float = Field(0.5, ge=0, le=1)
    """How often it is mirrored."""
    colour: float = Field(0.2, ge=0, le=1)
    """Largest change of each of red, green and blue, as a part of it."""
    grey: float = Field(0.1, ge=0, le=1)
    """How often it loses its colour."""
    versions: int | None = Field(8, ge=2, le=64)
    """Versions of each photo, all cached (memory and a first pass for each); null: a new one every time."""
    eyes: Literal["both", "sender", "receiver"] = "sender"
    """Who sees so. A receiver sees each candidate of a pool changed in a way of its own."""

    def see(self, view: View, moment: Moment) -> View:
        if not moment.training or self.eyes not in ("both", moment.role):
            return view
        if self.versions is None:
            # One number is taken now, not all of them when somebody looks: so noise does not hang on who looks when.
            seed = int(torch.randint(2**62, (1,), generator=moment.generator))
            return view.through(partial(self._anew, seed=seed))
        choice = torch.randint(self.versions, (len(view),), generator=moment.generator)
        each = self.changes()
        seen = [view, *(view.through(partial(change, noise=row[None]), self._name(n)) for n, row in enumerate(each, 1))]
        return view.mixed(seen, choice)

    def changes(self) -> Float[Tensor, "v drawn"]:
        """The numbers in [0, 1) that the versions after the first are made by, [versions - 1, 8].

        Each column is spread evenly (a Latin hypercube), so that few versions still hold mirrored and unmirrored ones
        in about the right numbers.
        """
        assert self.versions is not None
        count = self.versions - 1
        generator = torch.Generator().manual_seed(0)
        place = torch.stack([torch.randperm(count, generator=generator) for _ in range(DRAWN)], dim=1)
        scaled = (place + torch.rand(count, DRAWN, generator=generator)) / count
        return self._scaled(scaled)

    def _anew(self, rgb: Float[Tensor, "b 3 h w"], seed: int) -> Float[Tensor, "b 3 h w"]:
        noise = torch.rand(len(rgb), DRAWN, generator=torch.Generator().manual_seed(seed))
        return change(rgb, self._scaled(noise))

    def _scaled(self, noise: Float[Tensor, "n drawn"]) -> Float[Tensor, "n drawn"]:
        """Numbers in [0, 1) to what ``change`` takes."""
        centred = noise * 2 - 1
        left_out = noise[:, :1] * self.crop
        where = centred[:, 1:3] * left_out
        mirrored, grey = (noise[:, 3:4] < self.flip).to(noise.dtype), (noise[:, 7:] < self.grey).to(noise.dtype)
        return torch.cat([left_out, where, mirrored, 1 + centred[:, 4:7] * self.colour, grey], dim=1)

    def _name(self, number: int) -> str:
        keys = (self.crop, self.flip, self.colour, self.grey)
        return f"augment-{'-'.join(repr(key) for key in keys)}-{number}-of-{self.versions}"


def change(rgb: Float[Tensor, "b 3 h w"], noise: Float[Tensor, "n drawn"]) -> Float[Tensor, "b 3 h w"]:
    """Pictures in [0, 1] changed: a picture each by a row of ``noise``, or all by one.

    Args:
        rgb: the pictures.
        noise: a row a change: part of the side that a crop leaves out; its shift in x and y, as parts of the picture's
            half; 1 for mirrored; factors of red, green and blue; 1 for grey.
    """
    noise = noise.to(device=rgb.device, dtype=rgb.dtype).expand(len(rgb), -1)
    kept, zero = 1 - noise[:, 0], torch.zeros_like(noise[:, 0])
    across = kept * (1 - 2 * noise[:, 3])
    rows = [torch.stack([across, zero, noise[:, 1]], dim=-1), torch.stack([zero, kept, noise[:, 2]], dim=-1)]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(rgb.shape), align_corners=False)
    seen = F.grid_sample(rgb, grid, mode="bilinear", padding_mode="border", align_corners=False)
    seen = (seen * noise[:, 4:7, None, None]).clamp(0, 1)
    return torch.where(noise[:, 7, None, None, None] > 0, luminance(seen, 3), seen)
