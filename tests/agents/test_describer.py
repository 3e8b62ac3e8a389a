"""Who describes: any reader before any set decoder, each drawing by itself."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from agents import Describer, DescriberConfig, Moment
from perception import TimmTrunk, Trunks

Moments = Callable[..., Moment]
CONVNET: dict[str, Any] = {"kind": "convnet", "channels": [4, 4]}
TRUNK: dict[str, Any] = {"kind": "trunk", "trunk": TimmTrunk(name="test_resnet", weights="random"), "level": 1}
SET = {"kind": "fspool", "hidden": [8]}
DECODERS: list[dict[str, Any]] = [
    {"kind": "mlp", "hidden": [8]},
    {"kind": "transformer", "width": 8, "layers": 1, "heads": 2},
    {"kind": "slot_attention", "width": 8, "tokens": 4},
    {"kind": "dspn", "encoder": SET, "steps": 2},
    {"kind": "idspn", "encoder": SET, "steps": 2},
]


def describer(**changes: Any) -> DescriberConfig:
    small = {"reader": CONVNET, "hidden": 8, "latent": 8, "slots": 3, "decoder": DECODERS[0]}
    return DescriberConfig.model_validate(small | changes)


def built(config: DescriberConfig, inks: int = 1) -> Describer:
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        return Describer(config, 16, Trunks("cpu"), inks=inks)


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda each: each["kind"])
def test_any_decoder_answers_with_a_set_that_the_canvas_moves(decoder: dict[str, Any], moment: Moments) -> None:
    agent = built(describer(decoder=decoder))
    canvas = torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    answer = agent.describe(canvas, moment(role="receiver"))
    assert answer.sets.shape == (2, 3, 19)
    (gradient,) = torch.autograd.grad(answer.supervised.square().sum(), canvas)
    assert gradient.isfinite().all() and (gradient.flatten(1).norm(dim=1) > 0).all()
    with torch.no_grad():  # as a run is measured
        again = agent.describe(canvas, moment(role="receiver")).sets
    torch.testing.assert_close(again, answer.sets.detach())


@pytest.mark.parametrize("reader", [CONVNET, TRUNK], ids=["convnet", "trunk"])
@pytest.mark.parametrize("inks", [1, 3])
def test_any_reader_reads_ink_and_coloured_ink(reader: dict[str, Any], inks: int, moment: Moments) -> None:
    agent = built(describer(reader=reader), inks)
    shape = (4, 3, 16, 16) if inks == 3 else (4, 16, 16)
    canvas = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    sets = agent.describe(canvas, moment(role="receiver")).sets
    assert sets.shape == (4, 3, 19)
    alone = agent.describe(canvas[2:3], moment(role="receiver")).sets
    torch.testing.assert_close(alone[0], sets[2], rtol=1e-4, atol=1e-5)  # whoever stands beside it
    assert not any("trunk" in name for name, _ in agent.named_parameters())


def test_a_frozen_trunk_is_no_part_of_a_describer() -> None:
    own = built(describer(reader=TRUNK)).state_dict()
    assert {"mean", "std"} <= own.keys() and all(
        name.split(".")[0] in {"mean", "std", "vector", "decoder"} for name in own
    )
