"""VGG16 and ResNet50 of torchvision as pyramids of named levels."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn

from perception import weights
from perception.config import TorchvisionTrunk
from raster.errors import InputError
from raster.shapes import Float, Tensor

# What both were trained with; the files of Stylized-ImageNet too.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CHANNELS = {"vgg16": (64, 128, 256, 512, 512), "resnet50": (64, 256, 512, 1024, 2048)}
_STRIDES = {"vgg16": (1, 2, 4, 8, 16), "resnet50": (2, 4, 8, 16, 32)}
# Where VGG16's list of layers is cut: after the last ReLU before each pooling; what follows the fifth is not needed.
_CUTS = (0, 4, 9, 16, 23, 30)


class Chain(nn.Module):
    """A pyramid whose level n is what its n-th part makes of level n - 1; run no further than asked.

    Attributes:
        channels: channels of each level.
        strides: pixels of the picture a side of each level's places.
    """

    def __init__(self, parts: Sequence[nn.Module], channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.channels, self.strides = tuple(channels), tuple(strides)

    def forward(self, x: Float[Tensor, "b 3 h w"], levels: Sequence[int] | None = None) -> list[Tensor]:
        """Features of `x`, already normalised, at `levels` (all when left out)."""
        wanted = range(len(self.parts)) if levels is None else levels
        found: list[Tensor] = []
        for part in list(self.parts)[: max(wanted) + 1]:
            x = part(x)
            found.append(x)
        return [found[level] for level in wanted]


def torchvision_network(config: TorchvisionTrunk) -> Chain:
    """The network of `config` in eval mode on the CPU; the global random state is left as it was.

    Raises InputError when the hub cannot be reached, and for a file that is missing, damaged or of another network.
    """
    net: Any = _untrained(config.name)
    if config.weights != "random":
        given = _from_the_hub(config.name) if config.weights == "hub" else weights.read_tensors(config.weights)
        # As torch's DataParallel names them, over the whole network or over VGG's features alone.
        plain = {name.replace("module.", ""): each for name, each in given.items()}
        wanted = {name: each for name, each in net.state_dict().items() if not name.startswith("fc.")}
        whole = weights.checked(plain, wanted, f"torchvision's {config.name}", Path(config.weights))
        net.load_state_dict(whole, strict=False)  # the classifier is not looked at
    if config.name == "vgg16":
        layers = list(net["features"])
        parts = [nn.Sequential(*layers[start:end]) for start, end in pairwise(_CUTS)]
    else:
        stem = nn.Sequential(net.conv1, net.bn1, net.relu)
        parts = [stem, nn.Sequential(net.maxpool, net.layer1), net.layer2, net.layer3, net.layer4]
    return Chain(parts, _CHANNELS[config.name], _STRIDES[config.name]).eval()


def _untrained(name: str) -> nn.Module:
    """The network with random weights, the same everywhere; VGG16 without its classifier, nine tenths of it."""
    from torchvision import models  # here, not above: it takes a second, and configs are read without it

    with torch.random.fork_rng(devices=[]):
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        torch.random.default_generator.manual_seed(seed)
        if name == "resnet50":
            return models.resnet50()
        features = models.vgg.make_layers(models.vgg.cfgs["D"])
        for layer in features:
            if isinstance(layer, nn.Conv2d):  # as torchvision begins
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        return nn.ModuleDict({"features": features})


def _from_the_hub(name: str) -> dict[str, Tensor]:
    from torchvision import models

    try:
        return models.get_model_weights(name)["IMAGENET1K_V1"].get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # whatever a download fails with
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        do = "go online once, give a file (weights: PATH), or take {kind: timm}, which needs no network"
        raise InputError(f"cannot get the weights of {name} from torchvision, {why}", None, do) from error
