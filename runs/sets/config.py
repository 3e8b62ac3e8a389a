"""What a run that learns to predict sets may be told: `lascaux run sets/...`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from perception import FrozenTrunk, uses_judge
from perception.sets import (
    DeepSetsConfig,
    DSPNConfig,
    FSPoolEncoderConfig,
    ImplicitDSPNConfig,
    RelationEncoderConfig,
    SetDecoderConfig,
    SetLossConfig,
    SetTransformerConfig,
)
from runs.sets.tasks import TaskConfig


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Widths = tuple[Annotated[int, Field(ge=1, le=8192)], ...]


class VectorEncoder(_Model):
    """Of a vector: an MLP."""

    kind: Literal["mlp"] = "mlp"
    hidden: Widths = (128,)
    """Widths of its layers."""


class OwnEncoder(_Model):
    """Of a set: the decoder's own set encoder, as in the auto-encoders of DSPN. For the decoders dspn and idspn."""

    kind: Literal["own"] = "own"


class ConvnetEncoder(_Model):
    """Of a picture: a small convolutional network, then one layer from all of its last map."""

    kind: Literal["convnet"] = "convnet"
    channels: Widths = Field((32, 64, 128), min_length=1, max_length=8)
    """Channels after each convolution; the first has stride 4, the others 2."""
    norm: Literal["batch", "group", "none"] = "batch"
    """BatchNorm or GroupNorm after each convolution, or nothing. In two minutes of `sets/state` the first came to an
    AP_inf of 9.3, the second to 1.1 (docs/sets.md). Its running means lag while the step size is high: validations then
    say less than has been learned."""


class ResNetEncoder(_Model):
    """Of a picture: a residual network from scratch, as in the papers. It needs a GPU.

    Its BatchNorms learn their statistics in training and keep them in measuring.
    """

    kind: Literal["resnet"] = "resnet"
    name: Literal["resnet18", "resnet34"] = "resnet34"
    """Which."""
    head: Literal["vector", "grid"] = "vector"
    """From its map, brought to 4 x 4: ``vector`` two convolutions to one place (DSPN), ``grid`` a convolution to 2 x 2
    places of a quarter of the latent each, which keep a little of where things are (iDSPN)."""


class TrunkEncoder(_Model):
    """Of a picture: a frozen network's feature maps, made once and kept; a small head learns.

    Its convolutions have BatchNorm and ReLU after them; one layer from all of the last map to the latent ends it.
    """

    kind: Literal["trunk"] = "trunk"
    trunk: FrozenTrunk
    """The network."""
    level: int = Field(2, ge=0, le=63)
    """Which of its levels; 0 is the finest."""
    channels: Widths = Field((64, 128), max_length=8)
    """Channels after each convolution of the head, 3x3 with stride 2."""

    @model_validator(mode="after")
    def _the_judge_judges_only(self) -> "TrunkEncoder":
        if uses_judge(self.trunk):
            raise ValueError("encoder.trunk is the judge, which only probes may use: take another trunk")
        return self


PictureEncoder = ConvnetEncoder | ResNetEncoder | TrunkEncoder
SetsOf = FSPoolEncoderConfig | RelationEncoderConfig | DeepSetsConfig | SetTransformerConfig | OwnEncoder
EncoderConfig = Annotated[VectorEncoder | SetsOf | PictureEncoder, Field(discriminator="kind")]


class LearnConfig(_Model):
    """How it learns, and how often it writes things down."""

    steps: int = Field(2000, ge=0)
    """Optimiser steps."""
    batch: int = Field(32, ge=1)
    """Sets a step, B."""
    lr: float = Field(1e-3, gt=0, lt=10)
    """Adam's step size at its height."""
    warmup: int = Field(0, ge=0)
    """Steps in which lr rises from 0."""
    flat: float = Field(0.7, ge=0, le=1)
    """Part of the run in which lr stays at its height; a cosine takes it down from there."""
    floor: float = Field(0.1, ge=0, le=1)
    """Where the cosine ends, as a part of lr."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay (AdamW)."""
    clip: float | None = Field(None, gt=0)
    """The gradient is scaled down to at most this norm. (iDSPN's is far below 1: there it does nothing.)"""
    late_steps: int | None = Field(None, ge=1)
    """Inner steps of dspn and idspn in the second half of the run (iDSPN: 20, then 40); as before when left out."""
    threads: int | None = Field(None, ge=1, le=256)
    """CPU threads of torch; as it comes when left out."""
    log_every: int = Field(20, ge=1)
    """Steps that one line of metrics.jsonl averages."""
    validate_every: int = Field(200, ge=1)
    """Steps between two validations."""
    checkpoint_every: int = Field(200, ge=1)
    """Steps between two checkpoints."""


