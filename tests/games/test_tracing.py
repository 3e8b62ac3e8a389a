"""The tracing game: what it deals, what a picture is as ink, and what each loss asks for."""

from typing import Any, Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from games import Game, Tracing, as_ink
from games.pictures import Gallery, PictureView
from games.tracing import LOSSES, UNSURE, bce, mse, negative, pyramid
from raster import CanvasConfig, InputError, Strokes

CANVAS = CanvasConfig(size=16, sigma2=2e-2)  # type: ignore[arg-type]


class Hand:
    """Draws the same lines for every picture, and keeps what it was shown."""

    def __init__(self, points: torch.Tensor) -> None:
        self.points = points
        self.seen: PictureView | None = None

    def draw(self, view: PictureView, generator: torch.Generator) -> Strokes:
        self.seen = view
        return Strokes(self.points.expand(len(view), -1, -1, -1))

    def score(self, *_: object) -> torch.Tensor:
        raise AssertionError("nobody chooses in this game")


LINES = torch.tensor([[[-0.5, 0.0], [0.5, 0.0]], [[0.0, -0.5], [0.0, 0.5]]])


def test_it_is_a_game_of_pictures_alone(digits: Gallery) -> None:
    game = Tracing()
    assert isinstance(game, Game) and not game.chooses and game.parts == (game,) and game.reads() == ()
    round = game.deal(digits, "train", 50, torch.Generator().manual_seed(0))
    assert round.pool.shape == (1, 0) and (round.target == -1).all() and not round.pool_of.any()
    assert len(set(round.shown.tolist())) == 50
    assert digits.splits["train"].shown[round.shown].all()
    again = game.deal(digits, "train", 50, torch.Generator().manual_seed(0))
    assert torch.equal(again.shown, round.shown) and again.seed == round.seed
    play = game.play(Hand(LINES), round, digits, CANVAS, 0)
    assert play.scores.shape == (50, 0) and not play.chosen
    assert play.figures["mse"].shape == play.loss.shape == (50,)


def test_more_games_than_pictures_go_round(digits: Gallery) -> None:
    there = int(digits.splits["test"].shown.sum())
    shown = Tracing().deal(digits, "test", 2 * there + 3, torch.Generator().manual_seed(1)).shown
    counts = shown.bincount(minlength=len(digits))[digits.splits["test"].shown]
    assert sorted(set(counts.tolist())) == [2, 3]


def test_a_split_without_pictures_is_told_in_a_line(make_empty: Gallery) -> None:
    with pytest.raises(InputError, match=r"no picture to trace \(split 'test'\)"):
        Tracing().deal(make_empty, "test", 3, torch.Generator())


@pytest.fixture
def make_empty(digits: Gallery, monkeypatch: pytest.MonkeyPatch) -> Gallery:
    none = torch.zeros(len(digits), dtype=torch.bool)
    monkeypatch.setitem(digits.splits, "test", type(digits.splits["test"])("test", none, none))
    return digits


def test_ink_is_what_is_dark_or_what_is_light() -> None:
    black, white, red = torch.zeros(3), torch.ones(3), torch.tensor([1.0, 0.0, 0.0])
    rgb = torch.stack([black, white, red])[:, :, None, None].expand(-1, -1, 16, 16)
    dark, light = as_ink(rgb, "dark", 16), as_ink(rgb, "light", 16)
    torch.testing.assert_close(dark[:, 3, 3], torch.tensor([1.0, 0.0, 1 - 0.299]))
    torch.testing.assert_close(dark + light, torch.ones_like(dark))
    torch.testing.assert_close(as_ink(rgb, "dark", 16, colour=True)[2, :, 0, 0], torch.tensor([0.0, 1.0, 1.0]))


