"""Who looks: scores equal to a slow loop, each photo embedded once a pool, and a head start for trunk readers."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents import Moment, Receiver, ReceiverConfig
from games.pictures import Gallery
from perception import TimmTrunk

Moments = Callable[..., Moment]
TRUNK = TimmTrunk(name="test_resnet", weights="random")


def receiver(gallery: Gallery, canvas: int = 16, **keys: Any) -> Receiver:
    given = {"trunk": TRUNK, "levels": (2,), "hidden": 16, "dims": 8, "reader": {"channels": (8,)}, **keys}
    given["reader"] = {"kind": "convnet", **given["reader"]}
    torch.manual_seed(0)
    return Receiver(ReceiverConfig.model_validate(given), gallery, canvas, gallery.trunks)


def trunk_reader(level: int = 2) -> dict[str, Any]:
    return {"kind": "trunk", "trunk": TRUNK, "level": level}


@given(
    pools=st.integers(1, 3),
    candidates=st.integers(2, 5),
    games=st.integers(1, 6),
    score=st.sampled_from(["cosine", "dot"]),
    seed=st.integers(0, 2**31),
)
def test_scores_equal_a_slow_loop(
    gallery: Gallery, pools: int, candidates: int, games: int, score: str, seed: int
) -> None:
    one = receiver(gallery, score=score)
    generator = torch.Generator().manual_seed(seed)
    pool = torch.randint(len(gallery), (pools, candidates), generator=generator)
    pool_of = torch.randint(pools, (games,), generator=generator)
    canvas = torch.rand(games, 16, 16, generator=generator)
    moment = Moment(0, "receiver", generator, training=False)
    found = one.score(canvas, gallery.view(pool.flatten()), pools, pool_of, moment)
    for game in range(games):
        message = one.sketch(one._read(canvas[game : game + 1]))[0]
        for candidate in range(candidates):
            picture = gallery.view(pool[pool_of[game], candidate][None])
            photo = one.photo(torch.relu(one.eye(picture, moment)))[0]
            expected = message @ photo
            if score == "cosine":
                expected = expected / (message.norm() * photo.norm()) * 10
            assert torch.isclose(found[game, candidate], expected, rtol=1e-3, atol=1e-3)


def test_a_pool_is_embedded_once_however_many_games_are_played_on_it(gallery: Gallery, moment: Moments) -> None:
    one = receiver(gallery)
    seen: list[int] = []
    one.photo.register_forward_hook(lambda _, given, out: seen.append(len(out)))
    one.score(torch.rand(40, 16, 16), gallery.view(torch.arange(10)), 2, torch.arange(40) % 2, moment())
    assert sum(seen) == 10


def test_the_temperature_stops_at_50(gallery: Gallery) -> None:
    one = receiver(gallery, temperature=3)
    message, pools, own = torch.ones(1, 8) / math.sqrt(8), torch.ones(1, 1, 8) / math.sqrt(8), torch.zeros(1).long()
    assert float(one.compare(message, pools, own).detach()) == pytest.approx(3)
    with torch.no_grad():
        one.scale.fill_(100.0)
    assert float(one.compare(message, pools, own).detach()) == pytest.approx(50)


def test_dot_scores_grow_with_the_message_and_cosine_ones_do_not(gallery: Gallery, moment: Moments) -> None:
    canvas, view, own = torch.rand(2, 16, 16), gallery.view(torch.arange(4)), torch.zeros(2).long()
    ratio = []
    for score in ("dot", "cosine"):
        one = receiver(gallery, score=score)
        before = one.score(canvas, view, 1, own, moment()).detach()
        with torch.no_grad():
            for parameter in one.sketch[-1].parameters():
                parameter.mul_(3)
        ratio.append((one.score(canvas, view, 1, own, moment()) / before).detach())
    assert torch.allclose(ratio[0], torch.full((2, 4), 3.0), rtol=1e-3)
    assert torch.allclose(ratio[1], torch.ones(2, 4), rtol=1e-3)


def test_a_trunk_reader_starts_as_a_copy_of_the_eye(gallery: Gallery) -> None:
    one = receiver(gallery, canvas=32, reader=trunk_reader(2))
    assert torch.equal(one.sketch[0].weight, one.eye.project.weight)
    assert torch.equal(one.sketch[-1].bias, one.photo.bias)
    with torch.no_grad():
        one.sketch[0].weight.zero_()
    assert one.eye.project.weight.any()  # a copy, not the same weights
    other = receiver(gallery, canvas=32, levels=(1,), reader=trunk_reader(2))
    assert other.sketch[0].weight.shape != other.eye.project.weight.shape


def test_with_pixels_a_photo_is_seen_twice(gallery: Gallery, moment: Moments) -> None:
    one = receiver(gallery, pixels=True)
    view = gallery.view(torch.arange(4))
    whole = one.embed_photos(view, moment())
    with torch.no_grad():
        one.photo.weight[:, :16] = 0.0  # blind to the trunk's features (hidden is 16)
        glanced = one.embed_photos(view, moment())
        one.photo.weight[:, 16:] = 0.0
        blind = one.embed_photos(view, moment())
    assert (whole - glanced).norm(dim=-1).min() > 1e-3
    assert torch.pdist(glanced).min() > 1e-4
    assert torch.allclose(blind, blind[:1].expand(4, -1))
    # What it sees of photos no longer has the shape of what it reads, so nothing can be copied at the start.
    assert receiver(gallery, canvas=32, reader=trunk_reader(2), pixels=True).embed_canvas(torch.rand(1, 32, 32)).any()


def test_a_trunk_reader_takes_a_canvas_of_another_size_than_the_photos(gallery: Gallery, moment: Moments) -> None:
    one = receiver(gallery, canvas=64, reader=trunk_reader(2))
    scores = one.score(torch.rand(2, 64, 64), gallery.view(torch.arange(4)), 1, torch.zeros(2).long(), moment())
    assert scores.isfinite().all()


def test_a_trunk_reader_sees_random_lines_standardised(gallery: Gallery) -> None:
    from agents.reader import _random_lines

    one = receiver(gallery, canvas=32, reader=trunk_reader(2))
    x = one._read(_random_lines(32, torch.device("cpu"))).unflatten(1, (len(one.mean), -1))
    assert x.mean(dim=(0, 2)).abs().max() < 0.05
    assert ((x.std(dim=(0, 2)) - 1).abs() < 0.05).sum() > 3


@pytest.mark.parametrize("reader", [{"kind": "convnet", "channels": (8,)}, trunk_reader(2), trunk_reader(1)])
@pytest.mark.parametrize("score", ["cosine", "dot"])
@pytest.mark.parametrize("pixels", [False, True])
def test_gradients_reach_every_weight_and_the_canvas(
    gallery: Gallery, moment: Moments, reader: dict[str, Any], score: str, pixels: bool
) -> None:
    one = receiver(gallery, canvas=32, reader=reader, score=score, pixels=pixels)
    canvas = torch.rand(6, 32, 32).requires_grad_()
    scores = one.score(canvas, gallery.view(torch.arange(8)), 2, torch.arange(6) % 2, moment(training=True))
    (scores * torch.randn(6, 4, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert canvas.grad is not None and canvas.grad.norm() > 0
    for name, parameter in one.named_parameters():
        if name == "scale" and score == "dot":
            continue
        assert parameter.grad is not None and parameter.grad.norm() > 0, name
