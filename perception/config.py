"""Which trunk looks at the pictures, as a config says it."""

import difflib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from raster.errors import InputError

WORDS = ("auto", "hub", "packaged", "judge", "random")
ARCHITECTURES = {"packaged": "tf_efficientnet_lite0", "judge": "tf_efficientnet_lite2"}


class TimmTrunk(BaseModel):
    """A frozen timm backbone as a feature pyramid.

    A ViT and its like also work: all their levels have one stride. Models of one fixed input size are fed
    pictures resized to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["timm"] = "timm"
    name: str = Field("packaged", min_length=1)
    """A timm model name, or ``packaged`` (tf_efficientnet_lite0) or ``judge`` (tf_efficientnet_lite2)."""
    weights: str = Field("auto", min_length=1)
    """``hub`` (downloaded by timm), ``packaged`` or ``judge`` (installed with lascaux, no network), ``random``,
    or a path to a .safetensors, .pth or .pt file of timm's tensor names. ``auto``: packaged and judge for the models
    of those names, else hub."""
    size: int | None = Field(None, ge=8, le=4096)
    """Pictures are resized to size x size pixels first. None: as they come."""

    @property
    def architecture(self) -> str:
        """The timm name of the network."""
        return ARCHITECTURES.get(self.name, self.name)

    @property
    def source(self) -> str:
        """Where the weights come from, with ``auto`` resolved."""
        if self.weights != "auto":
            return self.weights
        return self.name if self.name in ARCHITECTURES else "hub"

    @field_validator("weights")
    @classmethod
    def _a_word_or_a_file(cls, weights: str) -> str:
        if weights in WORDS or Path(weights).suffix in (".safetensors", ".pth", ".pt"):
            return weights
        near = difflib.get_close_matches(weights, WORDS, 1)
        words = ", ".join(WORDS)
        do = f"did you mean {near[0]!r}?" if near else f"say one of {words}, or a .safetensors, .pth or .pt file"
        raise InputError(f"no such weights: {weights!r}", None, do)

    @model_validator(mode="after")
    def _weights_fit_the_network(self) -> "TimmTrunk":
        fits = ARCHITECTURES.get(self.source, self.architecture)
        if self.architecture != fits:
            raise InputError(
                f"the weights {self.source!r} belong to {fits}, not to {self.architecture}",
                None,
                f"say name: {self.source}, or other weights",
            )
        return self


class OpenClipTrunk(BaseModel):
    """The image encoder of a CLIP model (Radford et al. 2021) as a pyramid of one level: its embedding, [B, D, 1, 1].

    Needs the package open_clip_torch: ``pip install 'lascaux[clip]'``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["open_clip"] = "open_clip"
    name: str = Field("ViT-B-32-quickgelu", min_length=1)
    """A model name of open_clip. (OpenAI's weights are of the networks whose names end in quickgelu.)"""
    weights: str = Field("openai", min_length=1)
    """A tag of open_clip (downloaded), a path to a weight file, or ``random``."""


class ConvnetTrunk(BaseModel):
    """A small convolutional network that an agent learns itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["convnet"] = "convnet"
    channels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field((32, 64, 96), min_length=1, max_length=8)
    """Channels after each convolution; the first has stride 4, the others 2."""
    norm: Literal["group", "none"] = "group"
    """GroupNorm after each convolution, or nothing. (Never BatchNorm: agents are trained side by side.)"""
    shared: bool = False
    """One network for the photo and the sketch, or one each."""


FrozenTrunk = Annotated[TimmTrunk | OpenClipTrunk, Field(discriminator="kind")]
TrunkConfig = Annotated[TimmTrunk | ConvnetTrunk, Field(discriminator="kind")]


def uses_judge(config: TimmTrunk | OpenClipTrunk | ConvnetTrunk) -> bool:
    """Does this trunk hold the judge's trained eye? Agents and losses must refuse it: it is kept for the probes.

    True for the name or the weights ``judge``, for the judge's own file given as a path, and for pretrained
    tf_efficientnet_lite2 by any other way (the hub's are the same weights); False for random weights.
    """
    if not isinstance(config, TimmTrunk) or config.source == "random":
        return False
    if config.source == "judge" or config.architecture.split(".")[0] == ARCHITECTURES["judge"]:
        return True
    return "efficientnet-lite2" in Path(config.source).name
