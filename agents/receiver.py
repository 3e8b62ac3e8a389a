"""Who looks: a sketch and a pool of photos to a score a candidate."""

import math
from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from agents.eye import Eye, Pictures, View
from agents.moment import Moment
from agents.turns import Patience, Turns
from perception import Convnet, ConvnetTrunk, TimmTrunk, TrunkConfig, Trunks
from raster import CanvasConfig, Strokes, on_paper
from raster.shapes import Float, Int, Tensor


class ConvnetReader(BaseModel):
    """Reads the canvas with a small learned convnet."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["convnet"] = "convnet"
    channels: tuple[int, ...] = (32, 64, 96)
    """Channels of each layer; every layer shrinks the canvas."""


class TrunkReader(BaseModel):
    """Reads the canvas with a frozen trunk and a learned projection, as Learning to Draw does.

    Features are standardised a channel by what random lines give; where trunk and level are the eye's own and
    the canvas is as large as the photos, the projection starts as a copy of the eye's: before it learns, the
    receiver looks at drawings as at photos.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["trunk"] = "trunk"
    trunk: TimmTrunk = TimmTrunk()
    level: int = Field(3, ge=0, le=4)
    """Which level of the trunk's pyramid is projected."""


ReaderConfig = Annotated[ConvnetReader | TrunkReader, Field(discriminator="kind")]


class ReceiverConfig(BaseModel):
    """A looking agent: an eye for photos, a reader for sketches, and how the two are compared."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    trunk: TrunkConfig = Field(TimmTrunk(), discriminator="kind")
    """Whose features of the candidates it sees."""
    levels: tuple[Annotated[int, Field(ge=0)], ...] = Field((3,), min_length=1)
    """Which levels of the trunk's pyramid: 0 is the finest."""
    pixels: bool = False
    """Also sees the candidates themselves through a small learned convnet."""
    reader: ReaderConfig = ConvnetReader()
    """How it reads the canvas."""
    hidden: int = Field(256, ge=1)
    """Width of the hidden layers."""
    dims: int = Field(128, ge=1)
    """Length D of the vectors that are compared."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout rate on the trunk's features."""
    score: Literal["cosine", "dot"] = "cosine"
    """``cosine`` times a learned temperature (at most 50), or the paper's plain dot product."""
    temperature: float = Field(10.0, gt=0, le=50)
    """Where the learned temperature starts (``cosine`` only)."""


