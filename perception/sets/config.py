"""Which set encoder and which set decoder, as a config says it."""

from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from perception.sets.baselines import LSTMDecoder, MLPDecoder, TransformerDecoder
from perception.sets.decoded import SetDecoder
from perception.sets.dspn import DSPN
from perception.sets.elements import Fields
from perception.sets.encoders import DeepSets, FSPoolEncoder, RelationEncoder, SetEncoder, SetTransformer
from perception.sets.implicit import ImplicitDSPN
from perception.sets.losses import SetLoss, StateCost, chamfer, hungarian
from perception.sets.slots import SlotAttention
from raster.errors import InputError

Hidden = tuple[Annotated[int, Field(ge=1, le=8192)], ...]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class FSPoolEncoderConfig(_Model):
    """An MLP on each element, then FSPool."""

    kind: Literal["fspool"] = "fspool"
    hidden: Hidden = (128, 128)
    """Widths of the element-wise MLP; the papers have two layers of 256 or 512."""
    pieces: PositiveInt = 20
    """Pieces of the piecewise-linear weights."""
    sort: Literal["hard", "relaxed"] = "hard"
    """Relaxed is continuous, costs N^2, and breaks no ties."""
    temperature: PositiveFloat = 1.0
    """Of the relaxed sort."""


class RelationEncoderConfig(_Model):
    """An MLP on each pair of elements, then FSPool."""

    kind: Literal["relation"] = "relation"
    hidden: Hidden = (128,)
    """Widths of the pair-wise MLP."""
    pieces: PositiveInt = 20
    """Pieces of the piecewise-linear weights."""


class DeepSetsConfig(_Model):
    """An MLP on each element, a symmetric pool, an MLP."""

    kind: Literal["deepsets"] = "deepsets"
    hidden: Hidden = (128, 128)
    """Widths of the element-wise MLP."""
    pool: Literal["sum", "mean", "max"] = "sum"
    """How the elements are put together."""


class SetTransformerConfig(_Model):
    """Self-attention without positions."""

    kind: Literal["transformer"] = "transformer"
    width: PositiveInt = 64
    """Channels inside."""
    layers: PositiveInt = 2
    """Self-attention layers."""
    heads: PositiveInt = 4
    """Heads a layer; they divide the width."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "SetTransformerConfig":
        _heads(self.width, self.heads)
        return self


SetEncoderConfig = Annotated[
    FSPoolEncoderConfig | RelationEncoderConfig | DeepSetsConfig | SetTransformerConfig, Field(discriminator="kind")
]


class MLPDecoderConfig(_Model):
    """All elements at once from an MLP."""

    kind: Literal["mlp"] = "mlp"
    hidden: Hidden = (256, 256)
    """Widths of its layers."""


class LSTMDecoderConfig(_Model):
    """Elements one after another from an LSTM."""

    kind: Literal["lstm"] = "lstm"
    hidden: PositiveInt = 256
    """Width of its state."""


class TransformerDecoderConfig(_Model):
    """Learned queries that attend to the vector, as in DETR."""

    kind: Literal["transformer"] = "transformer"
    width: PositiveInt = 64
    """Channels inside."""
    layers: PositiveInt = 3
    """Layers of attention to each other and to the vector."""
    heads: PositiveInt = 4
    """Heads a layer; they divide the width."""
    tokens: PositiveInt = 8
    """Views of the vector that the queries look at."""
    supervise: Literal["all", "last"] = "all"
    """Put the loss on every layer, or on the answer alone."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "TransformerDecoderConfig":
        _heads(self.width, self.heads)
        return self


class SlotAttentionConfig(_Model):
    """Slots that compete for what is seen."""

    kind: Literal["slot_attention"] = "slot_attention"
    width: PositiveInt = 64
    """Channels of a slot."""
    iterations: PositiveInt = 3
    """Rounds of attention."""
    tokens: PositiveInt = 16
    """Views of the vector that the slots share out."""
    supervise: Literal["all", "last"] = "last"
    """Put the loss on every iteration, or on the answer alone."""


class DSPNConfig(_Model):
    """Deep Set Prediction Network: the inner loop unrolled."""

    kind: Literal["dspn"] = "dspn"
    encoder: SetEncoderConfig = FSPoolEncoderConfig()
    """The set encoder that the inner loop inverts."""
    steps: PositiveInt = 10
    """Inner steps."""
    rate: PositiveFloat = 50.0
    """Inner step size, for each set whatever the batch (the papers' code says 800 = 25 times its batch of 32)."""
    presence: Literal["mask", "channel"] = "mask"
    """Clamped to [0, 1] and started at a half, as in the paper, or a channel like the others."""
    start: Literal["learned", "random"] = "learned"
    """Where the inner loop starts."""
    supervise: Literal["all", "last"] = "all"
    """Put the loss on every inner step, or on the answer alone."""
    distance: Literal["smooth_l1", "mse"] = "smooth_l1"
    """The representation loss."""


