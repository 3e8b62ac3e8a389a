"""Which trunk looks at the pictures, as a config says it."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from raster.errors import InputError

WORDS = ("auto", "hub", "packaged", "judge", "random")
ARCHITECTURES = {"packaged": "tf_efficientnet_lite0", "judge": "tf_efficientnet_lite2"}


# The levels of torchvision's networks by name, the finest first; VGG's are those of Simonyan & Zisserman 2015.
NAMED = {
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
    "resnet50": ("stem", "layer1", "layer2", "layer3", "layer4"),
}

Level: TypeAlias = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
"""A level of a pyramid: its number, 0 for the finest, or its name, where the network's levels have names."""


class _Tunable(BaseModel):
    """What the trunks share that come frozen, and may be made a part of the agents."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["timm", "torchvision"]
    frozen: bool = True
    """``false``: agents learn it on. Photos then pass through it in every step: nothing of theirs is cached."""
    shared: bool = False
    """Of one that is learned: one network for all agents that name it so, or one for each. (A frozen one is always
    shared.)"""
    pace: float = Field(0.1, gt=0, le=1)
    """Of one that is learned: its step size, as a part of ``train.lr``."""

    @model_validator(mode="after")
    def _only_what_is_learned_can_be_shared(self) -> "_Tunable":
        if self.shared and self.frozen:
            raise ValueError("a frozen trunk is shared by all as it is: leave shared out, or say frozen: false")
        return self


class TimmTrunk(_Tunable):
    """A timm backbone as a feature pyramid, frozen or learned on.

    A ViT and its like also work: all their levels have one stride. Models of one fixed input size are fed
    pictures resized to it.
    """

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


class TorchvisionTrunk(_Tunable):
    """VGG16 or ResNet50 of torchvision as a pyramid of five named levels, frozen or learned on.

    VGG16's are ``relu1_2``, ``relu2_2``, ``relu3_3``, ``relu4_3`` and ``relu5_3`` (strides 1 to 16), ResNet50's
    ``stem``, ``layer1``, ``layer2``, ``layer3`` and ``layer4`` (strides 2 to 32).
    """

    kind: Literal["torchvision"] = "torchvision"
    name: Literal["vgg16", "resnet50"] = "vgg16"
    """Which network."""
    weights: str = Field("hub", min_length=1)
    """``hub`` (torchvision's first ImageNet weights, downloaded), ``random``, or a path to a .safetensors, .pth, .pt or
    .tar file of torchvision's tensor names: those of Stylized-ImageNet (Geirhos et al. 2019) as they are published."""
    size: int | None = Field(None, ge=32, le=4096)
    """Pictures are resized to size x size pixels first. None: as they come."""

    @field_validator("weights")
    @classmethod
    def _a_word_or_a_file(cls, weights: str) -> str:
        words = ("hub", "random")
        if weights in words or Path(weights).suffix in (".safetensors", ".pth", ".pt", ".tar"):
            return weights
        near = difflib.get_close_matches(weights, words, 1)
        do = f"did you mean {near[0]!r}?" if near else "say hub, random, or a .safetensors, .pth, .pt or .tar file"
        raise InputError(f"no such weights: {weights!r}", None, do)


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
    """One network for all agents that name it so, or one for each."""


class MlpTrunk(BaseModel):
    """A multilayer perceptron on a small picture's grey pixels that an agent learns itself. The cheapest eye."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field((512,), min_length=1, max_length=8)
    """Widths of the layers, each with ReLU."""
    size: int = Field(28, ge=1, le=1024)
    """Pictures are resized to size x size pixels first."""
    shared: bool = False
    """One network for all agents that name it so, or one for each."""


ScratchTrunk: TypeAlias = ConvnetTrunk | MlpTrunk
"""What agents learn from nothing: it has no levels, only what comes out."""

_Frozen: TypeAlias = TimmTrunk | TorchvisionTrunk | OpenClipTrunk


def _stays_frozen(config: _Frozen) -> _Frozen:
    if is_learned(config):
        raise InputError("only agents learn a trunk on", None, "leave frozen: false out here")
    return config


FrozenTrunk = Annotated[_Frozen, Field(discriminator="kind"), AfterValidator(_stays_frozen)]
TrunkConfig = Annotated[_Frozen | ScratchTrunk, Field(discriminator="kind")]


def is_learned(config: _Frozen | ScratchTrunk) -> bool:
    """Whether this trunk is a part of the agents: a convnet, a perceptron, or a network with ``frozen: false``."""
    return isinstance(config, ScratchTrunk) or (isinstance(config, _Tunable) and not config.frozen)


def as_frozen(config: _Frozen) -> _Frozen:
    """The same network as it is before anybody learns it on."""
    if isinstance(config, OpenClipTrunk):
        return config
    return config.model_copy(
        update={"frozen": True, "shared": False, "pace": type(config).model_fields["pace"].default}
    )


def numbered(config: _Frozen | ScratchTrunk, levels: Sequence[int | str]) -> tuple[int, ...]:
    """The numbers of ``levels``, some of which may be names; none for what is learned from nothing.

    Raises InputError for a name that there is not, and for a number beyond the last of a network whose levels are
    known before it is built (how many a timm network has is seen when it is).

    >>> numbered(TorchvisionTrunk(name="vgg16"), ["relu1_2", 4, "relu3_3"])
    (0, 4, 2)
    """
    names = NAMED[config.name] if isinstance(config, TorchvisionTrunk) else ()
    whose = config.name if isinstance(config, TorchvisionTrunk) else f"a trunk of kind {config.kind}"
    for level in levels:
        if isinstance(level, str) and level not in names:
            near = difflib.get_close_matches(level, names, 1)
            some = f"there are {', '.join(names)}" if names else "its levels have numbers"
            raise InputError(f"{whose} has no level {level!r}", None, f"did you mean {near[0]!r}?" if near else some)
        if isinstance(config, OpenClipTrunk) and level != 0:
            raise InputError(f"{whose} has no level {level}", None, "it has one, 0")
        if names and isinstance(level, int) and level >= len(names):
            raise InputError(f"{whose} has no level {level}", None, f"it has {len(names)}, 0 to {len(names) - 1}")
    if isinstance(config, ScratchTrunk):
        return ()
    return tuple(names.index(level) if isinstance(level, str) else level for level in levels)


def uses_judge(config: _Frozen | ScratchTrunk) -> bool:
    """Does this trunk hold the judge's trained eye? Agents and losses must refuse it: it is kept for the probes.

    True for the name or the weights ``judge``, for the judge's own file given as a path, and for pretrained
    tf_efficientnet_lite2 by any other way (the hub's are the same weights); False for random weights.
    """
    if not isinstance(config, TimmTrunk) or config.source == "random":
        return False
    if config.source == "judge" or config.architecture.split(".")[0] == ARCHITECTURES["judge"]:
        return True
    return "efficientnet-lite2" in Path(config.source).name
