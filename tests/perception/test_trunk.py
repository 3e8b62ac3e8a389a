"""Frozen trunks: what they give, what they leave alone, how far they run."""

from typing import Any

import numpy
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.models import FeatureInfo
from torch import nn

from perception import TimmTrunk, Trunk, Trunks, build_trunk
from perception._folding import fold_batch_norms
from perception._pyramid import Pyramid
from perception.weights import create
from raster.errors import InputError

# One of each way in which timm takes a network apart: its EfficientNet class (stem and blocks), MobileNetV3's, a list
# of parts, two with the levels inside a flattened Sequential, a getter of fixed input size, hooks.
KINDS = [
    "tf_efficientnet_lite0",
    "mobilenetv3_small_050",
    "test_resnet",
    "test_byobnet",
    "test_convnext",
    "test_vit",
    "pit_ti_224",
]
_built: dict[str, Trunk] = {}


def trunk_of(name: str) -> Trunk:
    if name not in _built:
        _built[name] = build_trunk(TimmTrunk(name=name, weights="random"))
    return _built[name]


def pictures(count: int, side: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", KINDS)
def test_features_are_timms_own_whatever_the_depth(name: str) -> None:
    trunk, rgb = trunk_of(name), pictures(2, 64)
    net = create(name, features_only=True).eval()
    with torch.no_grad():
        x = (
            rgb
            if trunk.size is None
            else nn.functional.interpolate(rgb, (trunk.size,) * 2, mode="bilinear", antialias=True)
        )
        plain = net((x - trunk.mean) / trunk.std)
        levels = range(len(plain))
        assert [feature.shape[1] for feature in plain] == list(trunk.channels)
        for level, expected in enumerate(plain):
            scale = float(expected.abs().max())
            torch.testing.assert_close(trunk(rgb, [level])[0], expected, rtol=1e-4, atol=1e-4 * scale)
        for ours, expected in zip(trunk(rgb, levels), plain, strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_packaged_levels_have_the_promised_channels_and_strides() -> None:
    trunk = Trunks()[TimmTrunk()]
    assert trunk.channels == (16, 24, 40, 112, 320)
    assert trunk.strides == (2, 4, 8, 16, 32)
    assert [tuple(f.shape) for f in trunk(pictures(1, 64), [2, 0])] == [(1, 40, 8, 8), (1, 16, 32, 32)]
    assert trunk.shapes([0, 4], 96, 64) == [(16, 48, 32), (320, 3, 2)]


@pytest.mark.parametrize("name", [kind for kind in KINDS if kind != "test_vit"])
def test_nothing_deeper_than_asked_is_run(name: str) -> None:
    trunk, rgb = trunk_of(name), pictures(1, 64)

    def modules_run(level: int) -> int:
        ran: list[nn.Module] = []
        leaves = [m for m in trunk.modules() if not list(m.children())]
        handles = [m.register_forward_pre_hook(lambda module, _: ran.append(module)) for m in leaves]
        trunk(rgb, [level])
        for handle in handles:
            handle.remove()
        return len(ran)

    counts = [modules_run(level) for level in range(len(trunk.channels))]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] / 2


class Foreign(nn.Module):
    """A feature network of none of timm's builds: it can only be run whole."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.AvgPool2d(2)
        info = [{"num_chs": 3, "reduction": 2, "module": "a"}, {"num_chs": 3, "reduction": 4, "module": "b"}]
        self.feature_info = FeatureInfo(info, (0, 1))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [self.down(x), self.down(self.down(x))]


def test_a_network_of_no_known_build_still_gives_every_level() -> None:
    pyramid, rgb = Pyramid(Foreign()), pictures(1, 16)
    assert pyramid.strides == (2, 4)
    deep, shallow = pyramid(rgb, [1, 0])
    assert torch.equal(shallow, nn.functional.avg_pool2d(rgb, 2))
    assert torch.equal(deep, nn.functional.avg_pool2d(shallow, 2))


@pytest.mark.parametrize("name", ["packaged", "judge"])
def test_folded_equals_unfolded_with_trained_weights(name: str) -> None:
    config = TimmTrunk(name=name)
    trunk = build_trunk(config)
    assert trunk.folded > 40
    assert not [m for m in trunk.modules() if isinstance(m, nn.BatchNorm2d)]
    from perception.weights import full_network, state_for

    full, net = full_network(config.architecture), create(config.architecture, features_only=True).eval()
    state = state_for(config)
    assert state is not None
    full.load_state_dict(state)
    net.load_state_dict({name: tensor for name, tensor in full.state_dict().items() if name in net.state_dict()})
    rgb = pictures(2, 64)
    with torch.no_grad():
        for ours, plain in zip(trunk(rgb, range(5)), net((rgb - trunk.mean) / trunk.std), strict=True):
            torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4 * float(plain.abs().max()))


class TwiceUsed(nn.Module):
    """A convolution whose output is also used without the norm: folding would change the result."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.norm.running_mean = torch.arange(4.0)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        y = self.conv(x)
        return [self.norm(y) + y]


def test_folding_is_undone_where_it_would_change_the_result() -> None:
    with torch.random.fork_rng(devices=[]):
        net = TwiceUsed().eval()
    rgb = pictures(1, 16)
    before, names = net(rgb)[0], list(net.state_dict())
    assert fold_batch_norms(net, rgb) == 0
    assert torch.equal(net(rgb)[0], before)
    assert list(net.state_dict()) == names


def test_no_parameter_asks_for_a_gradient_but_the_picture_gets_one() -> None:
    trunk = trunk_of("tf_efficientnet_lite0")
    assert not [p for p in trunk.parameters() if p.requires_grad]
    rgb = pictures(2, 64).requires_grad_()
    torch.stack([feature.square().mean() for feature in trunk(rgb, [0, 2])]).sum().backward()
    assert rgb.grad is not None
    assert bool(rgb.grad.isfinite().all())
    assert bool((rgb.grad.abs().amax((1, 2, 3)) > 0).all())


def test_the_gradient_is_the_slope() -> None:
    trunk = build_trunk(TimmTrunk(name="test_resnet", weights="random")).double()
    rgb, way = pictures(1, 32).double().requires_grad_(), pictures(1, 32, seed=1).double()

    def height(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([f.square().mean() for f in trunk(x, [0, 1])]).sum()

    (slope,) = torch.autograd.grad(height(rgb), rgb)
    step = 1e-6
    with torch.no_grad():
        measured = (height(rgb + step * way) - height(rgb - step * way)) / (2 * step)
    torch.testing.assert_close((slope * way).sum(), measured, rtol=1e-4, atol=1e-8)


def test_a_trunk_stays_in_eval_mode_inside_a_training_agent() -> None:
    agent = nn.ModuleDict({"trunk": trunk_of("mobilenetv3_small_050")}).train()
    assert not [m for m in agent["trunk"].modules() if m.training]


def test_pictures_do_not_influence_their_neighbours_and_runs_repeat() -> None:
    trunk, rgb = trunk_of("tf_efficientnet_lite0"), pictures(3, 64)
    together = trunk(rgb, [3])[0]
    assert torch.equal(together, trunk(rgb, [3])[0])
    alone = torch.cat([trunk(rgb[i : i + 1], [3])[0] for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5 * float(alone.abs().max() + 1))


def test_building_and_looking_leave_the_global_random_state_alone() -> None:
    torch.manual_seed(3)

    def global_state() -> tuple[list[int], str]:  # not Python's own: the shape checks draw from it under test
        return torch.get_rng_state().tolist(), repr(numpy.random.get_state())  # noqa: NPY002

    before = global_state()
    first = build_trunk(TimmTrunk(name="test_resnet", weights="random"))
    first(pictures(1, 32), [0])
    assert global_state() == before
    torch.manual_seed(4)  # and they do not depend on it
    second = build_trunk(TimmTrunk(name="test_resnet", weights="random"))
    assert second.key == first.key
    assert torch.equal(first(pictures(1, 32), [1])[0], second(pictures(1, 32), [1])[0])


def test_a_trunk_runs_on_meta_and_counts_there() -> None:
    trunk = build_trunk(TimmTrunk(), "meta")
    rgb = torch.empty(5, 3, 64, 64, device="meta", requires_grad=True)
    features = trunk(rgb, [0, 2])
    assert [tuple(f.shape) for f in features] == [(5, 16, 32, 32), (5, 40, 8, 8)]
    features[1].sum().backward()
    assert rgb.grad is not None and rgb.grad.is_meta
    assert trunk.passes == 5
    assert trunk.key == trunk_key_on_cpu()


def trunk_key_on_cpu() -> str:
    return Trunks()[TimmTrunk()].key


def test_the_key_tells_networks_weights_and_sizes_apart() -> None:
    configs = [
        TimmTrunk(name="test_resnet", weights="random"),
        TimmTrunk(name="test_resnet", weights="random", size=48),
    ]
    keys = [build_trunk(config).key for config in configs] + [trunk_of("mobilenetv3_small_050").key, trunk_key_on_cpu()]
    keys.append(trunk_of("tf_efficientnet_lite0").key)  # random weights against packaged ones
    assert len(set(keys)) == 5
    assert all(set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.-") for key in keys)


def test_size_resizes_the_picture_first() -> None:
    wide = build_trunk(TimmTrunk(name="test_resnet", weights="random", size=96))
    rgb = pictures(1, 40)
    by_hand = nn.functional.interpolate(rgb, (96, 96), mode="bilinear", antialias=True)
    for ours, expected in zip(wide(rgb, [0, 1]), trunk_of("test_resnet")(by_hand, [0, 1]), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_a_network_of_one_input_size_is_fed_that_size() -> None:
    trunk = trunk_of("test_vit")
    assert trunk.size is not None
    assert trunk(pictures(1, 20), [0])[0].shape[0] == 1
    small = build_trunk(TimmTrunk(name="test_vit", weights="random", size=32))
    assert small(pictures(1, 20), [0])[0].shape[-1] < trunk(pictures(1, 20), [0])[0].shape[-1]


def test_normalisation_is_the_models_own() -> None:
    packaged, resnet = Trunks()[TimmTrunk()], trunk_of("test_resnet")
    assert packaged.mean.flatten().tolist() == pytest.approx([127 / 255] * 3)
    assert packaged.std.flatten().tolist() == pytest.approx([128 / 255] * 3)
    cfg = timm.get_pretrained_cfg("test_resnet")
    assert cfg is not None
    assert resnet.mean.flatten().tolist() == pytest.approx(list(cfg.mean))
    assert resnet.std.flatten().tolist() == pytest.approx(list(cfg.std))


@pytest.mark.parametrize("level", [-1, 5])
def test_a_level_that_is_not_there_is_named(level: int) -> None:
    trunk = trunk_of("tf_efficientnet_lite0")
    with pytest.raises(InputError, match=f"no level {level}.*it has 5, 0 to 4"):
        trunk(pictures(1, 64), [0, level])


@settings(max_examples=8, deadline=None)
@given(count=st.integers(1, 9), chunk=st.one_of(st.none(), st.integers(1, 10)))
def test_extraction_in_chunks_equals_one_pass_and_counts_every_picture(count: int, chunk: int | None) -> None:
    trunk = trunk_of("test_resnet")
    pixels = torch.randint(
        0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(count)
    )
    before = trunk.passes
    shallow, deep = trunk.extract(pixels, [0, 2], chunk)
    assert trunk.passes - before == count
    assert shallow.dtype == deep.dtype == torch.float16
    assert not deep.requires_grad and not deep.is_inference()
    for ours, expected in zip((shallow, deep), trunk(pixels / 255, [0, 2]), strict=True):
        torch.testing.assert_close(ours.float(), expected, rtol=2e-3, atol=2e-3 * float(expected.abs().max()))


def test_extraction_of_no_picture_is_refused() -> None:
    with pytest.raises(InputError, match="no pictures"):
        trunk_of("test_resnet").extract(torch.zeros(0, 3, 32, 32, dtype=torch.uint8), [0])


def test_equal_configs_share_one_trunk_and_its_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Any] = []

    def once(config: TimmTrunk, device: torch.device) -> Trunk:
        built.append(config)
        return build_trunk(config, device)

    monkeypatch.setattr("perception.trunk.build_trunk", once)
    trunks = Trunks()
    one = trunks[TimmTrunk()]
    assert one is trunks[TimmTrunk(weights="packaged")]
    assert one is trunks[TimmTrunk(name="tf_efficientnet_lite0", weights="packaged")]
    assert len(built) == 1
    one(pictures(3, 32), [0])
    trunks[TimmTrunk(name="test_resnet", weights="random")](pictures(2, 32), [0])
    assert trunks.passes == 5


def test_a_canvas_is_looked_at_once_whoever_asks() -> None:
    trunks = Trunks()
    config = TimmTrunk(name="test_resnet", weights="random")
    canvas = torch.rand(6, 32, 32, requires_grad=True)
    whole = trunks.sketches(config, canvas, [2])
    part = trunks.sketches(config, canvas, [0, 2], some=4)
    assert trunks.passes == 6
    paper = (1 - canvas)[:, None].expand(-1, 3, -1, -1)
    expected = trunks[config](paper, [0, 2])
    assert torch.allclose(whole[0], expected[1], atol=1e-5)
    assert all(torch.allclose(a, b[:4], atol=1e-5) for a, b in zip(part, expected, strict=True))
    total = whole[0].square().mean() + part[0].square().mean()
    other = expected[1].square().mean() + expected[0][:4].square().mean()
    assert torch.allclose(*(torch.autograd.grad(each, canvas)[0] for each in (total, other)), atol=1e-5)


def test_another_canvas_a_deeper_level_and_other_gradients_are_looked_at_anew() -> None:
    trunks = Trunks()
    config = TimmTrunk(name="test_resnet", weights="random")
    canvas = torch.rand(3, 32, 32, requires_grad=True)
    with torch.no_grad():
        assert not trunks.sketches(config, canvas, [0])[0].requires_grad
    assert trunks.sketches(config, canvas, [0])[0].requires_grad
    trunks.sketches(config, canvas, [1])
    trunks.sketches(config, canvas.detach().clone(), [1])
    assert trunks.passes == 12
    trunks.forget()
    trunks.sketches(config, canvas, [0], some=2)
    assert trunks.passes == 14