class ImplicitDSPNConfig(_Model):
    """Implicit DSPN: momentum, a random start, constant memory."""

    kind: Literal["idspn"] = "idspn"
    encoder: SetEncoderConfig = FSPoolEncoderConfig()
    """The set encoder that the inner loop inverts; FSPool's hard sort is what splits equal elements."""
    steps: PositiveInt = 20
    """Inner steps."""
    rate: PositiveFloat = 10.0
    """Inner step size (the paper's is 1, with a latent of 512)."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Nesterov momentum of the inner loop."""
    clip: PositiveFloat = 10.0
    """Bound of each set's inner gradient norm."""
    start: Literal["random", "learned"] = "random"
    """Where the inner loop starts."""
    solver: Literal["identity", "conjugate"] = "identity"
    """The Hessian taken for the identity, or solved with by conjugate gradient."""
    solver_steps: PositiveInt = 10
    """Steps of conjugate gradient."""
    damping: Annotated[float, Field(ge=0)] = 1e-3
    """Added to the Hessian's diagonal before solving."""
    distance: Literal["smooth_l1", "mse"] = "mse"
    """The representation loss."""
    trace: Literal["all", "ends"] = "all"
    """Keep every inner set to look at, or the first and the last."""


SetDecoderConfig = Annotated[
    MLPDecoderConfig
    | LSTMDecoderConfig
    | TransformerDecoderConfig
    | SlotAttentionConfig
    | DSPNConfig
    | ImplicitDSPNConfig,
    Field(discriminator="kind"),
]

_ENCODERS: dict[type[BaseModel], type] = {
    FSPoolEncoderConfig: FSPoolEncoder,
    RelationEncoderConfig: RelationEncoder,
    DeepSetsConfig: DeepSets,
    SetTransformerConfig: SetTransformer,
}
_DECODERS: dict[type[BaseModel], type] = {
    MLPDecoderConfig: MLPDecoder,
    LSTMDecoderConfig: LSTMDecoder,
    TransformerDecoderConfig: TransformerDecoder,
    SlotAttentionConfig: SlotAttention,
    DSPNConfig: DSPN,
    ImplicitDSPNConfig: ImplicitDSPN,
}


class SetLossConfig(_Model):
    """How far a predicted set is from the true one: smooth L1 of paired elements."""

    kind: Literal["hungarian", "chamfer"] = "hungarian"
    """Paired one to one, or each element with its nearest."""
    numbers: float = Field(1.0, ge=0)
    """Weight of numbers, such as coordinates. More of it buys tight thresholds with loose ones."""
    classes: float = Field(1.0, ge=0)
    """Weight of attributes."""
    presence: float = Field(1.0, ge=0)
    """Weight of presence."""


def build_set_loss(config: SetLossConfig, fields: Fields) -> SetLoss:
    """The loss that `config` describes, of elements with these fields: prediction and target to one number a set."""
    cost = StateCost(fields, config.numbers, config.classes, config.presence)
    return partial(chamfer if config.kind == "chamfer" else hungarian, cost=cost)


def build_set_encoder(
    config: FSPoolEncoderConfig | RelationEncoderConfig | DeepSetsConfig | SetTransformerConfig,
    channels: int,
    latent: int,
) -> SetEncoder:
    """The encoder of sets [B, N, channels] into [B, latent] that `config` describes.

    Its fields are the class's own arguments. Fresh weights come from torch's global generator, so build it under
    ``torch.random.fork_rng``.
    """
    said = {name: value for name, value in config if name != "kind"}
    return _ENCODERS[type(config)](channels, latent, **said)


def build_set_decoder(
    config: MLPDecoderConfig
    | LSTMDecoderConfig
    | TransformerDecoderConfig
    | SlotAttentionConfig
    | DSPNConfig
    | ImplicitDSPNConfig,
    latent: int,
    slots: int,
    channels: int,
) -> SetDecoder:
    """The decoder of [B, latent] into sets [B, slots, channels] that `config` describes; as `build_set_encoder`."""
    said = {name: value for name, value in config if name != "kind"}
    if isinstance(config, DSPNConfig | ImplicitDSPNConfig):
        said["encoder"] = build_set_encoder(config.encoder, channels, latent)
    return _DECODERS[type(config)](latent, slots, channels, **said)


def _heads(width: int, heads: int) -> None:
    if width % heads:
        raise InputError(f"a width of {width} does not divide into {heads} heads", None, "use a multiple")
