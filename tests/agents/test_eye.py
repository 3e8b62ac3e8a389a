"""How photos become vectors, and where the noise comes from."""

from collections.abc import Callable

import torch
from hypothesis import given
from hypothesis import strategies as st

from agents import Moment
from agents.eye import Eye
from games.pictures import Gallery
from perception import Convnet, ConvnetTrunk, TimmTrunk

Moments = Callable[..., Moment]
TRUNK = TimmTrunk(name="test_resnet", weights="random")


def seen_by(eye: Eye, gallery: Gallery, index: torch.Tensor, moment: Moment) -> torch.Tensor:
    caught: list[torch.Tensor] = []
    hook = eye.project.register_forward_pre_hook(lambda _, given: caught.append(given[0]))
    eye(gallery.view(index), moment)
    hook.remove()
    return caught[0]


def test_an_eye_sees_each_channel_of_the_training_pictures_standardised(gallery: Gallery, moment: Moments) -> None:
    eye = Eye(TRUNK, (1, 3), 8, 0.0, gallery, Convnet.of)
    train = gallery.splits["train"].shown.nonzero()[:, 0]
    x = seen_by(eye, gallery, train, moment())
    sizes = [gallery.features(TRUNK, level)[0].shape for level in (1, 3)]
    parts = x.split([shape.numel() for shape in sizes], dim=1)
    for part, shape in zip(parts, sizes, strict=True):
        channels = part.unflatten(1, (shape[0], -1)).transpose(0, 1).flatten(1)  # [C, n h w]
        assert channels.mean(dim=1).abs().max() < 1e-3
        moving = channels.std(dim=1) > 0
        assert moving.sum() > 3
        assert (channels[moving].std(dim=1, correction=0) - 1).abs().max() < 1e-2


def test_what_an_eye_knows_of_the_pictures_is_saved_with_it(gallery: Gallery) -> None:
    assert {"mean1", "std1", "project.weight"} <= set(Eye(TRUNK, (1,), 8, 0.0, gallery, Convnet.of).state_dict())


def test_a_shared_convnet_is_borrowed(gallery: Gallery, moment: Moments) -> None:
    common = Convnet(3, (8,))
    eyes = [Eye(ConvnetTrunk(channels=(8,), shared=True), (), 8, 0.0, gallery, lambda _: common) for _ in range(2)]
    view = gallery.view(torch.arange(3))
    before = [eye(view, moment()) for eye in eyes]
    with torch.no_grad():
        common.layers[0].weight.mul_(-1)
    for eye, old in zip(eyes, before, strict=True):
        assert {name for name, _ in eye.named_parameters()} == {"project.weight", "project.bias"}
        assert not torch.allclose(eye(view, moment()), old, atol=1e-4)


@given(seed=st.integers(0, 2**31), rate=st.floats(0.05, 0.9))
def test_dropout_is_dealt_by_the_generator_alone(seed: int, rate: float) -> None:
    def dropped(training: bool) -> torch.Tensor:
        return Moment(0, "sender", torch.Generator().manual_seed(seed), training).dropout(torch.ones(40, 50), rate)

    first, state = dropped(True), torch.random.get_rng_state()
    torch.rand(1)
    assert torch.equal(first, dropped(True))
    torch.random.set_rng_state(state)
    assert ((first == 0) | ((first - 1 / (1 - rate)).abs() < 1e-4)).all()
    assert abs(float((first == 0).double().mean()) - rate) < 0.06  # 2000 draws: five standard deviations
    assert torch.equal(dropped(False), torch.ones(40, 50))


def test_dropout_off_takes_nothing_from_the_generator(moment: Moments) -> None:
    one, x = moment(training=True), torch.ones(3)
    before = one.generator.get_state()
    assert one.dropout(x, 0.0) is x
    assert torch.equal(before, one.generator.get_state())


def test_a_moment_s_noise_has_the_precision_of_what_it_meets(moment: Moments) -> None:
    small = moment(3).rand((5,), torch.zeros(1))
    large = moment(3).rand((5,), torch.zeros(1, dtype=torch.float64))
    assert large.dtype == torch.float64
    assert torch.equal(small.double(), large)  # the same noise, whatever the precision
