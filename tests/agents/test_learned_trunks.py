"""Trunks as a part of agents: what starts as the frozen one, what is shared, what is one's own; and CLIP as an eye."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from agents import Community, CommunityConfig, Moment, ReceiverConfig, Sender, SenderConfig
from games.pictures import Gallery
from perception import TimmTrunk, TorchvisionTrunk, Trunk
from raster import CanvasConfig

Moments = Callable[..., Moment]
FROZEN = {"kind": "timm", "name": "test_resnet", "weights": "random"}
LEARNED = {**FROZEN, "frozen": False}
SHARED = {**LEARNED, "shared": True}
CONVNET = {"kind": "convnet", "channels": (8, 8)}


def community(gallery: Gallery, sender: Any, receiver: Any, reader: Any = None, **keys: Any) -> Community:
    read = {"kind": "convnet", "channels": (8,)} if reader is None else {"kind": "trunk", "trunk": reader, "level": 1}
    one = SenderConfig.model_validate(
        {"trunk": sender, "levels": (1,), "hidden": 8, "dropout": 0, "strokes": {"count": 3}}
    )
    two = ReceiverConfig.model_validate({"trunk": receiver, "levels": (1,), "hidden": 8, "dims": 8, "reader": read})
    return Community(CommunityConfig(**keys), one, two, gallery, CanvasConfig(size=32), gallery.trunks, 0)


def trained(gallery: Gallery, one: Community) -> dict[str, torch.Tensor]:
    """The norm of each parameter's gradient, by name, after a game in which both have a part."""
    moment = Moment(0, "sender", torch.Generator().manual_seed(0))
    pair = one.pair(0, 0, (), 0, training=True)
    ink = CanvasConfig(size=32, sigma2=5e-3).draw(pair.draw(gallery.view(torch.arange(6)), moment.generator))
    own = torch.zeros(6, dtype=torch.long)
    scores = pair.score(ink, gallery.view(torch.arange(6)), 1, own, moment.generator)
    torch.nn.functional.cross_entropy(scores, torch.arange(6)).backward()
    return {
        f"{member}.{name}": each.grad.norm()
        for member, module in one.members().items()
        for name, each in module.named_parameters()
        if each.grad is not None
    }


def test_a_trunk_that_is_learned_starts_as_the_frozen_one(gallery: Gallery, moment: Moments) -> None:
    still, learning = (community(gallery, kind, kind, kind) for kind in (FROZEN, LEARNED))
    with torch.no_grad():
        for each in (still, learning):
            each.senders[0].eye.project.weight.fill_(0.01)
        view = gallery.view(torch.arange(5))
        eyes = [each.senders[0].eye(view, moment()) for each in (still, learning)]
        looks = [
            each.receivers[0]._look(torch.rand(2, 32, 32, generator=torch.Generator().manual_seed(1)))
            for each in (still, learning)
        ]
    torch.testing.assert_close(*eyes, rtol=1e-2, atol=1e-2)  # the frozen one's features were kept in half precision
    torch.testing.assert_close(*looks, rtol=1e-4, atol=1e-4)


def test_what_is_frozen_learns_nothing_and_what_is_not_does(gallery: Gallery) -> None:
    assert not [name for name in trained(gallery, community(gallery, FROZEN, FROZEN, FROZEN)) if ".net." in name]
    found = trained(gallery, community(gallery, LEARNED, LEARNED, LEARNED))
    for place in ("senders.0.eye.net", "receivers.0.eye.net", "receivers.0.reader"):
        norms = [norm for name, norm in found.items() if name.startswith(place)]
        assert len(norms) > 3 and all(norm.isfinite() for norm in norms) and max(norms) > 0, place


def test_no_photo_of_one_that_is_learned_comes_from_the_cache(gallery: Gallery, moment: Moments) -> None:
    one = community(gallery, LEARNED, FROZEN)
    eye, view = one.senders[0].eye, gallery.view(torch.arange(4))
    before, frozen = eye(view, moment()), gallery.trunks.passes
    with torch.no_grad():
        for each in eye.net.parameters():
            each.mul_(1.5)
    assert not torch.allclose(eye(view, moment()), before, atol=1e-3)
    assert gallery.trunks.passes == frozen and eye.net.passes == 8
    assert isinstance(eye.net, Trunk) and not any(each.training for each in eye.net.modules())


