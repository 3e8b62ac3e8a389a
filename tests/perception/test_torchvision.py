"""Trunks of kind torchvision: named levels equal to the plain network's, and Stylized-ImageNet's files as published."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save_file
from torch import nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from perception import FrozenTrunk, TorchvisionTrunk, Trunk, TrunkConfig, Trunks, build_trunk, numbered
from perception.config import NAMED
from raster.errors import InputError

VGG_NODES = ("features.3", "features.8", "features.15", "features.22", "features.29")
NETWORKS = ["vgg16", "resnet50"]


def pictures(count: int = 2, side: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def plain(name: str) -> nn.Module:
    """A network of random weights as torchvision makes it, with BatchNorms that have seen something."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(3)
        if name == "vgg16":
            return nn.ModuleDict({"features": models.vgg.make_layers(models.vgg.cfgs["D"])}).eval()
        net = models.resnet50().eval()
        for each in net.modules():
            if isinstance(each, nn.BatchNorm2d):
                nn.init.uniform_(each.running_mean, -0.3, 0.3)
                nn.init.uniform_(each.running_var, 0.5, 1.5)
        return net


def levels_of(net: nn.Module, name: str, x: torch.Tensor) -> list[torch.Tensor]:
    if name == "vgg16":
        found = []
        for number, layer in enumerate(net["features"]):  # type: ignore[index]
            x = layer(x)
            if f"features.{number}" in VGG_NODES:
                found.append(x.clone())  # the next ReLU works in place
        return found
    nodes = ["relu", "layer1", "layer2", "layer3", "layer4"]
    return list(create_feature_extractor(net, nodes)(x).values())


def saved(net: nn.Module, name: str, path: Path, how: str) -> TorchvisionTrunk:
    state = dict(net.state_dict())
    if how == "stylized":  # Geirhos et al. 2019: DataParallel over all of ResNet50, over VGG16's features
        put = {"vgg16": ("features.", "features.module."), "resnet50": ("", "module.")}[name]
        state = {key.replace(*put, 1) if put[0] else put[1] + key: each for key, each in state.items()}
        path = path / "checkpoint.pth.tar"
        torch.save({"epoch": 60, "arch": name, "best_prec1": torch.tensor(60.2), "state_dict": state}, path)
    elif how == "safetensors":
        path = path / "mine.safetensors"
        save_file(state, path)
    else:
        path = path / "mine.pth"
        torch.save(state, path)
    return TorchvisionTrunk(name=name, weights=str(path))


