"""Sets from vectors and vectors from sets: FSPool, DSPN and after, their baselines, losses and average precision.

Sets are ``[B, N, C]`` with presence as the last channel; `perception.sets.elements` says what that means.
"""

from perception.sets.baselines import LSTMDecoder, MLPDecoder, TransformerDecoder
from perception.sets.config import (
    DeepSetsConfig,
    DSPNConfig,
    FSPoolEncoderConfig,
    ImplicitDSPNConfig,
    LSTMDecoderConfig,
    MLPDecoderConfig,
    RelationEncoderConfig,
    SetDecoderConfig,
    SetEncoderConfig,
    SetLossConfig,
    SetTransformerConfig,
    SlotAttentionConfig,
    TransformerDecoderConfig,
    build_set_decoder,
    build_set_encoder,
    build_set_loss,
)
from perception.sets.decoded import Decoded, SetDecoder
from perception.sets.dspn import DSPN
from perception.sets.elements import CLEVR, Fields, pack, unpack
from perception.sets.encoders import DeepSets, FSPoolEncoder, RelationEncoder, SetEncoder, SetTransformer
from perception.sets.fspool import FSPool, FSUnpool
from perception.sets.implicit import ImplicitDSPN
from perception.sets.losses import SetLoss, StateCost, assign, chamfer, hungarian, over_steps, smooth_l1
from perception.sets.metrics import AveragePrecision, average_precision, box_iou
from perception.sets.slots import SlotAttention
from perception.sets.sorting import Order
from perception.sets.tuning import Trial, Tuning, tune_rate

__all__ = [
    "CLEVR",
    "DSPN",
    "AveragePrecision",
    "DSPNConfig",
    "Decoded",
    "DeepSets",
    "DeepSetsConfig",
    "FSPool",
    "FSPoolEncoder",
    "FSPoolEncoderConfig",
    "FSUnpool",
    "Fields",
    "ImplicitDSPN",
    "ImplicitDSPNConfig",
    "LSTMDecoder",
    "LSTMDecoderConfig",
    "MLPDecoder",
    "MLPDecoderConfig",
    "Order",
    "RelationEncoder",
    "RelationEncoderConfig",
    "SetDecoder",
    "SetDecoderConfig",
    "SetEncoder",
    "SetEncoderConfig",
    "SetLoss",
    "SetLossConfig",
    "SetTransformer",
    "SetTransformerConfig",
    "SlotAttention",
    "SlotAttentionConfig",
    "StateCost",
    "TransformerDecoder",
    "TransformerDecoderConfig",
    "Trial",
    "Tuning",
    "assign",
    "average_precision",
    "box_iou",
    "build_set_decoder",
    "build_set_encoder",
    "build_set_loss",
    "chamfer",
    "hungarian",
    "over_steps",
    "pack",
    "smooth_l1",
    "tune_rate",
    "unpack",
]