@pytest.mark.parametrize("kind", [SHARED, {**CONVNET, "shared": True}])
def test_sender_receiver_and_reader_share_one_network_where_they_say_so(gallery: Gallery, kind: dict[str, Any]) -> None:
    one = community(gallery, kind, kind, kind, senders=2, receivers=2)
    assert set(one.members()) == {"senders.0", "senders.1", "receivers.0", "receivers.1", "shared.0"}
    (net,) = one.shared
    for agent in [*one.senders, *one.receivers]:
        assert agent.eye.net is None and agent.eye._borrowed == [net]
        assert not [name for name, _ in agent.named_parameters() if "net" in name or "reader" in name]
    assert [each._borrowed for each in one.receivers] == [[net], [net]]
    assert any(name.startswith("shared.0") for name in trained(gallery, one))


@pytest.mark.parametrize("kind", [LEARNED, CONVNET])
def test_each_has_a_network_of_its_own_otherwise(gallery: Gallery, kind: dict[str, Any]) -> None:
    one = community(gallery, kind, kind, kind, senders=2)
    nets = [each.eye.net for each in [*one.senders, *one.receivers]] + [one.receivers[0].reader]
    assert len({id(net) for net in nets}) == 4 and not len(one.shared)
    places = [{each.data_ptr() for each in net.parameters()} for net in nets]
    assert not set.intersection(*places)


def test_what_is_learned_is_saved_with_its_agents(gallery: Gallery) -> None:
    names = set(community(gallery, LEARNED, FROZEN).senders[0].state_dict())
    assert any(name.startswith("eye.net.pyramid") for name in names)
    assert not [name for name in community(gallery, FROZEN, FROZEN).senders[0].state_dict() if ".net." in name]


def test_levels_have_names_where_agents_see_through_torchvision() -> None:
    keys = {"trunk": {"kind": "torchvision", "weights": "random"}, "levels": ("relu3_3", 4)}
    assert SenderConfig.model_validate(keys).levels == ("relu3_3", 4)
    reader = {"kind": "trunk", "trunk": {"kind": "torchvision", "name": "resnet50"}, "level": "layer3"}
    assert ReceiverConfig.model_validate({**keys, "reader": reader}).reader.level == "layer3"  # type: ignore[union-attr]
    for kind in (SenderConfig, ReceiverConfig):
        with pytest.raises(ValidationError, match="vgg16 has no level 'relu3_9'"):
            kind.model_validate({**keys, "levels": ("relu3_9",)})
        with pytest.raises(
            ValidationError, match="a trunk of kind timm has no level 'relu3_3': its levels have numbers"
        ):
            kind.model_validate({"levels": ("relu3_3",)})
    with pytest.raises(ValidationError, match="resnet50 has no level 'layer9'"):
        ReceiverConfig.model_validate({"reader": {**reader, "level": "layer9"}})


def test_a_name_is_the_number_that_it_stands_for(gallery: Gallery, moment: Moments) -> None:
    trunk = TorchvisionTrunk(name="resnet50", weights="random")
    drawn = []
    for level in ("layer2", 2):
        torch.manual_seed(0)
        config = SenderConfig.model_validate({"trunk": trunk, "levels": (level,), "hidden": 8, "strokes": {"count": 2}})
        one = Sender(config, gallery)
        assert "eye.mean2" in one.state_dict()
        drawn.append(one.draw(gallery.view(torch.arange(3)), moment()).points)
    assert torch.equal(*drawn)


def test_clip_is_an_eye_of_one_level() -> None:
    clip = {"kind": "open_clip", "weights": "random"}
    with pytest.raises(ValidationError, match="a trunk of kind open_clip has no level 3: it has one, 0"):
        SenderConfig.model_validate({"trunk": clip})
    assert SenderConfig.model_validate({"trunk": clip, "levels": (0,)}).trunk.kind == "open_clip"


def test_a_bias_never_learns_its_trunk() -> None:
    from agents import Likeness

    with pytest.raises(ValidationError, match="only agents learn a trunk on"):
        Likeness.model_validate({"trunk": LEARNED})
    named = Likeness.model_validate({"trunk": {"kind": "torchvision"}, "levels": ("relu1_2", "relu3_3")})
    assert [level for _, level in named.reads()] == [0, 2]
    with pytest.raises(ValidationError, match="vgg16 has no level 'layer1'"):
        Likeness.model_validate({"trunk": {"kind": "torchvision"}, "levels": ("layer1",)})
    assert Likeness.model_validate({"trunk": TimmTrunk()}).levels == (0, 1, 2)
