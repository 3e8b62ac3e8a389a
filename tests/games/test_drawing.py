"""Drawing pictures by optimisation, as a game."""

from dataclasses import replace

import pytest
import torch

from games import Drawing, Play, StillView
from games.pictures import Album, Gallery, PictureView, SplitConfig
from perception import TimmTrunk, Trunks
from raster import CanvasConfig, InputError, Strokes
from raster.schedule import Schedule

TRUNK = TimmTrunk(name="test_resnet", weights="random")


class Hand:
    """Lines, the same for all."""

    def __init__(self, drawings: int, width: float | None = None, paper: float | None = None) -> None:
        points = torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]]).expand(drawings, -1, -1, -1)
        self.strokes = Strokes(points, width=None if width is None else torch.tensor(width))
        self.ink = None if paper is None else torch.full((drawings, 1, 1), paper)

    def draw(self, view: PictureView, generator: torch.Generator) -> Strokes:
        return self.strokes

    def paper(self) -> torch.Tensor | None:
        return self.ink


@pytest.fixture(scope="module")
def three(digits: Gallery) -> Gallery:
    """Three pictures of which none is held out."""
    album = Album(
        pixels=digits.pixels[:3].numpy(),
        label=torch.arange(3).numpy(),
        artist=torch.zeros(3, dtype=torch.long).numpy(),
        classes=["a", "b", "c"],
        groups=[""] * 3,
        source="three",
    )
    return Gallery(album, SplitConfig(by=("picture",), validation=0.0, test=0.0), Trunks("cpu"))


def played(gallery: Gallery, hand: Hand, canvas: CanvasConfig, step: int = 0) -> Play:
    round = Drawing().deal(gallery, "train", 6, torch.Generator().manual_seed(0))
    return Drawing().play(hand, round, gallery, canvas, step)


def test_each_picture_is_dealt_as_often_and_has_nobody_to_guess_it(three: Gallery) -> None:
    play = played(three, Hand(6), CanvasConfig(size=16))
    assert play.round.shown.tolist() == [0, 0, 1, 1, 2, 2]
    assert play.round.pool.shape == (1, 0)
    assert (play.round.target == -1).all()
    assert play.scores.shape == (6, 0)
    assert play.label.tolist() == [0, 0, 1, 1, 2, 2]
    assert (play.loss == 0).all()
    with pytest.raises(InputError, match="7 drawings of 3 pictures"):
        Drawing().deal(three, "train", 7, torch.Generator())


def test_the_paper_has_its_ink_where_nothing_is_drawn(three: Gallery) -> None:
    play = played(three, Hand(6, paper=0.25), CanvasConfig(size=16, sigma2=Schedule.of(2e-2)))
    assert play.canvas[:, 0].allclose(torch.tensor(0.25), atol=1e-3)
    assert (play.canvas[:, 7:9, 8] > 0.8).all()


def test_a_schedule_of_sigma2_makes_strokes_with_a_width_wider_too(three: Gallery) -> None:
    soft = CanvasConfig(size=16, sigma2=Schedule.model_validate({"from": 4e-3, "to": 1e-3, "over": 10}))
    ends = [played(three, Hand(6, width=0.1), soft, step).canvas for step in (0, 10)]
    plain = [played(three, Hand(6, width=width), CanvasConfig(size=16)).canvas for width in (0.2, 0.1)]
    for found, expected in zip(ends, plain, strict=True):
        assert torch.allclose(found, expected, atol=1e-5)


def test_a_still_view_shows_what_a_view_shows_and_looks_once(three: Gallery) -> None:
    index = torch.tensor([0, 0, 2])
    still, plain = StillView(three, index), three.view(index)
    assert torch.equal(still.pixels(), plain.pixels())
    assert torch.equal(still.features(TRUNK, 1), plain.features(TRUNK, 1))
    assert still.features(TRUNK, 1) is still[:3].features(TRUNK, 1)
    assert torch.equal(still[1:].pixels(), plain[1:].pixels())
    assert torch.equal(still[torch.tensor([2])].features(TRUNK, 0), plain[torch.tensor([2])].features(TRUNK, 0))


def test_a_kept_view_is_what_biases_are_shown(three: Gallery) -> None:
    round = Drawing().deal(three, "train", 3, torch.Generator().manual_seed(0))
    still = StillView(three, round.shown)
    play = Drawing().play(Hand(3), round, three, CanvasConfig(size=16), 0, still)
    assert play.photo is still
    assert replace(play, kept=None).photo is still