@pytest.mark.parametrize("how", ["stylized", "safetensors", "plain"])
@pytest.mark.parametrize("name", NETWORKS)
def test_named_levels_are_the_plain_network_s_of_a_file(name: str, how: str, tmp_path: Path) -> None:
    net, rgb = plain(name), pictures()
    trunk = build_trunk(saved(net, name, tmp_path, how))
    assert trunk.folded == (53 if name == "resnet50" else 0)
    assert not [each for each in trunk.modules() if isinstance(each, nn.BatchNorm2d)]
    with torch.no_grad():
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        expected = levels_of(net, name, (rgb - mean[:, None, None]) / std[:, None, None])
        found = trunk(rgb, numbered(TorchvisionTrunk(name=name), NAMED[name]))
    assert trunk.channels == tuple(each.shape[1] for each in expected)
    assert trunk.strides == tuple(64 // each.shape[-1] for each in expected)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


@pytest.fixture(scope="module")
def vgg() -> Trunk:
    return build_trunk(TorchvisionTrunk(name="vgg16", weights="random"))


def test_nothing_deeper_than_asked_is_run_and_levels_come_in_their_order(vgg: Trunk) -> None:
    ran: list[nn.Module] = []
    handles = [
        each.register_forward_pre_hook(lambda module, _: ran.append(module))
        for each in vgg.modules()
        if isinstance(each, nn.Conv2d)
    ]
    deep, shallow = vgg(pictures(1), [1, 0])
    for handle in handles:
        handle.remove()
    assert len(ran) == 4 and (shallow.shape[1], deep.shape[1]) == (64, 128)
    assert (shallow >= 0).all() and (shallow > 0).any()  # what comes after a ReLU, and no layer later undid it


def test_random_weights_are_the_same_everywhere_and_carry_a_signal(vgg: Trunk) -> None:
    before = torch.get_rng_state()
    again = build_trunk(TorchvisionTrunk(name="vgg16", weights="random"))
    assert again.key == vgg.key and torch.equal(torch.get_rng_state(), before)
    deepest = vgg(pictures(2), [4])[0]
    assert 1e-3 < float((deepest[0] - deepest[1]).std()) < 1e3


def test_the_picture_gets_a_gradient_and_no_parameter_does(vgg: Trunk) -> None:
    rgb = pictures(1).requires_grad_()
    torch.stack([each.square().mean() for each in vgg(rgb, [0, 2])]).sum().backward()
    assert rgb.grad is not None and rgb.grad.isfinite().all() and rgb.grad.norm() > 0
    assert not [each for each in vgg.parameters() if each.requires_grad or each.grad is not None]


def test_it_runs_on_meta() -> None:
    trunk = build_trunk(TorchvisionTrunk(name="resnet50", weights="random"), "meta")
    assert [tuple(each.shape) for each in trunk(torch.empty(2, 3, 64, 64, device="meta"), [0, 4])] == [
        (2, 64, 32, 32),
        (2, 2048, 2, 2),
    ]


class Trap:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_file_runs_no_code_and_one_of_another_network_is_told(tmp_path: Path) -> None:
    sprung, trap = tmp_path / "sprung", tmp_path / "trap.pth.tar"
    torch.save({"state_dict": {"module.conv1.weight": Trap(sprung)}}, trap)
    with pytest.raises(InputError, match="cannot read the weight file"):
        build_trunk(TorchvisionTrunk(name="resnet50", weights=str(trap)))
    assert not sprung.exists()
    other = saved(plain("vgg16"), "vgg16", tmp_path, "plain").weights
    with pytest.raises(InputError, match=r"not of torchvision's resnet50: it has no tensor 'conv1.weight'"):
        build_trunk(TorchvisionTrunk(name="resnet50", weights=other))
    with pytest.raises(InputError, match=r"no such weight file .*nowhere\.pth"):
        build_trunk(TorchvisionTrunk(weights=str(tmp_path / "nowhere.pth")))


@pytest.mark.parametrize("name", NETWORKS)
def test_an_unreachable_hub_is_one_line_that_says_what_to_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("Name or service not known\nand much more")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    line = rf"cannot get the weights of {name} from torchvision, Name or service.*weights: PATH"
    with pytest.raises(InputError, match=line) as caught:
        build_trunk(TorchvisionTrunk(name=name))
    assert "\n" not in str(caught.value)


def test_levels_by_name_and_by_number_are_the_same() -> None:
    for name, names in NAMED.items():
        config = TorchvisionTrunk(name=name)
        assert numbered(config, names) == (0, 1, 2, 3, 4) == numbered(config, (0, 1, 2, 3, 4))
    with pytest.raises(InputError, match="vgg16 has no level 'relu3_4': did you mean 'relu3_3'"):
        numbered(TorchvisionTrunk(), ("relu3_4",))
    with pytest.raises(InputError, match="resnet50 has no level 5: it has 5, 0 to 4"):
        numbered(TorchvisionTrunk(name="resnet50"), (5,))


def test_configs_say_what_is_wrong() -> None:
    read = TypeAdapter(TrunkConfig).validate_python
    assert read({"kind": "torchvision", "name": "resnet50"}) == TorchvisionTrunk(name="resnet50")
    with pytest.raises(ValidationError, match="did you mean 'random'"):
        TorchvisionTrunk(weights="randm")
    with pytest.raises(ValidationError, match="'vgg16' or 'resnet50'"):
        read({"kind": "torchvision", "name": "vgg19"})
    with pytest.raises(ValidationError, match="only agents learn a trunk on"):
        TypeAdapter(FrozenTrunk).validate_python({"kind": "torchvision", "frozen": False})
    with pytest.raises(ValidationError, match="a frozen trunk is shared by all as it is"):
        TorchvisionTrunk(shared=True)


def test_the_run_s_trunks_are_frozen_whatever_a_config_says() -> None:
    trunks = Trunks()
    learned = TorchvisionTrunk(name="resnet50", weights="random", frozen=False, shared=True, pace=0.5)
    one = trunks[learned]
    assert one is trunks[TorchvisionTrunk(name="resnet50", weights="random")]
    assert one.pace is None and not [each for each in one.parameters() if each.requires_grad]
