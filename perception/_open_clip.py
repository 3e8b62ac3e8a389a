"""CLIP's two encoders by way of the package open_clip, which is installed only where it is wanted."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from perception.config import OpenClipTrunk
from raster.errors import InputError
from raster.shapes import Float, Tensor


class ClipPyramid(nn.Module):
    """A CLIP model as a pyramid of one level: the embedding of the whole picture, [B, D, 1, 1].

    Attributes:
        channels: (D,).
        strides: (size,): one place is the whole picture.
        size: pixels a side of the pictures that it takes.
    """

    def __init__(self, model: nn.Module, tokenise: Any) -> None:
        super().__init__()
        visual: Any = model.visual
        side = visual.image_size
        self.model, self.tokenise = model, tokenise
        self.size = int(side if isinstance(side, int) else side[0])
        self.channels: tuple[int, ...] = (int(visual.output_dim),)
        self.strides: tuple[int, ...] = (self.size,)

    def forward(self, x: Float[Tensor, "b 3 h w"], levels: Sequence[int]) -> list[Float[Tensor, "b d 1 1"]]:
        """The embedding of pictures, already normalised, once for each of `levels`."""
        model: Any = self.model
        found = model.encode_image(x)[..., None, None]
        return [found for _ in levels]

    def embed_text(self, words: Sequence[str], device: torch.device) -> Float[Tensor, "n d"]:
        """The embedding of texts, a row each."""
        model: Any = self.model
        return model.encode_text(self.tokenise(list(words)).to(device))


def open_clip_network(config: OpenClipTrunk) -> tuple[ClipPyramid, Sequence[float], Sequence[float]]:
    """The frozen network of `config` on the CPU, and the mean and deviation of the colours that it was trained on.

    The global random state is left as it was. Raises InputError where open_clip is not installed, for a name or tag
    that it does not know, and for weights that cannot be had.
    """
    try:
        import open_clip
    except ImportError as error:
        do = "pip install 'lascaux[clip]', or take a trunk of kind timm"
        raise InputError("a trunk of kind open_clip needs the package open_clip_torch", None, do) from error
    random = config.weights == "random"
    is_file = Path(config.weights).suffix in (".safetensors", ".pth", ".pt", ".bin")
    if is_file and not Path(config.weights).is_file():
        raise InputError("there is no such weight file", config.weights, "check the path")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)  # it tells there that random weights are random, and again what is raised below
    try:
        with torch.random.fork_rng(devices=[]):
            seed = int.from_bytes(hashlib.sha256(config.name.encode()).digest()[:4], "big")
            torch.random.default_generator.manual_seed(seed)  # "random" is the same network everywhere
            model = open_clip.create_model(config.name, pretrained=None if random else config.weights, device="cpu")
            tokenise = open_clip.get_tokenizer(config.name)
    except Exception as error:  # it raises whatever its downloads and files lead it to
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        do = "go online once, or give weights as a file; open_clip.list_pretrained() has the tags"
        what = f"open_clip cannot make {config.name} with weights {config.weights!r}, {why}"
        raise InputError(what, None, do) from error
    finally:
        root.setLevel(level)
    model = model.eval().requires_grad_(False)
    visual: Any = model.visual
    return ClipPyramid(model, tokenise), tuple(visual.image_mean), tuple(visual.image_std)
