"""The same picture as several networks would have it drawn."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from agents.biases import Ink, Likeness
from perception import OpenClipTrunk, TimmTrunk, TorchvisionTrunk, Trunks
from raster import InputError
from runs.draw import DrawConfig, Eye, as_seen_by, load_drawn

Small = Callable[..., DrawConfig]


def test_a_word_names_network_weights_and_levels() -> None:
    assert Eye.of("packaged") == Eye("packaged", TimmTrunk(), None)
    assert Eye.of("packaged:2").levels == (2,)
    assert Eye.of("vgg16@random:relu1_2+4").levels == ("relu1_2", 4)
    assert Eye.of("vgg16@random").trunk == TorchvisionTrunk(name="vgg16", weights="random")
    assert Eye.of("resnet18.a1_in1k").trunk == TimmTrunk(name="resnet18.a1_in1k")
    assert isinstance(Eye.of("clip").trunk, OpenClipTrunk)


def test_every_likeness_gets_the_network_and_the_rest_stays(small: Small) -> None:
    config = small(biases=[{"kind": "ink", "weight": 0.5}, {"kind": "likeness", "levels": [1, 2], "weight": 3.0}])
    ink, like = Eye.of("test_resnet@random").config(config).biases
    assert ink == config.biases[0]
    assert isinstance(like, Likeness)
    assert (like.trunk.name, like.levels, like.weight.at(0)) == ("test_resnet", (1, 2), 3.0)
    (_, vgg) = Eye.of("vgg16").config(config).biases
    assert isinstance(vgg, Likeness)
    assert vgg.levels == (0, 1, 2, 3, 4)
    added = Eye.of("packaged:3").config(small(biases=[{"kind": "ink"}])).biases
    assert isinstance(added[0], Ink)
    assert isinstance(added[1], Likeness)
    assert added[1].levels == (3,)


def test_they_lie_side_by_side_from_the_same_start(small: Small, photos: list[Path], tmp_path: Path) -> None:
    config = small(canvas={"size": 32}, steps=2, film={"format": "none"}, lr={"points": 1e-7})
    eyes = [Eye.of("test_resnet@random:0"), Eye.of("test_resnet@random:1")]
    sheet = as_seen_by(config, photos, eyes, tmp_path / "out", progress=False, device="cpu")
    assert sheet == tmp_path / "out" / "seen.png"
    with Image.open(sheet) as picture:
        assert picture.size == (3 * (32 + 8) + 8, 2 * (32 + 8) + 8 + 22)
    one, other = (load_drawn(tmp_path / "out" / eye.folder) for eye in eyes)
    # Hardly a step was taken: both began as one.
    a, b = (each.sheets["lying"].strokes.points.flatten(1) for each in (one, other))
    assert torch.allclose(a.sort(0).values, b.sort(0).values, atol=1e-5)


def test_different_eyes_draw_differently_and_are_gone_on_with(small: Small, photos: list[Path], tmp_path: Path) -> None:
    config = small(canvas={"size": 32}, steps=4, film={"format": "none"})
    first, both = [Eye.of("test_resnet@random:0")], [Eye.of("test_resnet@random:0"), Eye.of("test_resnet@random:2")]
    as_seen_by(config, photos, first, tmp_path / "out", progress=False, device="cpu")
    with pytest.raises(InputError, match="not empty"):
        as_seen_by(config, photos, both, tmp_path / "out", progress=False, device="cpu")
    as_seen_by(config, photos, both, tmp_path / "out", resume=True, progress=False, device="cpu")
    one, other = (load_drawn(tmp_path / "out" / eye.folder).sheets["lying"].strokes for eye in both)
    assert not torch.allclose(one.points, other.points, atol=1e-3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["packaged@"], "cannot read the network"),
        (["vgg16:relu9_9"], "no level"),
        (["judge"], "is the judge"),
        (["test_resnet@random:9"], "has no level 9"),
        (["test_resnet@random", "test_resnet@random"], "stands twice"),
        (["test_resnet@wieghts"], "no such weights"),
        ([], "no network"),
    ],
)
def test_a_network_that_cannot_look_is_one_line_before_anything_is_drawn(
    small: Small, photos: list[Path], tmp_path: Path, words: list[str], told: str
) -> None:
    def seen() -> None:
        eyes = [Eye.of(word) for word in words]
        as_seen_by(small(canvas={"size": 32}), photos, eyes, tmp_path / "out", progress=False)

    with pytest.raises(ValueError, match=told):
        seen()
    assert not (tmp_path / "out").exists()


def test_weights_that_are_not_at_hand_are_told_before_anything_is_drawn(
    small: Small, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(self: Trunks, config: object) -> object:
        raise InputError("cannot get the weights of vgg16 from the hub", None, "give a file")

    monkeypatch.setattr(Trunks, "__getitem__", unreachable)
    with pytest.raises(InputError, match="cannot get the weights of vgg16"):
        as_seen_by(small(), photos, [Eye.of("vgg16")], tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
