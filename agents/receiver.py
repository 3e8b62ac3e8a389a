"""Who looks: a sketch and a pool of photos to a score a candidate."""

import math
from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

from agents.eye import Eye, Pictures, Sighted
from agents.heads import Sight
from agents.matching import Matching
from agents.moment import Moment
from agents.reader import CanvasReader, ConvnetReader, ReaderConfig, TrunkReader
from agents.turns import Patience, Turns
from perception import ConvnetTrunk, Level, Linear, TimmTrunk, TrunkConfig, Trunks, build_learned, numbered
from raster.shapes import Float, Int, Tensor


class ReceiverConfig(BaseModel):
    """A looking agent: an eye for photos, a reader for sketches, and how the two are compared."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    trunk: TrunkConfig = Field(TimmTrunk(), discriminator="kind")
    """Whose features of the candidates it sees."""
    levels: tuple[Level, ...] = Field((3,), min_length=1)
    """Which levels of the trunk's pyramid: 0 is the finest; or their names, where the trunk's kind gives them some."""
    pixels: bool = False
    """Also sees the candidates themselves through a small learned convnet."""
    pixel_channels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field((32, 64, 96), min_length=1, max_length=8)
    """Channels of each layer of that convnet."""
    reader: ReaderConfig = ConvnetReader()
    """How it reads the canvas."""
    hidden: int = Field(256, ge=1)
    """Width of the hidden layers."""
    dims: int = Field(128, ge=1)
    """Length D of the vectors that are compared."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout rate on the trunk's features."""
    score: Literal["cosine", "dot", "attention"] = "cosine"
    """``cosine`` times a learned temperature (at most 50), the paper's plain ``dot`` product, or ``attention``: each
    place of a candidate looks for its like on the canvas, and cosines are averaged over places."""
    temperature: float = Field(10.0, gt=0, le=50)
    """Where the learned temperature starts (not of ``dot``)."""
    heads: int = Field(4, ge=1)
    """Heads of the ``attention``; they share ``dims``."""

    threshold: bool = False
    """Learns above which score a candidate is a target, and takes it off all scores, so that those above 0 are taken.
    Games with several targets need it; where one candidate is to be taken it changes nothing."""

    @model_validator(mode="after")
    def _fits(self) -> "ReceiverConfig":
        numbered(self.trunk, self.levels)
        if self.score == "attention" and self.dims % self.heads:
            raise ValueError(f"{self.heads} heads cannot share dims of {self.dims}: take a multiple")
        return self


