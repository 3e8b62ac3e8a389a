"""Networks as feature pyramids: frozen, or handed to an agent to learn on."""

import re
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from perception import weights
from perception._folding import fold_batch_norms
from perception._lean import make_lean
from perception._open_clip import ClipPyramid, open_clip_network
from perception._parts import in_parts
from perception._pyramid import Pyramid
from perception._torchvision import MEAN, STD, Chain, torchvision_network
from perception.config import (
    ConvnetTrunk,
    FrozenTrunk,
    MlpTrunk,
    OpenClipTrunk,
    TimmTrunk,
    TorchvisionTrunk,
    TrunkConfig,
    as_frozen,
)
from perception.convnet import Convnet
from perception.mlp import Mlp
from raster.errors import InputError
from raster.paper import on_paper
from raster.shapes import Float, Tensor, UInt8


class Trunk(nn.Module):
    """A network that turns pictures into features at several depths (levels). Made by `build_trunk`.

    Always in eval mode; gradients reach the picture. In a frozen one no parameter asks for a gradient. In one that is
    learned on all do, but statistics of BatchNorms stay what they are: they are weights like others, and what an agent
    sees of a picture does not hang on the rest of a batch.

    Attributes:
        key: name, hash of weights, and size: says which features these are, in the names of cached files.
        channels: channels of each level.
        strides: pixels of the (resized) picture a side of each level's places.
        size: pictures are resized to this many pixels a side; None: as they come.
        passes: how many pictures have gone through so far.
        folded: how many BatchNorms were folded into convolutions.
        pace: step size of one that is learned on, as a part of the agents'; None for a frozen one.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        pyramid: Pyramid | ClipPyramid | Chain,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        size: int | None,
        key: str,
        folded: int = 0,
        pace: float | None = None,
    ) -> None:
        super().__init__()
        self.pyramid = pyramid
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)
        self.size, self.key, self.folded, self.pace = size, key, folded, pace
        self.channels, self.strides = pyramid.channels, pyramid.strides
        self.passes = 0
        self.requires_grad_(pace is not None)
        self.train(False)

    def train(self, mode: bool = True) -> "Trunk":
        """Stays in eval mode, whatever a surrounding module is switched to."""
        return super().train(False)

    def forward(self, rgb: Float[Tensor, "b 3 h w"], levels: Sequence[int]) -> list[Float[Tensor, "b _ _ _"]]:
        """Features ``[B, C, h, w]`` of pictures in [0, 1] at each of `levels`, in their order.

        Level 0 is the shallowest; nothing deeper than the deepest of `levels` is run. Raises InputError for a level
        that the network does not have.
        """
        self._check(levels)
        self.passes += rgb.shape[0]
        if not levels:
            return []
        x = rgb if self.size is None else resize(rgb, self.size)
        x = (x - self.mean) / self.std
        x = x.contiguous(memory_format=torch.channels_last)
        return list(in_parts(lambda part: self.pyramid(part, levels), x, self.pyramid.parameters()))

    def extract(
        self, pixels: UInt8[Tensor, "n 3 h w"], levels: Sequence[int], chunk: int | None = None
    ) -> list[Float[Tensor, "n _ _ _"]]:
        """Float16 features of bytes 0..255 at `levels`, without gradients, `chunk` pictures at a time.

        They lie on the device of `pixels`; each chunk is taken to the trunk's. Values beyond float16 are clamped.
        The chunk is chosen by the pictures' area unless given. Raises InputError when there are no pictures.
        """
        self._check(levels)
        if not len(pixels):
            raise InputError("no pictures to look at", None, "give at least one")
        chunk = chunk or self._chunk(pixels)
        made: list[Tensor] = []
        half = torch.finfo(torch.float16)
        with torch.no_grad():
            for start in range(0, len(pixels), chunk):
                part = pixels[start : start + chunk]
                rgb = part.to(self.mean.device).to(torch.float32) / 255
                features = self(rgb, levels)
                if not made:
                    made = [pixels.new_empty((len(pixels), *f.shape[1:]), dtype=torch.float16) for f in features]
                for whole, feature in zip(made, features, strict=True):
                    whole[start : start + len(part)] = feature.clamp(half.min, half.max)
        return made

    @property
    def deepest(self) -> int:
        """The number of its last level."""
        return len(self.channels) - 1

    def embed_text(self, words: Sequence[str]) -> Float[Tensor, "n d"]:
        """Embeddings of texts, one a row, in the space of the last level; without gradients.

        Raises InputError for a network that reads no text: only those of kind ``open_clip`` do.
        """
        if not isinstance(self.pyramid, ClipPyramid):
            raise InputError(f"the trunk {self.key} reads no text", None, "take a trunk of kind open_clip")
        with torch.no_grad():
            return self.pyramid.embed_text(words, self.mean.device)

    def _chunk(self, pixels: UInt8[Tensor, "n 3 h w"]) -> int:
        # 32 pictures of 64 px was the fastest on a CPU (docs/perception.md): fewer pay for each call, more fall out
        # of its cache. An accelerator wants more at once.
        area = pixels.shape[2] * pixels.shape[3] if self.size is None else self.size**2
        room = (32 if self.mean.device.type == "cpu" else 1024) * 64 * 64
        return max(1, room // area)

    def shapes(self, levels: Sequence[int], height: int, width: int) -> list[tuple[int, int, int]]:
        """(C, h, w) of `levels` for pictures of that size, found by running one; not counted in `passes`."""
        passes = self.passes
        with torch.no_grad():
            features = self(self.mean.new_zeros(1, 3, height, width), levels)
        self.passes = passes
        return [(f.shape[1], f.shape[2], f.shape[3]) for f in features]

    def _check(self, levels: Sequence[int]) -> None:
        for level in levels:
            if not 0 <= level < len(self.channels):
                have = f"it has {len(self.channels)}, 0 to {len(self.channels) - 1}"
                raise InputError(f"the trunk {self.key} has no level {level}", None, have)


def resize(rgb: Float[Tensor, "b c h w"], size: int) -> Float[Tensor, "b c size size"]:
    """Pictures at size x size pixels, bilinear, antialiased; as they are if they have that size."""
    if tuple(rgb.shape[-2:]) == (size, size):
        return rgb
    return F.interpolate(rgb, (size, size), mode="bilinear", antialias=True)


def build_trunk(config: FrozenTrunk, device: torch.device | str = "cpu") -> Trunk:
    """The network of `config` on `device` ("meta" works too).

    The global random state is left as it was. Raises InputError for a name that timm does not know, for weights that
    are missing, damaged or of another network, and when the hub cannot be reached.
    """
    if isinstance(config, OpenClipTrunk):
        pyramid, mean, std = open_clip_network(config)
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", config.name)
        key = f"open_clip-{name}-{weights.fingerprint(pyramid)}-{pyramid.size}"
        return Trunk(pyramid, mean=mean, std=std, size=pyramid.size, key=key).to(device)
    pace = None if config.frozen else config.pace
    if isinstance(config, TorchvisionTrunk):
        chain = torchvision_network(config).requires_grad_(False)
        digest = weights.fingerprint(chain)
        folded = fold_batch_norms(chain, torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1)
        chain = chain.to(memory_format=torch.channels_last)
        key = f"torchvision-{config.name}-{digest}-{config.size or 'full'}"
        made = Trunk(chain, mean=MEAN, std=STD, size=config.size, key=key, folded=folded, pace=pace)
        return made.to(device)
    net, cfg = _features(config)
    net = net.eval().requires_grad_(False)
    digest = weights.fingerprint(net)
    size = config.size
    if size is None and cfg.get("fixed_input_size"):
        size = cfg["input_size"][-1]
    side = size or min(96, cfg["input_size"][-1])
    picture = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    folded = fold_batch_norms(net, picture)
    if pace is None:
        make_lean(net)
    net = net.requires_grad_(False).to(memory_format=torch.channels_last)
    mean, std = (
        (weights.LITE_MEAN, weights.LITE_STD) if config.source in weights.PACKAGES else (cfg["mean"], cfg["std"])
    )
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", config.architecture)
    key = f"{name}-{digest}-{size or 'full'}"
    return Trunk(Pyramid(net), mean=mean, std=std, size=size, key=key, folded=folded, pace=pace).to(device)


def build_learned(config: TrunkConfig) -> Convnet | Mlp | Trunk:
    """A network on the CPU that an agent learns: a fresh convnet or perceptron, or a trunk to go on from.

    The weights of a fresh one come from torch's global generator: make it under ``torch.random.fork_rng``. A trunk's do
    not.
    """
    if isinstance(config, MlpTrunk):
        return Mlp(config)
    return Convnet.of(config) if isinstance(config, ConvnetTrunk) else build_trunk(config)


def _features(config: TimmTrunk) -> tuple[Any, dict[str, Any]]:
    """The feature network with its weights, and timm's notes on it."""
    options: dict[str, Any] = {"features_only": True}
    state = weights.state_for(config)
    if state is not None:
        options["pretrained_cfg_overlay"] = {"state_dict": dict(state), "source": ""}
    if config.size is not None and weights.fixed_size(config.architecture):
        options["img_size"] = config.size
    try:
        net = weights.create(config.architecture, pretrained=config.source != "random", **options)
    except InputError:
        raise
    except Exception as error:
        raise weights.why_not(config, error) from error
    cfg = dict(net.pretrained_cfg)
    if state is not None:
        net.pretrained_cfg["state_dict"] = None  # a second copy of all weights
    return net, cfg