class Receiver(nn.Module):
    """Embeds the canvas and the candidates in one space and scores each candidate.

    Candidates are embedded once a pool, however many games are played on it: B games against G pools of K
    cost G x K embeddings and one matrix product. ``inks`` is the channels of the canvas: 1, or 3 where senders have
    colours. ``turns`` is there for a game of turns alone, in which it also decides when it has seen enough.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        config: ReceiverConfig,
        pictures: Pictures,
        canvas: int,
        trunks: Trunks,
        convnet: Callable[[ConvnetTrunk], Convnet] = Convnet.of,
        inks: int = 1,
        turns: Turns | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.eye = Eye(config.trunk, config.levels, config.hidden, config.dropout, pictures, convnet)
        self.glance = (
            Eye(ConvnetTrunk(), (), config.hidden, 0.0, pictures, convnet) if config.pixels else None
        )  # pixels beside features
        self.photo = nn.Linear(config.hidden * (2 if config.pixels else 1), config.dims)
        self._trunks = trunks  # frozen and shared: never among this agent's parameters
        reader = config.reader
        self.reader = Convnet(inks, reader.channels) if isinstance(reader, ConvnetReader) else None
        with torch.no_grad():
            blank = self.eye.project.weight.new_zeros(1, *((3,) if inks == 3 else ()), canvas, canvas)
            if isinstance(reader, TrunkReader):
                lines = self._features(_random_lines(canvas, trunks.device))
                self.register_buffer("mean", lines.mean(dim=(0, 2, 3)))
                self.register_buffer("std", lines.std(dim=(0, 2, 3)) + 1e-3)
                blank = blank.to(trunks.device)
            flat = self._read(blank).shape[1]
        first, last = nn.Linear(flat, config.hidden), nn.Linear(config.hidden, config.dims)
        alike = isinstance(reader, TrunkReader) and (reader.trunk, (reader.level,)) == (config.trunk, config.levels)
        # A canvas of another size than the photos has other places; an eye with pixels gives longer vectors.
        if alike and not config.pixels and flat == self.eye.project.in_features:
            first.load_state_dict(self.eye.project.state_dict())
            last.load_state_dict(self.photo.state_dict())
        self.sketch = nn.Sequential(first, nn.ReLU(), last)
        self.scale = nn.Parameter(torch.tensor(math.log(config.temperature)))
        self.patience = None if turns is None else Patience(turns.count)  # last: without it all else starts the same

    def _read(self, canvas: Float[Tensor, "b *ink h w"]) -> Float[Tensor, "b f"]:
        if self.reader is not None:
            return self.reader(canvas if canvas.ndim == 4 else canvas[:, None]).flatten(1)
        x = (self._features(canvas).to(self.mean.dtype) - self.mean[:, None, None]) / self.std[:, None, None]
        return x.flatten(1)

    def _features(self, canvas: Float[Tensor, "b *ink h w"]) -> Float[Tensor, "b c h2 w2"]:
        reader = self.config.reader
        assert isinstance(reader, TrunkReader)
        return self._trunks[reader.trunk](on_paper(canvas.float()), [reader.level])[0]

    def embed_canvas(self, canvas: Float[Tensor, "b *ink h w"]) -> Float[Tensor, "b d"]:
        """Sketches to vectors (unit length under ``cosine``)."""
        return self._unit(self.sketch(self._read(canvas)))

    def embed_photos(self, view: View, moment: Moment) -> Float[Tensor, "n d"]:
        """Photos to vectors (unit length under ``cosine``)."""
        seen = self.eye(view, moment)  # [N, hidden]
        if self.glance is not None:
            seen = torch.cat([seen, self.glance(view, moment)], dim=-1)
        return self._unit(self.photo(torch.relu(seen)))

    def _unit(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=-1) if self.config.score == "cosine" else x

    def compare(
        self, message: Float[Tensor, "b d"], pools: Float[Tensor, "g k d"], pool_of: Int[Tensor, " b"]
    ) -> Float[Tensor, "b k"]:
        """Scores of each game's message against the candidates of its own pool."""
        scores = torch.einsum("bd,gkd->bgk", message, pools)
        scores = scores[torch.arange(len(message), device=scores.device), pool_of]
        if self.config.score == "cosine":
            scores = scores * self.scale.clamp(max=math.log(50.0)).exp()
        return scores

    def score(
        self, canvas: Float[Tensor, "b *ink h w"], pool: View, pools: int, pool_of: Int[Tensor, " b"], moment: Moment
    ) -> Float[Tensor, "b k"]:
        """Score every candidate of each game.

        Args:
            canvas: ink in [0, 1], [B, H, W], or [B, 3, H, W] of coloured strokes.
            pool: the candidates of all pools, G x K pictures, pool after pool.
            pools: how many pools, G.
            pool_of: which pool each game is played on.
            moment: step and noise.
        """
        photos = self.embed_photos(pool, moment).unflatten(0, (pools, -1))  # [G, K, D]
        return self.compare(self.embed_canvas(canvas), photos, pool_of)


def _random_lines(size: int, device: torch.device) -> Float[Tensor, "b h w"]:
    """64 canvases of 20 random lines, always the same: what drawings are like before anybody draws."""
    points = torch.rand(64, 20, 2, 2, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9
    return CanvasConfig(size=size).draw(Strokes(points=points.to(device)), 0)