class Receiver(CanvasReader):
    """Embeds the canvas and the candidates in one space and scores each candidate.

    Candidates are embedded once a pool, however many games are played on it: B games against G pools of K
    cost G x K embeddings and one matrix product, or under ``attention`` B x K small ones (``Matching``). ``inks`` is
    the channels of the canvas: 1, or 3 where senders have colours. ``learn`` gives the modules of trunks that are
    learned. ``turns`` is there for a game of turns alone, in which it also decides when it has seen enough.
    """

    def __init__(
        self,
        config: ReceiverConfig,
        pictures: Pictures,
        canvas: int,
        trunks: Trunks,
        learn: Callable[[TrunkConfig], nn.Module] = build_learned,
        inks: int = 1,
        turns: Turns | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.eye = Eye(config.trunk, config.levels, config.hidden, config.dropout, pictures, learn)
        self.glance = (
            Eye(ConvnetTrunk(channels=config.pixel_channels), (), config.hidden, 0.0, pictures, learn)
            if config.pixels
            else None
        )  # pixels beside features
        wide = config.hidden * (2 if config.pixels else 1)
        attends = config.score == "attention"
        self.photo: nn.Module = nn.Identity() if attends else Linear(wide, config.dims)
        reader = config.reader
        seen = self.learn_to_read(reader, canvas, inks, trunks, learn)
        flat = seen[0].numel()
        first = Linear(flat, config.hidden)
        last: nn.Module = nn.Identity() if attends else Linear(config.hidden, config.dims)
        alike = isinstance(reader, TrunkReader) and (
            (reader.trunk, numbered(reader.trunk, (reader.level,)))
            == (config.trunk, numbered(config.trunk, config.levels))
        )
        self.sketch = nn.Sequential(first, nn.ReLU(), last)
        # A canvas of another size than the photos has other places; an eye with pixels gives longer vectors.
        self._alike = alike and not config.pixels and flat == self.eye.project.in_features
        self.read_as_the_eye()
        self.scale = nn.Parameter(torch.tensor(math.log(config.temperature)))
        self.threshold = nn.Parameter(torch.zeros(())) if config.threshold else None
        self.matching: Matching | None = None
        if attends:
            _, channels, height, width = seen.shape
            shapes = [shape for eye in self._eyes() for shape in eye.shapes]
            of_canvas = [(channels, height, width)]
            self.matching = Matching(of_canvas, shapes, config.hidden, wide, config.dims, config.heads)
        self.patience = None if turns is None else Patience(turns.count)  # last: without it all else starts the same

    def read_as_the_eye(self) -> None:
        """Where sketches are read through the trunk of the eye, begin to see them as the eye sees photos."""
        if self._alike:
            self.sketch[0].load_state_dict(self.eye.project.state_dict())
            self.sketch[2].load_state_dict(self.photo.state_dict())

    def _eyes(self) -> list[Eye]:
        return [self.eye] if self.glance is None else [self.eye, self.glance]

    def embed_canvas(self, canvas: Float[Tensor, "b *ink h w"]) -> Float[Tensor, "b *places d"]:
        """Sketches to vectors [B, D] (unit length under ``cosine``); under ``attention`` to places [B, L, D]."""
        if self.matching is None:
            return self._unit(self.sketch(self._read(canvas)))
        look = self._look(canvas)
        return self.matching.of_canvas(Sight(self.sketch(look.flatten(1)), [look]))

    def embed_photos(self, view: Sighted, moment: Moment) -> Float[Tensor, "n *places d"]:
        """Photos to vectors [N, D] (unit length under ``cosine``); under ``attention`` to places [N, L, D]."""
        eyes = self._eyes()
        maps = [eye.maps(view) for eye in eyes]
        seen = [eye.vector(each, moment) for eye, each in zip(eyes, maps, strict=True)]  # [N, hidden] each
        whole = torch.relu(torch.cat(seen, dim=-1))
        if self.matching is None:
            return self._unit(self.photo(whole))
        places = [moment.dropout(place, eye.dropout) for eye, each in zip(eyes, maps, strict=True) for place in each]
        return self.matching.of_photos(Sight(whole, places))

    def _unit(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=-1) if self.config.score == "cosine" else x

    def compare(
        self,
        message: Float[Tensor, "*b_and_places d"],
        pools: Float[Tensor, "*gk_and_places d"],
        pool_of: Int[Tensor, "*rows b"],
    ) -> Float[Tensor, "*rows b k"]:
        """Scores of each game's message [B, D] against the candidates [G, K, D] of its own pool, as they were embedded;
        where both attend, with their places [B, L, D] and [G, K, L, D]. Of several agents where they do not: [A, B, D]
        and [A, G, K, D].
        """
        if self.matching is not None:
            scores = self.matching(message, pools, pool_of)
        else:
            scores = torch.einsum("...bd,...gkd->...bgk", message, pools)
            scores = scores.take_along_dim(pool_of[..., None, None], dim=-2)[..., 0, :]
        if self.config.score != "dot":
            scores = scores * self._sharpness()[..., None, None]
        return scores if self.threshold is None else scores - self.threshold[..., None, None]

    def _sharpness(self) -> Float[Tensor, "*rows"]:
        return self.scale.clamp(max=math.log(50.0)).exp()

    def score(
        self, canvas: Float[Tensor, "b *ink h w"], pool: Sighted, pools: int, pool_of: Int[Tensor, " b"], moment: Moment
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
