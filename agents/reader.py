"""Who reads a canvas: a learned convnet or layer of patches, or a trunk that looks at it as at a picture."""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

from agents.eye import own_or_borrowed
from perception import (
    Convnet,
    Level,
    Linear,
    ScratchTrunk,
    TimmTrunk,
    TrunkConfig,
    Trunks,
    as_frozen,
    build_learned,
    is_learned,
    numbered,
)
from raster import CanvasConfig, Strokes, on_paper
from raster.shapes import Float, Tensor


class ConvnetReader(BaseModel):
    """Reads the canvas with a small learned convnet."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["convnet"] = "convnet"
    channels: tuple[int, ...] = (32, 64, 96)
    """Channels of each layer; every layer shrinks the canvas."""


class TrunkReader(BaseModel):
    """Reads the canvas as a picture, with a trunk and a learned projection; a frozen one, as Learning to Draw does.

    Features are standardised a channel by what random lines give (a convnet's are not); where trunk and level are the
    eye's own and the canvas is as large as the photos, the projection starts as a copy of the eye's: before it learns,
    the receiver looks at drawings as at photos. A learned trunk with ``shared: true`` is one with that of the eye, if
    that is the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["trunk"] = "trunk"
    trunk: TrunkConfig = Field(TimmTrunk(), discriminator="kind")
    """Whose features of the canvas it reads."""
    level: Level = 3
    """Which level of the trunk's pyramid is projected: a number, or a name where the trunk's kind gives them."""

    @model_validator(mode="after")
    def _level_is_there(self) -> "TrunkReader":
        numbered(self.trunk, (self.level,))
        return self


class PatchesReader(BaseModel):
    """Reads the canvas in squares, all through one learned linear layer with ReLU: the cheapest reader with places.

    A convolution whose kernel is as large as its stride (the patches of Dosovitskiy et al. 2021), written as a product,
    so that many receivers of a community are one product too. Paper is added at the right and below where the canvas
    is no whole number of squares.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["patches"] = "patches"
    size: int = Field(8, ge=1, le=256)
    """Pixels on a side of a square."""
    channels: int = Field(16, ge=1)
    """Numbers that are made of each."""


class Patches(nn.Module):
    """The layer of a ``PatchesReader``: [B, C, H, W] to [B, channels, h, w]."""

    def __init__(self, config: PatchesReader, inks: int) -> None:
        super().__init__()
        self.size = config.size
        self.project = Linear(inks * config.size**2, config.channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Features of squares; see the class."""
        size = self.size
        right, below = (-x.shape[-1]) % size, (-x.shape[-2]) % size
        if right or below:
            x = nn.functional.pad(x, (0, right, 0, below))
        squares = x.unflatten(3, (-1, size)).unflatten(2, (-1, size))  # [B, C, h, size, w, size]
        seen = self.project(squares.permute(0, 2, 4, 1, 3, 5).flatten(3))  # [B, h, w, channels]
        return torch.relu(seen).permute(0, 3, 1, 2)


ReaderConfig = Annotated[ConvnetReader | TrunkReader | PatchesReader, Field(discriminator="kind")]


class CanvasReader(nn.Module):
    """An agent that reads canvases: base of those that choose and of those that describe.

    Its weights are ``reader`` (of a convnet or patches, or a trunk of its own that it learns) and ``mean`` and ``std``
    (of a trunk that is or was frozen), by whose measure features are taken.
    """

    mean: Tensor
    std: Tensor
    reader: nn.Module | None
    _reads: ReaderConfig
    _trunks: Trunks
    _borrowed: list[nn.Module]

    def learn_to_read(
        self,
        config: ReaderConfig,
        canvas: int,
        inks: int,
        trunks: Trunks,
        learn: Callable[[TrunkConfig], nn.Module] = build_learned,
    ) -> Float[Tensor, "1 c h w"]:
        """Build the reader; called once, in the agent's constructor. Returns what it sees of a blank canvas.

        Args:
            config: the reader.
            canvas: pixels on a side.
            inks: channels of the canvas: 1, or 3 where it is coloured.
            trunks: the run's frozen trunks, shared: never among this agent's parameters.
            learn: gives the module of a trunk that is learned: a new one, or the community's shared one.
        """
        self._reads, self._trunks, self._borrowed = config, trunks, []
        self.reader = None
        if isinstance(config, ConvnetReader):
            self.reader = Convnet(inks, config.channels)
        elif isinstance(config, PatchesReader):
            self.reader = Patches(config, inks)
        else:
            self.reader, self._borrowed = own_or_borrowed(config.trunk, learn)
        blank = torch.zeros(1, *((3,) if inks == 3 else ()), canvas, canvas)
        with torch.no_grad():
            if isinstance(config, ConvnetReader | PatchesReader) or isinstance(config.trunk, ScratchTrunk):
                return self._look(blank)
            # One that is learned on starts as the frozen one, which is where the pictures are.
            trunk, (level,) = trunks[as_frozen(config.trunk)], numbered(config.trunk, (config.level,))
            lines = trunk(on_paper(_random_lines(canvas, trunks.device)), [level])[0]
            self.register_buffer("mean", lines.mean(dim=(0, 2, 3)))
            self.register_buffer("std", lines.std(dim=(0, 2, 3)) + 1e-3)
            return trunk(on_paper(blank.to(trunks.device)), [level])[0]

    def _look(self, canvas: Float[Tensor, "b *ink h w"]) -> Float[Tensor, "b c h2 w2"]:
        """The canvas as the reader sees it, place by place."""
        reader = self._reads
        if isinstance(reader, ConvnetReader | PatchesReader):
            assert self.reader is not None
            return self.reader(canvas if canvas.ndim == 4 else canvas[:, None])
        if isinstance(reader.trunk, ScratchTrunk):
            return (self.reader or self._borrowed[0])(on_paper(canvas) - 0.5)
        levels = numbered(reader.trunk, (reader.level,))
        if is_learned(reader.trunk):
            found = (self.reader or self._borrowed[0])(on_paper(canvas), levels)[0]
        else:
            found = self._trunks.sketches(reader.trunk, canvas, levels)[0]
        return (found.to(self.mean.dtype) - self.mean[:, None, None]) / self.std[:, None, None]

    def _read(self, canvas: Float[Tensor, "b *ink h w"]) -> Float[Tensor, "b f"]:
        return self._look(canvas).flatten(1)


def _random_lines(size: int, device: torch.device) -> Float[Tensor, "b h w"]:
    """64 canvases of 20 random lines, always the same: what drawings are like before anybody draws."""
    points = torch.rand(64, 20, 2, 2, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9
    return CanvasConfig(size=size).draw(Strokes(points=points.to(device)), 0)
