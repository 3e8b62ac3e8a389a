"""Layers of many agents at once are those of each, with their gradients."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from perception import LayerNorm, Linear, a_picture


@pytest.mark.parametrize("shape", [(5,), (5, 3)])
@pytest.mark.parametrize("make", [lambda: Linear(6, 4), lambda: Linear(200, 90), lambda: Linear(6, 4, False), None])
def test_rows_are_the_layers_one_by_one(make: object, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    layers = [make() if callable(make) else LayerNorm(6) for _ in range(3)]
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.normal_(parameter, generator=generator)
    wide = layers[0].in_features if isinstance(layers[0], Linear) else 6
    x = torch.randn(3 * shape[0], *shape[1:], wide, generator=generator).double().requires_grad_()
    layers = [layer.double() for layer in layers]
    names = [name for name, _ in layers[0].named_parameters()]
    stacked = {n: torch.stack([l.get_parameter(n) for l in layers]).detach().requires_grad_() for n in names}
    y = functional_call(layers[0], stacked, (x,))
    expected = torch.cat([layer(part) for layer, part in zip(layers, x.chunk(3), strict=True)])
    torch.testing.assert_close(y, expected)
    weight = torch.randn(y.shape, generator=generator, dtype=torch.float64)
    found = torch.autograd.grad((y * weight).sum(), [x, *stacked.values()])
    own = [parameter for layer in layers for parameter in layer.parameters()]
    mine, *theirs = torch.autograd.grad((expected * weight).sum(), [x, *own])
    torch.testing.assert_close(found[0], mine)
    for number, gradient in enumerate(found[1:]):
        torch.testing.assert_close(gradient, torch.stack(theirs[number :: len(names)]))
        assert gradient.shape == stacked[names[number]].shape


def test_a_parameter_stands_once_for_each_picture_of_its_agent() -> None:
    one = torch.arange(4.0).reshape(2, 2)
    assert a_picture(one, 2, 6) is one
    rows = torch.stack([one, one + 10])
    assert torch.equal(a_picture(rows, 2, 4), torch.stack([one, one, one + 10, one + 10]))