class MeasureSetsConfig(_Model):
    """What is measured."""

    sets: int = Field(1000, ge=2)
    """Held-out sets at the end, or as many as there are."""
    validation: int = Field(256, ge=1)
    """Held-out sets of a validation, others than those of the end."""
    inner: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = ()
    """Other numbers of inner steps at which the end is measured too, such as [10, 20, 30]."""
    examples: int = Field(6, ge=0, le=100)
    """Held-out sets that the report shows step by step."""


class SetsConfig(_Model):
    """A run that learns to predict sets."""

    name: str = Field("sets", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the run; its folder is out/NAME unless --out says otherwise."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seeds everything the run draws: weights, batches, noise."""
    task: TaskConfig
    """What is predicted from what."""
    encoder: EncoderConfig
    """How what is told becomes a vector."""
    latent: int = Field(128, ge=1, le=8192)
    """Numbers of that vector, L."""
    norm: Literal["none", "batch"] = "none"
    """``batch``: each number of the vector is standardised over the batch, with a learned mean and spread (BatchNorm).
    Before the first step dspn and idspn are then told the mean and spread of encodings of true sets and measure all
    encodings by them, so that the two are alike: what no set's encoding is near, no inner loop can reach. It changes
    what decoder.rate means: take tune with it. Not with the encoder ``own``, whose vectors are such encodings."""
    decoder: SetDecoderConfig = DSPNConfig()
    """How the vector becomes a set."""
    loss: SetLossConfig = SetLossConfig()
    """What a set costs."""
    represent: float = Field(0.1, ge=0)
    """Weight of the representation loss, which pulls the vector to what the decoder's encoder makes of the true set. Of
    dspn alone, and not with the encoder ``own``, where both are the same (0.1 in the paper)."""
    tune: bool = False
    """Of dspn and idspn: find the inner step before the first step, instead of decoder.rate."""
    train: LearnConfig = LearnConfig()
    """How it learns."""
    measure: MeasureSetsConfig = MeasureSetsConfig()
    """How it is measured."""

    @property
    def inner(self) -> bool:
        """Whether the decoder has an inner loop whose number of steps may change."""
        return isinstance(self.decoder, DSPNConfig | ImplicitDSPNConfig)

    @property
    def test_steps(self) -> int | None:
        """Inner steps with which it is measured: those of the end of training. None for a decoder that has none."""
        if not isinstance(self.decoder, DSPNConfig | ImplicitDSPNConfig):
            return None
        return self.train.late_steps or self.decoder.steps

    @model_validator(mode="after")
    def _the_encoder_reads_what_is_told(self) -> "SetsConfig":
        gives, kind = self.task.gives, self.encoder.kind
        fitting = {
            "vector": ("mlp",),
            "set": ("own", "fspool", "relation", "deepsets", "transformer"),
            "picture": ("convnet", "resnet", "trunk"),
        }
        if kind not in fitting[gives]:
            do = f"take {', '.join(fitting[gives])}"
            raise ValueError(f"encoder: {kind} reads no {gives}, which the task {self.task.kind} gives: {do}")
        if kind == "own" and not self.inner:
            raise ValueError(f"encoder: the decoder {self.decoder.kind} has no set encoder of its own: take fspool")
        if kind == "own" and self.norm != "none":
            raise ValueError("norm: the encoder own gives what the decoder's set encoder says: leave it out")
        if kind == "own" and not self.task.repeats:
            raise ValueError(f"encoder: the sets that {self.task.kind} gives are not those that it wants: take fspool")
        return self

    @model_validator(mode="after")
    def _a_batch_to_standardise_over(self) -> "SetsConfig":
        own = isinstance(self.encoder, TrunkEncoder) or getattr(self.encoder, "norm", None) == "batch"
        if (own or self.norm == "batch") and self.train.batch < 2:
            which = "encoder" if own else "norm"
            raise ValueError(f"{which}: a batch of one has no spread: take train.batch of 2 or more, or no BatchNorm")
        return self

    @model_validator(mode="after")
    def _only_an_inner_loop_takes_steps(self) -> "SetsConfig":
        asked = [name for name, said in self._asks_for_steps() if said]
        if asked and not self.inner:
            raise ValueError(f"{asked[0]}: the decoder {self.decoder.kind} has no inner loop: leave it out")
        return self

    def _asks_for_steps(self) -> list[tuple[str, bool]]:
        return [
            ("measure.inner", bool(self.measure.inner)),
            ("train.late_steps", self.train.late_steps is not None),
            ("tune", self.tune),
        ]