@given(before=st.integers(8, 40), after=st.integers(8, 40), seed=st.integers(0, 99))
def test_ink_of_another_size_is_as_much(before: int, after: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rgb = torch.nn.functional.avg_pool2d(torch.rand(2, 3, before, before, generator=generator), 5, 1, 2)
    ink = as_ink(rgb, "dark", after)
    assert ink.shape == (2, after, after) and ink.min() >= 0 and ink.max() <= 1
    assert (ink.mean(dim=(1, 2)) - as_ink(rgb, "dark", before).mean(dim=(1, 2))).abs().max() < 0.03


@pytest.mark.parametrize("loss", LOSSES)
def test_the_picture_itself_costs_least(loss: str) -> None:
    generator = torch.Generator().manual_seed(0)
    wanted = (torch.rand(4, 16, 16, generator=generator) > 0.6).float()
    others = (wanted.roll(1, 0), torch.zeros_like(wanted), torch.ones_like(wanted), wanted * 0.9)
    best = LOSSES[loss](wanted, wanted)
    assert best.shape == (4,) and (best < 1e-3).all()
    assert all((LOSSES[loss](other, wanted) > best).all() for other in others)


def test_losses_are_what_they_are_called() -> None:
    generator = torch.Generator().manual_seed(0)
    canvas, wanted = torch.rand(2, 3, 12, 12, generator=generator) * 0.9 + 0.05
    torch.testing.assert_close(mse(canvas, wanted), (canvas - wanted).pow(2).mean(dim=(1, 2)))
    slow = -(wanted * canvas.log() + (1 - wanted) * (1 - canvas).log()).mean(dim=(1, 2))
    torch.testing.assert_close(bce(canvas, wanted), slow, rtol=0, atol=20 * UNSURE)
    halves = [each.reshape(3, 6, 2, 6, 2).mean(dim=(2, 4)) for each in (canvas, wanted)]  # 12 px, then 6: done
    torch.testing.assert_close(pyramid(canvas, wanted), (mse(canvas, wanted) + mse(*halves)) / 2)


def test_a_canvas_that_is_sure_and_wrong_costs_a_finite_sum() -> None:
    canvas = torch.zeros(1, 8, 8, requires_grad=True)
    cost = bce(canvas, torch.ones(1, 8, 8))
    (gradient,) = torch.autograd.grad(cost.sum(), canvas)
    assert cost.isfinite().all() and gradient.isfinite().all() and (gradient < 0).all()


def test_a_pyramid_feels_what_the_mse_does_not() -> None:
    """A line moved towards a far-off one: only coarse levels tell that it came nearer."""
    wanted = CANVAS.draw(Strokes(torch.tensor([[[[0.6, -0.5], [0.6, 0.5]]]])))

    def cost(x: float, loss: str) -> float:
        return float(LOSSES[loss](CANVAS.draw(Strokes(torch.tensor([[[[x, -0.5], [x, 0.5]]]]))), wanted))

    far, near = -0.65, -0.05
    assert abs(cost(far, "mse") - cost(near, "mse")) < 0.02 * cost(far, "mse")
    assert cost(far, "pyramid") > cost(near, "pyramid") * 1.02


@pytest.mark.parametrize("ink", ["dark", "light"])
def test_biases_are_shown_dark_on_light_whatever_the_picture(digits: Gallery, ink: Literal["dark", "light"]) -> None:
    game = Tracing(ink=ink)
    hand = Hand(LINES)
    round = game.deal(digits, "train", 5, torch.Generator().manual_seed(0))
    play = game.play(hand, round, digits, CANVAS, 0)
    own = digits.view(round.shown).pixels()
    assert hand.seen is not None and torch.equal(hand.seen.pixels(), own)  # the sender sees the picture as it is
    expected = own if ink == "dark" else negative(own)
    assert (play.photo.pixels() - expected).abs().max() < 1 / 255 + 1e-6  # a gallery is bytes
    wanted = as_ink(own, ink, CANVAS.size)
    torch.testing.assert_close(play.figures["mse"], mse(play.canvas, wanted))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_moves_a_line_onto_the_picture(digits: Gallery, loss: Any) -> None:
    game = Tracing(loss=loss)
    round = game.deal(digits, "train", 3, torch.Generator().manual_seed(0))
    points = LINES.clone().requires_grad_()
    before = game.play(Hand(points), round, digits, CANVAS, 0).loss.mean()
    (gradient,) = torch.autograd.grad(before, points)
    with torch.no_grad():
        moved = points - 1e-2 * gradient / gradient.norm()
        after = game.play(Hand(moved), round, digits, CANVAS, 0).loss.mean()
    assert gradient.norm() > 0 and after < before


def test_coloured_strokes_are_compared_colour_by_colour(digits: Gallery) -> None:
    def draw(view: PictureView, generator: torch.Generator) -> Strokes:
        colour = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
        return Strokes(LINES.expand(len(view), -1, -1, -1), colour=colour.expand(len(view), -1, -1))

    hand: Any = Hand(LINES)
    hand.draw = draw
    round = Tracing().deal(digits, "train", 2, torch.Generator().manual_seed(0))
    play = Tracing().play(hand, round, digits, CANVAS, 0)
    own = digits.view(round.shown).pixels()
    assert play.canvas.shape == (2, 3, 16, 16)
    torch.testing.assert_close(play.figures["mse"], mse(play.canvas, as_ink(own, "dark", 16, colour=True)))
