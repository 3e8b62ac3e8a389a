"""Trunks of kind open_clip: CLIP's encoder as a pyramid of one level, with words, and one line where it is missing."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from perception import FeatureCache, OpenClipTrunk, TimmTrunk, Trunk, Trunks, build_trunk
from raster.errors import InputError

RANDOM = OpenClipTrunk(name="stand-in", weights="random")


class StandIn(nn.Module):
    """The least that an open_clip model has: two encoders into 6 numbers, and what its pictures must be like."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Conv2d(3, 6, 8, stride=8)
        self.words = nn.Embedding(50, 6)
        told: dict[str, Any] = {
            "image_size": (16, 16),
            "output_dim": 6,
            "image_mean": (0.5,) * 3,
            "image_std": (0.5,) * 3,
        }
        for name, value in told.items():
            setattr(self.visual, name, value)

    def encode_image(self, x: torch.Tensor) -> torch.Tensor:
        return self.visual(x).mean((2, 3))

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.words(tokens).mean(1)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A module in the place of open_clip; gives what it was asked for."""
    asked: dict[str, Any] = {}

    def create_model(name: str, pretrained: str | None, device: str) -> nn.Module:
        asked.update(name=name, pretrained=pretrained, device=device)
        if name == "unknown":
            raise RuntimeError("Model config for 'unknown' not found.\nmore")
        return StandIn()

    def tokens(words: list[str]) -> torch.Tensor:
        return torch.tensor([[ord(letter) % 50 for letter in word.ljust(8)[:8]] for word in words])

    module: Any = ModuleType("open_clip")
    module.create_model, module.get_tokenizer = create_model, lambda name: tokens
    monkeypatch.setitem(sys.modules, "open_clip", module)
    return asked


def test_a_clip_model_is_a_frozen_trunk_of_one_level(stand_in: dict[str, Any]) -> None:
    trunk = build_trunk(RANDOM)
    assert stand_in == {"name": "stand-in", "pretrained": None, "device": "cpu"}
    assert (trunk.channels, trunk.strides, trunk.size, trunk.deepest) == ((6,), (16,), 16, 0)
    assert not trunk.training and not any(p.requires_grad for p in trunk.parameters())
    picture = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (found,) = trunk(picture, [0])
    assert found.shape == (2, 6, 1, 1)
    (slope,) = torch.autograd.grad(found.sum(), picture)
    assert slope.isfinite().all() and slope.norm() > 0
    with pytest.raises(InputError, match="has no level 1"):
        trunk(picture, [1])


def test_words_have_embeddings_of_the_same_length(stand_in: dict[str, Any]) -> None:
    found = build_trunk(RANDOM).embed_text(["a dog", "a cat"])
    assert found.shape == (2, 6) and not found.requires_grad
    assert not torch.equal(found[0], found[1])
    assert build_trunk(RANDOM, "meta").embed_text(["a dog"]).is_meta


def test_a_timm_trunk_reads_no_words() -> None:
    with pytest.raises(InputError, match="reads no text: take a trunk of kind open_clip"):
        build_trunk(TimmTrunk(name="test_resnet", weights="random")).embed_text(["a dog"])


def test_random_weights_are_the_same_each_time_and_leave_the_global_state(stand_in: dict[str, Any]) -> None:
    state = torch.random.get_rng_state()
    one, two = build_trunk(RANDOM), build_trunk(RANDOM)
    assert one.key == two.key and one.key.startswith("open_clip-stand-in-")
    assert build_trunk(OpenClipTrunk(name="other", weights="random")).key != one.key
    assert torch.equal(state, torch.random.get_rng_state())


def test_trunks_build_each_once_and_a_gallery_can_cache_it(stand_in: dict[str, Any]) -> None:
    trunks = Trunks()
    assert isinstance(trunks[RANDOM], Trunk) and trunks[RANDOM] is trunks[OpenClipTrunk(**RANDOM.model_dump())]
    pixels = torch.zeros(3, 3, 20, 20, dtype=torch.uint8)
    (found,) = FeatureCache(None).get_many(["x"], lambda: trunks[RANDOM].extract(pixels, [0]))
    assert found.shape == (3, 6, 1, 1) and found.dtype == torch.float16


def test_what_open_clip_refuses_is_told_in_a_line(stand_in: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"cannot make unknown with weights 'x', Model config .* not found") as caught:
        build_trunk(OpenClipTrunk(name="unknown", weights="x"))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"no such weight file.*gone\.pt"):
        build_trunk(OpenClipTrunk(weights="gone.pt"))


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(InputError) as caught:
        build_trunk(OpenClipTrunk())
    assert str(caught.value) == (
        "a trunk of kind open_clip needs the package open_clip_torch: "
        "pip install 'lascaux[clip]', or take a trunk of kind timm"
    )


def test_the_bias_clip_compares_with_words_by_such_a_trunk(stand_in: dict[str, Any]) -> None:
    from agents.biases import Clip

    one, trunks = Clip(trunk=RANDOM, text="a dog", copies=1, distortion=0, crop=(1, 1)), Trunks()
    ink = torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(0))
    nothing = dict.fromkeys(["photo", "strokes", "label", "kept"])
    play: Any = SimpleNamespace(canvas=ink, trunks=trunks, generator=lambda word: torch.Generator(), **nothing)
    drawn = trunks[RANDOM]((1 - ink)[:, None].expand(-1, 3, -1, -1), [0])[0].flatten(1)
    expected = 1 - torch.cosine_similarity(drawn, trunks[RANDOM].embed_text(["a dog"]))
    assert torch.allclose(one.cost(play), expected, atol=1e-5)


@pytest.mark.parametrize("score", ["cosine", "attention"])
def test_agents_see_through_it(stand_in: dict[str, Any], score: str) -> None:
    import numpy as np

    from agents import Moment, Receiver, ReceiverConfig, Sender, SenderConfig
    from games.pictures import Album, Gallery, SplitConfig

    pixels = np.random.default_rng(0).integers(0, 256, (12, 3, 16, 16), dtype=np.uint8)
    label, names = np.arange(12) // 4, ["a", "b", "c"]
    album = Album(pixels, label.astype(np.int64), np.zeros(12, np.int64), names, [""] * 3, "noise")
    gallery = Gallery(album, SplitConfig(by=("picture",), validation=0.0, test=0.25), Trunks("cpu"))
    moment, view = Moment(0, "sender", torch.Generator(), training=False), gallery.view(torch.arange(4))
    sender = Sender(SenderConfig(trunk=RANDOM, levels=(0,), hidden=8), gallery)
    reader = {"kind": "trunk", "trunk": RANDOM, "level": 0}
    keys = {"trunk": RANDOM, "levels": (0,), "hidden": 8, "dims": 8, "score": score, "reader": reader}
    receiver = Receiver(ReceiverConfig.model_validate(keys), gallery, 16, gallery.trunks)
    passes = gallery.trunks.passes
    assert sender.draw(view, moment).points.shape == (4, 20, 2, 2)
    ink = torch.rand(4, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    receiver.score(ink, view, 1, torch.zeros(4, dtype=torch.long), moment).sum().backward()
    assert ink.grad is not None and ink.grad.isfinite().all() and ink.grad.norm() > 0
    assert gallery.trunks.passes == passes + 4  # of the four drawings alone: photos were embedded when agents were made
    assert not [name for name, _ in sender.named_parameters() if "visual" in name or "words" in name]


@pytest.mark.slow
def test_the_real_package_works_where_it_is_installed() -> None:
    pytest.importorskip("open_clip")
    trunk = build_trunk(OpenClipTrunk(weights="random"))
    (found,) = trunk(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)), [0])
    assert (trunk.channels, trunk.size) == ((512,), 224)
    assert found.shape == (1, 512, 1, 1) and trunk.embed_text(["a dog"]).shape == (1, 512)
