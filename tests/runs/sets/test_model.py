"""How pictures become vectors before a set decoder."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import nn

from runs.sets import SetPredictor, SetsConfig

Small = Callable[..., SetsConfig]
SHAPES = {"convnet": (3, 24, 24), "trunk": (5, 9, 7)}
"""Of what each encoder is given: a picture, feature maps."""
ENCODERS = {
    "convnet": {"kind": "convnet", "channels": [8, 16]},
    "trunk": {"kind": "trunk", "trunk": {"kind": "timm", "name": "test_resnet", "weights": "random"}, "channels": [6]},
}


@pytest.mark.parametrize("kind", list(ENCODERS))
def test_batch_norm_is_over_the_batch_in_learning_and_over_none_in_measuring(small: Small, kind: str) -> None:
    config = small(task={"kind": "state"}, encoder=ENCODERS[kind])
    model = SetPredictor(config, SHAPES[kind])
    given = torch.rand(6, *SHAPES[kind], generator=torch.Generator().manual_seed(0))
    model.train()
    before = model.encode(given[:1].expand(6, -1, -1, -1))  # six alike: nothing is left of any
    torch.testing.assert_close(before, before[:1].expand(6, -1))
    together = model.encode(given)
    assert not torch.allclose(together[:3], model.encode(given[:3]), atol=1e-3)
    model.eval()
    torch.testing.assert_close(model.encode(given[:1]), model.encode(given)[:1], rtol=1e-4, atol=1e-5)


def test_a_convnet_has_a_batch_norm_after_each_convolution_unless_told_otherwise(small: Small) -> None:
    for norm, kind in {"batch": nn.BatchNorm2d, "group": nn.GroupNorm, "none": type(None)}.items():
        config = small(task={"kind": "state"}, encoder={**ENCODERS["convnet"], "norm": norm})
        found = list(SetPredictor(config, SHAPES["convnet"]).eye.modules())
        after = [second for first, second in itertools.pairwise(found) if isinstance(first, nn.Conv2d)]
        assert len(after) == 2
        assert all(isinstance(each, nn.ReLU if norm == "none" else kind) for each in after)
