"""Encoders and decoders as a config says them."""

import inspect
from typing import Any, get_args

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from perception import sets
from perception.sets import config as module

ENCODERS: TypeAdapter[Any] = TypeAdapter(sets.SetEncoderConfig)
DECODERS: TypeAdapter[Any] = TypeAdapter(sets.SetDecoderConfig)
SMALL = {"hidden": [8], "width": 8, "heads": 2, "layers": 1, "steps": 2, "iterations": 2, "tokens": 2}


def kinds(union: Any) -> dict[str, Any]:
    return {model.model_fields["kind"].default: model for model in get_args(get_args(union)[0])}


def small(model: Any) -> dict[str, Any]:
    said = {name: value for name, value in SMALL.items() if name in model.model_fields}
    if model is sets.LSTMDecoderConfig:
        said["hidden"] = 8
    return {"kind": model.model_fields["kind"].default, **said}


@pytest.mark.parametrize("encoder", kinds(sets.SetEncoderConfig))
@pytest.mark.parametrize("decoder", kinds(sets.SetDecoderConfig))
def test_any_decoder_stands_behind_any_encoder(encoder: str, decoder: str) -> None:
    said = small(kinds(sets.SetDecoderConfig)[decoder])
    inner = small(kinds(sets.SetEncoderConfig)[encoder])
    if decoder in ("dspn", "idspn"):
        said["encoder"] = inner
    with torch.random.fork_rng(devices=[]):
        reader = sets.build_set_encoder(ENCODERS.validate_python(inner), 3, 6)
        writer = sets.build_set_decoder(DECODERS.validate_python(said), 6, 4, 3)
    assert isinstance(reader, sets.SetEncoder) and isinstance(writer, sets.SetDecoder)
    out = writer(reader(torch.rand(2, 4, 3, generator=torch.Generator().manual_seed(0))))
    assert out.sets.shape == (2, 4, 3)
    out.sets.sum().backward()
    assert isinstance(reader, nn.Module)
    assert all(p.grad is not None for p in reader.parameters())


@pytest.mark.parametrize("model", [*kinds(sets.SetEncoderConfig).values(), *kinds(sets.SetDecoderConfig).values()])
def test_a_config_says_every_argument_of_what_it_builds_with_its_default(model: Any) -> None:
    built = {**module._ENCODERS, **module._DECODERS}[model]
    arguments = dict(list(inspect.signature(built).parameters.items())[2 if model in module._ENCODERS else 3 :])
    skipped = {"eps", "encoder"}  # a number nobody tunes; a module, said by a config of its own
    said = {name: field.default for name, field in model.model_fields.items() if name not in {"kind", "encoder"}}
    assert said == {name: each.default for name, each in arguments.items() if name not in skipped}


def test_what_is_said_reaches_what_is_built() -> None:
    said = {"kind": "dspn", "encoder": {"kind": "relation", "hidden": [7]}, "steps": 4, "rate": 12.5}
    with torch.random.fork_rng(devices=[]):
        made = sets.build_set_decoder(DECODERS.validate_python(said), 6, 4, 3)
    assert isinstance(made, sets.DSPN) and isinstance(made.encoder, sets.RelationEncoder)
    assert (made.steps, float(made.rate), made.encoder.pair[0].out_features) == (4, 12.5, 7)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "dspm"},
        {"kind": "dspn", "steps": 0},
        {"kind": "dspn", "rat": 3.0},
        {"kind": "dspn", "encoder": {"kind": "fspool", "pieces": 0}},
        {"kind": "idspn", "momentum": 1.0},
        {"kind": "transformer", "width": 10, "heads": 4},
        {"kind": "dspn", "encoder": {"kind": "transformer", "width": 10, "heads": 4}},
        {"kind": "mlp", "hidden": [0]},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DECODERS.validate_python(wrong)