class Trunks:
    """Every frozen trunk that a run needs, each built once: ``trunks[config]``."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._built: dict[FrozenTrunk, Trunk] = {}
        self._looked: dict[Trunk, tuple[Tensor, list[Tensor]]] = {}

    def __getitem__(self, config: FrozenTrunk) -> Trunk:
        """The trunk of `config`, frozen whatever it says; equal configs share one."""
        config = key = as_frozen(config)
        if isinstance(config, TimmTrunk):
            key = config.model_copy(update={"name": config.architecture, "weights": config.source})
        if key not in self._built:
            self._built[key] = build_trunk(config, self.device)
        return self._built[key]

    def sketches(
        self, config: FrozenTrunk, canvas: Float[Tensor, "b *ink h w"], levels: Sequence[int], some: int | None = None
    ) -> list[Float[Tensor, "s _ _ _"]]:
        """Features of drawings on white paper at `levels`, as ``Trunk.forward`` gives them: the first `some`, or all.

        A look at a whole canvas is kept, all levels on the way included, until another canvas or `forget` comes: so
        whoever asks next about the same tensor (a bias, after the receiver) costs no second pass.
        """
        trunk = self[config]
        count = canvas.shape[0] if some is None else some
        kept, found = self._looked.get(trunk, (None, []))
        wanted = torch.is_grad_enabled() and canvas.requires_grad
        if kept is not canvas or len(found) <= max(levels) or found[0].requires_grad != wanted:
            if count < canvas.shape[0]:
                return trunk(on_paper(canvas[:count].float()), levels)
            found = trunk(on_paper(canvas.float()), range(max(levels) + 1))
            self._looked[trunk] = (canvas, found)
        return [found[level][:count] for level in levels]

    def forget(self) -> None:
        """Drop the features of the last canvas."""
        self._looked = {}

    @property
    def passes(self) -> int:
        """Pictures that have gone through any of them so far."""
        return sum(trunk.passes for trunk in self._built.values())
