"""What an action may say, how it becomes strokes, and rules that are laid on the usual ones."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents import Moment, StrokesConfig
from agents.heads.hand import to_strokes
from games.envs import Hand, Rules, Scripted
from games.envs.rules import pictures_of
from games.pictures import Gallery
from raster import CanvasConfig, InputError

KINDS = ["line", "point", "polyline", "quadratic", "cubic", "catmull-rom"]
hands = st.builds(
    lambda kind, count, wide, opacity, colour, presence: {
        "kind": kind,
        "count": count,
        "width": {"low": 0.05, "high": 0.3} if wide else None,
        "opacity": opacity,
        "colour": colour,
        "presence": presence,
    },
    kind=st.sampled_from(KINDS),
    count=st.integers(1, 4),
    wide=st.booleans(),
    opacity=st.booleans(),
    colour=st.booleans(),
    presence=st.sampled_from(["always", "soft", "hard"]),
)


def hand_of(keys: dict[str, object]) -> Hand:
    width = keys["width"]
    return Hand.model_validate({**keys, "width": None if width is None else (0.05, 0.3)})


@given(keys=hands, seed=st.integers(0, 2**31))
def test_an_action_draws_what_an_agent_s_hand_draws_of_the_same_numbers(keys: dict[str, object], seed: int) -> None:
    hand, config = hand_of(keys), StrokesConfig.model_validate(keys)
    raw = torch.randn(3, hand.count, hand.numbers, generator=torch.Generator().manual_seed(seed))
    points = 2 * config.control_points
    action = torch.cat([raw[..., :points].tanh(), raw[..., points:].sigmoid() * 2 - 1], dim=-1)
    ours = hand.strokes(action)
    theirs = to_strokes(raw, config, Moment(0, "sender", torch.Generator(), training=False))
    assert ours.kind == theirs.kind
    for name in ("points", "width", "opacity", "colour", "presence"):
        one, other = getattr(ours, name), getattr(theirs, name)
        assert (one is None) == (other is None), name
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@given(keys=hands, louder=st.floats(1, 1e6))
def test_any_action_can_be_drawn_and_what_is_too_large_is_clipped(keys: dict[str, object], louder: float) -> None:
    hand = hand_of(keys)
    action = torch.randn(2, hand.count, hand.numbers, generator=torch.Generator().manual_seed(0))
    strokes = hand.strokes(action * louder)
    assert strokes.points.abs().max() <= 1
    ink = CanvasConfig(size=8).draw(strokes)
    assert ink.isfinite().all() and ink.shape == (2, *((3,) if hand.colour else ()), 8, 8)


def test_rules_are_laid_on_the_usual_ones_key_by_key() -> None:
    usual = Rules.of("pictionary")
    assert (usual.turns, usual.may_wait, usual.hand.count) == (4, True, 2)
    assert not Rules.of("referential").may_wait
    mine = Rules.of("pictionary", {"hand": {"kind": "cubic"}, "turns": 6, "game": {"candidates": 3}})
    assert (mine.turns, mine.hand.kind, mine.hand.count, mine.price) == (6, "cubic", 2, usual.price)
    assert mine.game.candidates == 3 and mine.canvas == usual.canvas
    assert Rules.of("referential", mine) is mine


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"turn": 3}, "turn: Extra inputs are not permitted"),
        ({"turns": 0}, "turns: Input should be greater than or equal to 1"),
        ({"hand": {"kind": "line", "points": 3}}, "a line has 2"),
        ({"hand": {"width": (0.3, 0.1)}}, "a width from 0.3 to 0.1"),
        ({"game": {"kind": "mixture"}}, "game.kind"),
    ],
)
def test_wrong_rules_are_told_in_one_line(changes: dict[str, object], line: str) -> None:
    with pytest.raises(InputError) as caught:
        Rules.of("referential", changes)
    assert line in str(caught.value) and "docs/envs.md" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_game_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"no game 'chess'.*referential, pictionary"):
        Rules.of("chess")


def test_equal_pictures_are_loaded_once(gallery: Gallery) -> None:
    assert pictures_of(gallery) is gallery
    first = pictures_of(None)
    assert first is pictures_of({"kind": "digits", "size": 32}) is not pictures_of({"kind": "digits", "size": 16})
    with pytest.raises(InputError, match="pictures"):
        pictures_of({"kind": "digits", "sise": 3})


def test_a_scripted_partner_traces_what_is_dark_and_finds_it_again() -> None:
    gallery = pictures_of(None)
    view = gallery.view(torch.arange(40))
    pair, none = Scripted(strokes=8), torch.Generator()
    drawn = pair.draw(view, none)
    assert drawn.points.shape == (40, 8, 2, 2) and drawn.points.abs().max() <= 1
    ink = CanvasConfig(size=32, sigma2=2e-3).draw(drawn)  # type: ignore[arg-type]
    dark = 1 - view.pixels().mean(dim=1)
    on, off = (ink * dark).sum() / dark.sum(), (ink * (1 - dark)).sum() / (1 - dark).sum()
    assert on > 2 * off
    pool, own = gallery.view(torch.arange(40)), torch.zeros(40, dtype=torch.long)
    scores = pair.score(ink, pool, 1, own, none)
    assert (scores.argmax(dim=1) == torch.arange(40)).float().mean() > 0.8  # chance is 0.025
    # Two pools are told apart, and colours are looked at as their mean.
    halves = torch.arange(40) // 20
    two = pair.score(ink[:, None].expand(-1, 3, -1, -1), pool, 2, halves, none)
    assert torch.allclose(two[3], scores[3, :20], atol=1e-5) and torch.allclose(two[30], scores[30, 20:], atol=1e-5)
