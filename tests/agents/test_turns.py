"""Drawing turn by turn is drawing; patience starts even, decides by scores alone, and is made only when asked for."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents import Bias, Community, CommunityConfig, Moment, ReceiverConfig, Sender, SenderConfig, Tremor, Turns
from agents.turns import HEARD, Patience
from games.pictures import Gallery
from perception import ConvnetTrunk, TimmTrunk
from raster import CanvasConfig, InputError, Strokes

Moments = Callable[..., Moment]
CANVAS = CanvasConfig(size=24, sigma2=4e-3)  # type: ignore[arg-type]
HEADS: dict[str, dict[str, Any]] = {
    "onepass": {"kind": "onepass"},
    "recurrent": {"kind": "recurrent", "per_step": 2, "width": 16, "heads": 2, "channels": (4,)},
    "set": {"kind": "set", "width": 16, "heads": 2},
}
ALL = {"width": {"low": 0.05, "high": 0.3}, "opacity": True, "colour": True, "presence": "soft"}


def sender(gallery: Gallery, head: str, hears: bool = False, **strokes: Any) -> Sender:
    config = {
        "trunk": TimmTrunk(name="test_resnet", weights="random"),
        "levels": (1,),
        "hidden": 16,
        "head": HEADS[head],
        "strokes": {"count": 6, **strokes},
    }
    torch.manual_seed(0)
    return Sender(SenderConfig.model_validate(config), gallery, canvas=CANVAS, hears=hears)


def in_turns(
    one: Sender, gallery: Gallery, moment: Moment, each: int, heard: torch.Tensor | None = None
) -> tuple[list[Strokes], list[torch.Tensor]]:
    """A drawing in turns of ``each`` strokes: the strokes and the canvas of each turn."""
    at, ink = one.begin(gallery.view(torch.arange(4)), moment), None
    drawn, inks = [], []
    for turn in range(6 // each):
        strokes, at = one.more(at, ink, each, moment, heard if turn else None)
        ink = CANVAS.draw(strokes, upon=ink)
        drawn.append(strokes)
        inks.append(ink)
    return drawn, inks


@pytest.mark.parametrize("carried", [{}, ALL], ids=["plain", "all"])
@pytest.mark.parametrize("each", [2, 6])
@pytest.mark.parametrize("head", HEADS)
def test_a_drawing_in_turns_is_the_drawing_at_once(
    gallery: Gallery, moment: Moments, head: str, each: int, carried: dict[str, Any]
) -> None:
    one = sender(gallery, head, **carried)
    whole = one.draw(gallery.view(torch.arange(4)), moment(training=True))
    drawn, inks = in_turns(one, gallery, moment(training=True), each)
    joined = Strokes.cat(drawn, dim=1)
    for name in ("points", *(carried and ALL)):
        assert torch.equal(getattr(joined, name), getattr(whole, name)), name
    assert torch.allclose(inks[-1], CANVAS.draw(whole), atol=1e-6)


@given(
    turns=st.integers(2, 5),
    each=st.integers(1, 3),
    seed=st.integers(0, 2**31),
    compose=st.sampled_from(["softor", "over", "max"]),
)
def test_a_canvas_that_is_kept_is_the_canvas_of_all_strokes(turns: int, each: int, seed: int, compose: str) -> None:
    canvas = CanvasConfig.model_validate({"size": 16, "sigma2": 5e-3, "compose": compose})
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(2, turns * each, 2, 2, generator=generator, dtype=torch.float64) * 2 - 1
    ink = None
    for turn in range(turns):
        new = Strokes(points[:, turn * each : (turn + 1) * each])
        before, alone = ink, canvas.draw(new)
        ink = canvas.draw(new, upon=ink)
        if before is not None and compose == "softor":
            assert torch.allclose(ink, 1 - (1 - before) * (1 - alone), atol=1e-12)
    assert ink is not None and torch.allclose(ink, canvas.draw(Strokes(points)), atol=1e-12)


def test_a_turn_of_strokes_that_no_step_divides_is_drawn_in_steps_of_its_own(gallery: Gallery, moment: Moments) -> None:
    one = sender(gallery, "recurrent")  # two strokes a look, three a turn
    drawn, _ = in_turns(one, gallery, moment(), 3)
    assert [each.count for each in drawn] == [3, 3]
    assert Strokes.cat(drawn, dim=1).points.abs().max() < 1


def test_a_recurrent_hand_answers_to_what_it_finds_on_the_paper(gallery: Gallery, moment: Moments) -> None:
    one = sender(gallery, "recurrent")
    at = one.begin(gallery.view(torch.arange(4)), moment())
    _, at = one.more(at, None, 2, moment())
    blank, full = (one.more(at, torch.full((4, 24, 24), ink), 2, moment())[0].points for ink in (0.0, 1.0))
    assert not torch.allclose(blank, full)
    planned = sender(gallery, "onepass")
    at = planned.begin(gallery.view(torch.arange(4)), moment())
    blank, full = (planned.more(at, torch.full((4, 24, 24), ink), 2, moment())[0].points for ink in (0.0, 1.0))
    assert torch.equal(blank, full)


def test_a_sender_that_hears_draws_by_what_it_is_told_and_silence_is_zeros(gallery: Gallery, moment: Moments) -> None:
    deaf, one = sender(gallery, "recurrent"), sender(gallery, "recurrent", hears=True)
    drawn = [
        Strokes.cat(in_turns(each, gallery, moment(), 2, heard)[0], dim=1).points
        for each, heard in [
            (deaf, None),
            (one, None),
            (one, torch.zeros(4, HEARD)),
            (one, torch.tensor([[-1.0, -0.2, 0.5]]).expand(4, -1)),
        ]
    ]
    assert torch.equal(drawn[0], drawn[1]) and torch.equal(drawn[1], drawn[2])  # the ear changes no other weight
    assert torch.equal(drawn[2][:, :2], drawn[3][:, :2])  # nothing is told before the first turn
    assert not torch.allclose(drawn[2][:, 2:], drawn[3][:, 2:])


@pytest.mark.parametrize("head", ["onepass", "set"])
def test_a_head_that_draws_at_once_cannot_hear(gallery: Gallery, head: str) -> None:
    with pytest.raises(InputError, match=f"cannot have the head {head}.*recurrent"):
        sender(gallery, head, hears=True)


@given(turns=st.integers(2, 9), candidates=st.integers(2, 70), seed=st.integers(0, 2**31))
def test_before_it_learns_each_turn_is_as_likely_to_be_the_last(turns: int, candidates: int, seed: int) -> None:
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        patience = Patience(turns)
    scores = 9 * torch.randn(3, candidates, generator=torch.Generator().manual_seed(seed))
    left = torch.ones(3)
    for turn in range(turns - 1):
        answer = torch.sigmoid(-patience(scores, turn))
        assert torch.allclose(left * answer, torch.full((3,), 1 / turns), atol=1e-5)
        left = left * (1 - answer)
    assert torch.allclose(left, torch.full((3,), 1 / turns), atol=1e-5)


def _learned(turns: int = 4) -> Patience:
    torch.manual_seed(3)
    patience = Patience(turns)
    torch.nn.init.normal_(patience.last.weight)
    return patience


@given(candidates=st.integers(2, 20), seed=st.integers(0, 2**31), scale=st.floats(0, 60))
def test_patience_does_not_know_candidates_apart_and_stays_finite(candidates: int, seed: int, scale: float) -> None:
    patience, generator = _learned(), torch.Generator().manual_seed(seed)
    scores = (torch.randn(3, candidates, generator=generator) * scale).requires_grad_()
    wait = patience(scores, 1)
    order = torch.randperm(candidates, generator=generator)
    assert torch.allclose(patience(scores[:, order] + 5.0, 1), wait, atol=1e-3)
    wait.sum().backward()
    assert wait.isfinite().all() and scores.grad is not None and scores.grad.isfinite().all()


def test_a_sure_guess_and_a_vague_one_are_told_apart() -> None:
    patience = _learned()
    scores = torch.tensor([[9.0, 0.0, 0.0], [0.1, 0.0, 0.0]])
    assert (patience(scores, 0)[0] - patience(scores, 0)[1]).abs() > 1e-3


@given(costs=st.lists(st.floats(-5, 5), min_size=1, max_size=8), keep=st.floats(0, 0.99))
def test_the_moving_average_starts_at_the_first_cost_and_moves(costs: list[float], keep: float) -> None:
    patience, slow = Patience(2).double(), costs[0]
    for cost in costs:
        patience.remember(torch.tensor(cost, dtype=torch.float64), keep)
    for cost in costs[1:]:
        slow = keep * slow + (1 - keep) * cost
    assert float(patience.mean) == pytest.approx(slow, abs=1e-9)


def community(gallery: Gallery, turns: Turns | None, biases: tuple[Bias, ...] = ()) -> Community:
    trunk = ConvnetTrunk(channels=(4, 4))
    sends = SenderConfig.model_validate(
        {"trunk": trunk, "hidden": 8, "head": HEADS["recurrent"], "strokes": {"count": 6}}
    )
    looks = ReceiverConfig.model_validate(
        {"trunk": trunk, "hidden": 8, "dims": 4, "reader": {"kind": "convnet", "channels": (4, 4)}}
    )
    return Community(CommunityConfig(), sends, looks, gallery, CANVAS, gallery.trunks, 0, biases, turns)


def test_the_decision_is_made_only_where_a_game_asks_and_leaves_all_else_as_it_was(gallery: Gallery) -> None:
    plain, taking = community(gallery, None), community(gallery, Turns(3))
    before, after = plain.state_dict(), taking.state_dict()
    more = after.keys() - before.keys()
    assert before.keys() < after.keys() and all(name.startswith("receivers.0.patience.") for name in more)
    hearing = community(gallery, Turns(3, hears=True)).state_dict()
    assert hearing.keys() - after.keys() == {"senders.0.head.ear.weight"}
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    with pytest.raises(AssertionError, match="without turns"):
        _ = plain.pair(0, 0, (), 0, training=False).patience


def test_looking_once_and_guessing_is_scoring(gallery: Gallery) -> None:
    pair = community(gallery, Turns(3)).pair(0, 0, (), 0, training=True)
    pool, pool_of = gallery.view(torch.arange(10)), torch.tensor([0, 1, 1])
    canvas = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(0))
    whole = pair.score(canvas, pool, 2, pool_of, torch.Generator().manual_seed(1))
    photos = pair.look(pool, 2, torch.Generator().manual_seed(1))
    assert photos.shape == (2, 5, 4) and torch.equal(pair.guess(canvas, photos, pool_of), whole)


def test_biases_move_the_hand_anew_in_every_turn(gallery: Gallery) -> None:
    biases = (Tremor(),)
    pair = community(gallery, Turns(3), biases).pair(0, 0, biases, 0, training=True)
    still = community(gallery, Turns(3)).pair(0, 0, (), 0, training=True)
    view, moved = gallery.view(torch.arange(3)), []
    for turn in range(2):
        at = pair.begin(view, torch.Generator().manual_seed(0))
        meant = still.begin(view, torch.Generator().manual_seed(0))
        noise = torch.Generator().manual_seed(turn)
        trembling, _ = pair.more(at, None, 2, noise)
        intended, _ = still.more(meant, None, 2, torch.Generator())
        moved.append(trembling.points - intended.points)
    assert moved[0].abs().max() > 1e-3 and not torch.allclose(*moved)
