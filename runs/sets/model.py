"""What learns: an encoder of what is told, and a decoder of sets."""

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from perception import Convnet
from perception.sets import (
    DSPN,
    Decoded,
    ImplicitDSPN,
    SetDecoder,
    build_set_decoder,
    build_set_encoder,
)
from raster.shapes import Float, Tensor
from runs.sets.config import (
    ConvnetEncoder,
    OwnEncoder,
    ResNetEncoder,
    SetsConfig,
    TrunkEncoder,
    VectorEncoder,
)


class SetPredictor(nn.Module):
    """From what is told [B, ...] to sets [B, N, C]. Its first weights hang on ``config.seed`` alone.

    Args:
        config: which encoder and which decoder.
        shape: of one thing that is told, without the batch: (D,), (M, C) or (C, H, W).
        seed: replaces ``config.seed``: other first weights.
    """

    def __init__(self, config: SetsConfig, shape: Sequence[int], seed: int | None = None) -> None:
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(config.seed if seed is None else seed)
            self.eye = _encoder(config, shape)
            self.norm = nn.BatchNorm1d(config.latent) if config.norm == "batch" else None
            decoder: object = build_set_decoder(
                config.decoder, config.latent, config.task.slots, config.task.fields.channels
            )
        assert isinstance(decoder, nn.Module)
        self.decoder = decoder

    def members(self) -> dict[str, nn.Module]:
        """What a checkpoint holds, by name."""
        parts = {"encoder": self.eye, "norm": self.norm, "decoder": self.decoder}
        return {name: part for name, part in parts.items() if part is not None}

    def encode(self, given: Tensor) -> Float[Tensor, "b l"]:
        """What is told as a vector. Bytes are taken to [0, 1], features of half precision to float32."""
        given = given.float() / 255 if given.dtype == torch.uint8 else given.float()
        if self.eye is not None:
            return self.eye(given) if self.norm is None else self.norm(self.eye(given))
        assert isinstance(self.decoder, DSPN | ImplicitDSPN)
        return self.decoder.encode(given)

    def meet(self, wanted: Float[Tensor, "b n c"]) -> None:
        """Let the inner loop measure encodings by their spread over true sets, as ``norm: batch`` does the vector.

        Before the first step; without ``norm: batch`` or an inner loop it does nothing. As they come, the vector of
        `sets/state` was out of the reach of encodings within forty steps, and the loop closed nothing of the gap.
        """
        if self.norm is not None and isinstance(self.decoder, DSPN | ImplicitDSPN):
            self.decoder.standardise(wanted)

    def decode(
        self, z: Float[Tensor, "b l"], generator: torch.Generator | None = None, steps: int | None = None
    ) -> Decoded:
        """The set that a vector describes.

        Args:
            z: the vector.
            generator: feeds random starts.
            steps: inner steps instead of the decoder's own; of decoders that have them.
        """
        if isinstance(self.decoder, DSPN | ImplicitDSPN):
            return self.decoder(z, None, generator, steps=steps)
        assert isinstance(self.decoder, SetDecoder)
        return self.decoder(z, None, generator)

    def represented(self, wanted: Float[Tensor, "b n c"], z: Float[Tensor, "b l"]) -> Float[Tensor, " b"] | None:
        """How far the decoder's encoding of the true sets is from z; None where nothing pulls at it."""
        if not isinstance(self.decoder, DSPN) or self.eye is None or not self.config.represent:
            return None
        return self.decoder.gap(wanted, z)


def _encoder(config: SetsConfig, shape: Sequence[int]) -> nn.Module | None:
    """The encoder of what is told; None where the decoder's own is taken."""
    encoder, latent = config.encoder, config.latent
    if isinstance(encoder, OwnEncoder):
        return None
    if isinstance(encoder, VectorEncoder):
        return _layers([shape[0], *encoder.hidden, latent])
    if isinstance(encoder, ConvnetEncoder):
        norm = encoder.norm
        net = Convnet(shape[0], encoder.channels, "none" if norm == "batch" else norm)
        c, h, w = net.shape(shape[1], shape[2])
        return nn.Sequential(_BatchNormed(net) if norm == "batch" else net, nn.Flatten(), nn.Linear(c * h * w, latent))
    if isinstance(encoder, TrunkEncoder):
        return _head(shape, encoder.channels, latent)
    if isinstance(encoder, ResNetEncoder):
        return _resnet(encoder, latent)
    made = build_set_encoder(encoder, config.task.channels, latent)
    assert isinstance(made, nn.Module)
    return made


class _BatchNormed(nn.Module):
    """A `Convnet` with BatchNorm after each convolution: [B, Cin, H, W] -> [B, C, h, w], from 4 pixels up.

    No agent has one, whose lessons must not hang on its neighbours in a batch; here nobody plays.
    """

    def __init__(self, net: Convnet) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for layer in net.layers:
            layers.append(layer)
            if isinstance(layer, nn.Conv2d):
                layers.append(nn.BatchNorm2d(layer.out_channels))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "b cin h w"]) -> Float[Tensor, "b c h2 w2"]:
        """Features of pictures."""
        return self.layers(x)


def _layers(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _head(shape: Sequence[int], channels: Sequence[int], latent: int) -> nn.Sequential:
    """From feature maps [B, C, h, w], each channel brought to one scale first, to the latent."""
    layers: list[nn.Module] = [nn.BatchNorm2d(shape[0])]
    c, h, w = shape
    for after in channels:
        layers += [nn.Conv2d(c, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        c, h, w = after, (h + 1) // 2, (w + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(c * h * w, latent))


def _resnet(config: ResNetEncoder, latent: int) -> nn.Sequential:
    """The papers' networks of pictures.

    Source: Zhang, Hare and Prügel-Bennett (NeurIPS 2019), appendix, for ``vector``; Zhang and others (ICLR 2022),
    appendix, for ``grid``.
    """
    import timm  # seconds, and only here

    net = timm.create_model(config.name, pretrained=False, num_classes=0, global_pool="")
    width = int(net.num_features)  # type: ignore[arg-type]
    even = nn.AdaptiveAvgPool2d(4)  # 128 pixels give 4 x 4 by themselves
    if config.head == "vector":
        down = [nn.Conv2d(width, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        return nn.Sequential(net, even, *down, nn.Conv2d(width, latent, 2), nn.Flatten())
    return nn.Sequential(net, even, nn.BatchNorm2d(width), nn.Conv2d(width, latent // 4, 2, stride=2), nn.Flatten())
