"""The packaged networks with their classifiers: what a picture shows, in the words of ImageNet."""

import re
from collections.abc import Sequence
from functools import cache

import torch
from torch import nn

from perception import weights
from perception._folding import fold_batch_norms
from perception._lean import make_lean
from perception._parts import in_parts
from perception.config import TimmTrunk
from perception.trunk import resize
from raster.errors import InputError
from raster.shapes import Float, Tensor


class Classifier(nn.Module):
    """The network ``packaged`` or ``judge`` with the classifier that it was trained with: 1,000 ImageNet labels.

    Args:
        name: which of the two.
        size: pictures are resized to so many pixels a side first; what it was trained on, 224 and 260, when left out.
        device: where it computes.

    Raises:
        InputError: another name, or its package is not installed.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str = "packaged", size: int | None = None, device: torch.device | str = "cpu") -> None:
        super().__init__()
        if name not in weights.PACKAGES:
            raise InputError(f"only {' and '.join(weights.PACKAGES)} come with a classifier, not {name!r}")
        config = TimmTrunk(name=name)
        self.net: nn.Module = weights.full_network(config.architecture)
        state = weights.state_for(config)
        assert state is not None
        self.net.load_state_dict(state)
        self.size = size or weights.PACKAGES[name].size
        self.register_buffer("mean", torch.tensor(weights.LITE_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(weights.LITE_STD).view(3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)
        picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
        fold_batch_norms(self.net, picture)
        make_lean(self.net)
        self.to(device).to(memory_format=torch.channels_last)

    def forward(self, rgb: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b labels"]:
        """Logits of pictures in [0, 1]."""
        x = ((resize(rgb, self.size) - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        return in_parts(lambda part: [self.net(part)], x, self.net.parameters())[0]


def classify(rgb: Float[Tensor, "b 3 h w"], name: str = "packaged", size: int | None = None) -> Float[Tensor, "b _"]:
    """ImageNet logits of pictures, by a ``Classifier`` that is built for this call alone; without gradients."""
    with torch.no_grad():
        found: Tensor = Classifier(name, size, rgb.device)(rgb)
    return found


def labels_named(names: Sequence[str]) -> dict[int, list[int]]:
    """Which ImageNet labels have these names: position among ``names`` to the numbers of the labels, those found only.

    A name fits a label if it is one of the label's words for it (``lion, king of beasts, Panthera leo`` has three),
    whatever the case and the marks between words. That is all: a *dog* fits no label, since there are a hundred breeds,
    and a *kite* is a bird there.

    >>> labels_named(["lion", "soccer-ball", "dog"])
    {0: [291], 1: [805]}
    """
    known = _by_word()
    return {number: known[_plain(name)] for number, name in enumerate(names) if _plain(name) in known}


@cache
def _by_word() -> dict[str, list[int]]:
    from timm.data import ImageNetInfo  # here, not above: it takes a second

    found: dict[str, list[int]] = {}
    for number, words in enumerate(ImageNetInfo().label_descriptions()):
        for word in words.split(","):
            found.setdefault(_plain(word), []).append(number)
    return found


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", word.lower()).strip()
