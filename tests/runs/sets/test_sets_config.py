"""What a config of sets may say, and what is wrong with one that is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from runs.sets import SetsConfig

Small = Callable[..., SetsConfig]
TRUNK = {"kind": "timm", "name": "packaged"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"encoder": {"kind": "fspool"}}, "fspool reads no vector, which the task polygons gives: take mlp"),
        ({"task": {"kind": "objects"}}, "mlp reads no set, which the task objects gives: take own"),
        ({"task": {"kind": "state"}}, "mlp reads no picture, which the task state gives: take convnet"),
        ({"task": {"kind": "numbering"}, "encoder": {"kind": "own"}}, "are not those that it wants"),
        (
            {"task": {"kind": "multisets"}, "encoder": {"kind": "own"}, "decoder": {"kind": "mlp"}},
            "mlp has no set encoder of its own",
        ),
        ({"decoder": {"kind": "mlp"}}, "measure.inner: the decoder mlp has no inner loop"),
        ({"decoder": {"kind": "mlp"}, "measure": {"inner": []}, "tune": True}, "tune: the decoder mlp"),
        ({"task": {"kind": "multisets", "slots": 5, "copies": 2}, "encoder": {"kind": "own"}}, "multiple of copies"),
        ({"task": {"kind": "objects", "slots": 9}, "encoder": {"kind": "own"}}, "world.most is 10, slots 9"),
        ({"task": {"kind": "state", "slots": 9}, "encoder": {"kind": "convnet"}}, "world.most is 10, slots 9"),
        (
            {"task": {"kind": "state"}, "encoder": {"kind": "trunk", "trunk": {"kind": "timm", "name": "judge"}}},
            "encoder.trunk is the judge",
        ),
        (
            {"task": {"kind": "state"}, "encoder": {"kind": "trunk", "trunk": {**TRUNK, "frozen": False}}},
            "frozen: false",
        ),
        (
            {
                "task": {"kind": "boxes", "scenes": {"kind": "folder", "path": "x", "test": "train"}},
                "encoder": {"kind": "convnet"},
            },
            "both the split train",
        ),
        (
            {"task": {"kind": "multisets"}, "encoder": {"kind": "own"}, "norm": "batch"},
            "norm: the encoder own gives what",
        ),
        ({"norm": "batch", "train": {"batch": 1}}, "norm: a batch of one has no spread"),
        (
            {"task": {"kind": "state"}, "encoder": {"kind": "convnet"}, "train": {"batch": 1}},
            "encoder: a batch of one has no spread",
        ),
        (
            {"task": {"kind": "state"}, "encoder": {"kind": "trunk", "trunk": TRUNK}, "train": {"batch": 1}},
            "encoder: a batch of one has no spread",
        ),
        ({"measure": {"inner": [0]}}, "greater than or equal to 1"),
        ({"trainn": {}}, "Extra inputs"),
    ],
)
def test_what_does_not_fit_is_refused(small: Small, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        small(**changes)


def test_it_is_measured_with_the_inner_steps_of_the_end_of_training(small: Small) -> None:
    assert small().test_steps == 3
    assert small(train={"late_steps": 7}).test_steps == 7
    assert small(decoder={"kind": "lstm"}, measure={"inner": []}).test_steps is None
