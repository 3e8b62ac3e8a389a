"""Receivers that compare place by place: equal to a slow loop, blind to the order of candidates, once a pool."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents import Moment, Receiver, ReceiverConfig
from agents.matching import Matching
from games.pictures import Gallery
from perception import TimmTrunk

Moments = Callable[..., Moment]
TRUNK = TimmTrunk(name="test_resnet", weights="random")


def receiver(gallery: Gallery, seed: int = 0, **keys: Any) -> Receiver:
    reader = {"kind": "convnet", "channels": (8, 8)}
    given = {
        "trunk": TRUNK,
        "levels": (1, 2),
        "hidden": 16,
        "dims": 8,
        "heads": 2,
        "score": "attention",
        "reader": reader,
    }
    torch.manual_seed(seed)
    return Receiver(ReceiverConfig.model_validate({**given, **keys}), gallery, 32, gallery.trunks)


def slow(one: Matching, canvas: torch.Tensor, photo: torch.Tensor) -> torch.Tensor:
    """One canvas [Lc, D] and one candidate [Lp, D], place after place and head after head."""
    key, value, total = one.key, one.value, torch.zeros(())
    width = canvas.shape[-1] // one.heads
    for place in photo:
        found = []
        for head in range(one.heads):
            own = slice(head * width, (head + 1) * width)
            ask = key(place)[own]
            alike = [torch.cosine_similarity(ask, key(other)[own], dim=0) for other in canvas]
            weight = (one.sharp.exp() * torch.stack(alike)).softmax(0)
            found.append(sum(w * value(other)[own] for w, other in zip(weight, canvas, strict=True)))
        total = total + torch.cosine_similarity(torch.cat(found), value(place), dim=0)
    return total / len(photo)


@given(games=st.integers(1, 4), pools=st.integers(1, 3), k=st.integers(2, 4), seed=st.integers(0, 2**31))
def test_scores_equal_a_slow_loop(games: int, pools: int, k: int, seed: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        one = Matching([(4, 2, 2)], [(4, 2, 1), (3, 1, 1)], 5, 6, 8, 2)
        canvas, photos = torch.randn(games, 5, 8), torch.randn(pools, k, 4, 8)
        pool_of = torch.randint(pools, (games,))
    with torch.no_grad():
        found = one(canvas, photos, pool_of)
        for game in range(games):
            for candidate in range(k):
                expected = slow(one, canvas[game], photos[pool_of[game], candidate])
                torch.testing.assert_close(found[game, candidate], expected, rtol=1e-4, atol=1e-5)


@given(seed=st.integers(0, 2**31))
def test_candidates_in_another_order_get_their_scores_in_that_order(gallery: Gallery, seed: int) -> None:
    one, generator = receiver(gallery), torch.Generator().manual_seed(seed)
    pool = torch.randint(len(gallery), (2, 5), generator=generator)
    order = torch.stack([torch.randperm(5, generator=generator) for _ in range(2)])
    canvas, own = torch.rand(6, 32, 32, generator=generator), torch.arange(6) % 2
    moment = Moment(0, "receiver", generator, training=False)
    with torch.no_grad():
        before = one.score(canvas, gallery.view(pool.flatten()), 2, own, moment)
        after = one.score(canvas, gallery.view(pool.gather(1, order).flatten()), 2, own, moment)
        alone = one.score(canvas[:1], gallery.view(pool[0, 3:4]), 1, own[:1], moment)
    torch.testing.assert_close(after, before.gather(1, order[own]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(alone[0, 0], before[0, 3], rtol=1e-4, atol=1e-4)  # others are not looked at


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("reader", ["convnet", "trunk"])
@pytest.mark.parametrize("blank", [False, True])
def test_gradients_are_finite_and_reach_every_weight(
    gallery: Gallery, moment: Moments, pixels: bool, reader: str, blank: bool
) -> None:
    kind = (
        {"kind": "convnet", "channels": (8,)} if reader == "convnet" else {"kind": "trunk", "trunk": TRUNK, "level": 2}
    )
    one = receiver(gallery, pixels=pixels, reader=kind)
    canvas = torch.zeros(6, 32, 32) if blank else torch.rand(6, 32, 32)
    canvas.requires_grad_()
    scores = one.score(canvas, gallery.view(torch.arange(8)), 2, torch.arange(6) % 2, moment(training=True))
    assert scores.shape == (6, 4) and scores.abs().max() <= 10.001  # cosines times the temperature
    (scores * torch.randn(6, 4, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert canvas.grad is not None and canvas.grad.isfinite().all()
    assert blank or canvas.grad.norm() > 0
    for name, parameter in one.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert blank or parameter.grad.norm() > 0, name


def test_a_pool_is_embedded_once_however_many_games_are_played_on_it(gallery: Gallery, moment: Moments) -> None:
    one = receiver(gallery)
    seen: list[int] = []
    assert one.matching is not None
    one.matching.photo.register_forward_hook(lambda _, given, out: seen.append(len(out)))
    one.score(torch.rand(40, 32, 32), gallery.view(torch.arange(10)), 2, torch.arange(40) % 2, moment())
    assert seen == [10]


def test_what_is_equal_finds_itself(gallery: Gallery, moment: Moments) -> None:
    """The ceiling of a rate gives the photo itself for the drawing."""
    one = receiver(gallery)
    with torch.no_grad():
        photos = one.embed_photos(gallery.view(torch.arange(12)), moment())
        scores = one.compare(photos, photos[None], torch.zeros(12, dtype=torch.long))
    assert (scores.argmax(dim=1) == torch.arange(12)).float().mean() > 0.8  # untrained; chance is 0.08


def test_heads_that_cannot_share_are_refused() -> None:
    with pytest.raises(ValidationError, match="3 heads cannot share dims of 128"):
        ReceiverConfig(score="attention", heads=3)
    assert ReceiverConfig(heads=3).score == "cosine"  # where nobody attends, nobody minds
