"""Pixels to features: frozen trunks and their cache, a small learned convnet, likeness."""

from perception.cache import FeatureCache, cache_folder
from perception.config import ConvnetTrunk, FrozenTrunk, OpenClipTrunk, TimmTrunk, TrunkConfig, uses_judge
from perception.convnet import Convnet
from perception.likeness import likeness
from perception.trunk import Trunk, Trunks, build_trunk, classify

__all__ = [
    "Convnet",
    "ConvnetTrunk",
    "FeatureCache",
    "FrozenTrunk",
    "OpenClipTrunk",
    "TimmTrunk",
    "Trunk",
    "TrunkConfig",
    "Trunks",
    "build_trunk",
    "cache_folder",
    "classify",
    "likeness",
    "uses_judge",
]
