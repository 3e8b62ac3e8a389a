"""Pixels to features: trunks and their cache, a small learned convnet, likeness."""

from perception.cache import FeatureCache, cache_folder
from perception.classifier import Classifier, classify, labels_named
from perception.config import (
    ConvnetTrunk,
    FrozenTrunk,
    Level,
    MlpTrunk,
    OpenClipTrunk,
    ScratchTrunk,
    TimmTrunk,
    TorchvisionTrunk,
    TrunkConfig,
    as_frozen,
    is_learned,
    numbered,
    uses_judge,
)
from perception.convnet import Convnet
from perception.likeness import likeness
from perception.linear import LayerNorm, Linear, a_picture
from perception.mlp import Mlp
from perception.trunk import Trunk, Trunks, build_learned, build_trunk, resize

__all__ = [
    "Classifier",
    "Convnet",
    "ConvnetTrunk",
    "FeatureCache",
    "FrozenTrunk",
    "LayerNorm",
    "Level",
    "Linear",
    "Mlp",
    "MlpTrunk",
    "OpenClipTrunk",
    "ScratchTrunk",
    "TimmTrunk",
    "TorchvisionTrunk",
    "Trunk",
    "TrunkConfig",
    "Trunks",
    "a_picture",
    "as_frozen",
    "build_learned",
    "build_trunk",
    "cache_folder",
    "classify",
    "is_learned",
    "labels_named",
    "likeness",
    "numbered",
    "resize",
    "uses_judge",
]
