"""``clip``: drawing and photo mean the same to a network that knows pictures as wholes, however they are turned."""

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator

from agents.bias import Bias, Played, bias
from agents.biases._drawing import for_all, some_of
from perception import FrozenTrunk, TimmTrunk, Trunk
from raster import on_paper
from raster.shapes import Float, Tensor


@bias("clip")
class Clip(Bias):
    """Distance of the embeddings of a drawing's changed copies and of its photo: CLIPDraw (Frans et al. 2021).

    ``cost = mean_c (1 - cos(f(T_c(s)), f(p)))``, with f the last level of a frozen trunk, averaged over its places. The
    T_c are random perspectives and crops, dealt with the round and the same for all its games.
    """

    trunk: FrozenTrunk = TimmTrunk()
    """Whose embedding: any frozen trunk's last level, or CLIP itself by ``{kind: open_clip}``."""
    text: str | None = None
    """Words that every drawing should fit instead of its photo; the trunk must be of kind ``open_clip``."""
    copies: int = Field(4, ge=1, le=64)
    """Changed copies of each drawing; 4 in Learning to Draw. Each costs a pass through the trunk."""
    distortion: float = Field(0.5, ge=0, le=1)
    """How far a corner may move inwards, as a part of half the canvas."""
    crop: tuple[float, float] = (0.7, 0.9)
    """The part of the area that a crop keeps, from and to; (1, 1) crops nothing."""
    share: float = Field(1.0, gt=0, le=1)
    """Part of the games that is compared (see ``likeness``)."""

    @model_validator(mode="after")
    def _fits(self) -> "Clip":
        if self.text is not None and self.trunk.kind != "open_clip":
            raise ValueError(f"a trunk of kind {self.trunk.kind} reads no text: take trunk: {{kind: open_clip}}")
        if not 0 < self.crop[0] <= self.crop[1] <= 1:
            raise ValueError(f"a crop keeps a part from above 0 up to 1, got {self.crop[0]:g} to {self.crop[1]:g}")
        return self

    def reads(self) -> tuple[tuple[FrozenTrunk, int | None], ...]:
        return () if self.text is not None else ((self.trunk, None),)

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        games = play.canvas.shape[0]
        some = some_of(games, self.share)
        trunk = play.trunks[self.trunk]
        meant = self._meant(play, trunk, some)
        canvas = play.canvas[:some].float()
        generator = play.generator(self.kind)
        far = [
            1 - F.cosine_similarity(_embedded(trunk(self._changed(canvas, generator), [trunk.deepest])[0]), meant)
            for _ in range(self.copies)
        ]
        return for_all(torch.stack(far).mean(0).to(play.canvas.dtype), games)

    def _meant(self, play: Played, trunk: Trunk, some: int) -> Float[Tensor, "#s d"]:
        if self.text is not None:
            return trunk.embed_text([self.text])
        return _embedded(play.photo[:some].features(self.trunk, trunk.deepest))

    def _changed(self, canvas: Float[Tensor, "s *ink h w"], generator: torch.Generator) -> Float[Tensor, "s 3 h w"]:
        """A copy of all drawings, changed alike; what comes in from outside is white paper, which is no ink."""
        from torchvision.transforms.v2 import functional as warp  # here, not above: it takes seconds (see _grey)

        ink = canvas if canvas.ndim == 4 else canvas[:, None]
        height, width = ink.shape[-2:]
        noise = torch.rand(12, generator=generator).tolist()
        right, bottom = width - 1, height - 1
        corners = [[0, 0], [right, 0], [right, bottom], [0, bottom]]
        inwards = [[1, 1], [-1, 1], [-1, -1], [1, -1]]
        moved = [
            [
                round(x + toward_x * noise[2 * corner] * self.distortion * right / 2),
                round(y + toward_y * noise[2 * corner + 1] * self.distortion * bottom / 2),
            ]
            for corner, ((x, y), (toward_x, toward_y)) in enumerate(zip(corners, inwards, strict=True))
        ]
        if self.distortion:
            ink = warp.perspective(ink, corners, moved)
        part = self.crop[0] + noise[8] * (self.crop[1] - self.crop[0])
        ratio = (4 / 3) ** (2 * noise[9] - 1)  # a crop's width by its height: 3:4 to 4:3, as torchvision's
        tall = min(height, max(1, round(height * (part / ratio) ** 0.5)))
        wide = min(width, max(1, round(width * (part * ratio) ** 0.5)))
        if part < 1:
            top, left = round(noise[10] * (height - tall)), round(noise[11] * (width - wide))
            ink = warp.resized_crop(ink, top, left, tall, wide, [height, width], antialias=True)
        return on_paper(ink if canvas.ndim == 4 else ink[:, 0])


def _embedded(level: Float[Tensor, "s d h w"]) -> Float[Tensor, "s d"]:
    """The mean over places."""
    return level.mean((2, 3))
