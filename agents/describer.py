"""Who looks and describes: a drawing to the set of what is in it."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from agents.moment import Moment
from agents.reader import CanvasReader, ConvnetReader, ReaderConfig
from perception import TrunkConfig, Trunks, build_learned
from perception.sets import CLEVR, Decoded, MLPDecoderConfig, SetDecoder, SetDecoderConfig, build_set_decoder
from raster.shapes import Float, Tensor


class DescriberConfig(BaseModel):
    """A describing agent, of the game ``description``: a reader for sketches, and how a set comes of what it reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    reader: ReaderConfig = ConvnetReader()
    """How it reads the canvas."""
    hidden: int = Field(256, ge=1)
    """Width of the layer between all places of the canvas and the latent vector."""
    latent: int = Field(128, ge=1, le=8192)
    """Numbers of the vector that a set is decoded from, L."""
    slots: int = Field(10, ge=1, le=64)
    """Objects that it can tell of, at most, N."""
    decoder: SetDecoderConfig = MLPDecoderConfig()
    """How the vector becomes a set."""


class Describer(CanvasReader):
    """Canvas -> reader -> two layers -> set decoder -> ``Decoded``, sets [B, N, C] of CLEVR's objects
    (``perception.sets.CLEVR``).

    Args:
        config: the agent.
        canvas: pixels on a side of what it is given.
        trunks: the run's frozen trunks.
        learn: gives the module of a trunk that is learned: a new one, or the community's shared one.
        inks: channels of what it is given: 1, or 3 where it is coloured.
    """

    def __init__(
        self,
        config: DescriberConfig,
        canvas: int,
        trunks: Trunks,
        learn: Callable[[TrunkConfig], nn.Module] = build_learned,
        inks: int = 1,
    ) -> None:
        super().__init__()
        self.config = config
        flat = self.learn_to_read(config.reader, canvas, inks, trunks, learn)[0].numel()
        self.vector = nn.Sequential(nn.Linear(flat, config.hidden), nn.ReLU(), nn.Linear(config.hidden, config.latent))
        decoder: object = build_set_decoder(config.decoder, config.latent, config.slots, CLEVR.channels)
        assert isinstance(decoder, nn.Module)
        self.decoder = decoder

    def describe(self, canvas: Float[Tensor, "b *ink h w"], moment: Moment) -> Decoded:
        """What is on B canvases, as sets [B, N, C]; a decoder that starts from noise takes the moment's.

        Args:
            canvas: ink in [0, 1], [B, H, W], or [B, 3, H, W] where it is coloured.
            moment: step and noise.
        """
        assert isinstance(self.decoder, SetDecoder)
        return self.decoder(self.vector(self._read(canvas)), None, moment.generator)
