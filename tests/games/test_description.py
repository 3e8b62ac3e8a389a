"""The description game: what it deals, what the describer is given, and what a set costs."""

from typing import Any

import numpy as np
import pytest
import torch

from games import Describers, Description, Game, as_ink
from games.pictures import Album, Gallery, PictureView, SplitConfig
from perception import Trunks
from perception.sets import CLEVR, Decoded, StateCost, chamfer, hungarian
from raster import CanvasConfig, InputError, Strokes

CANVAS = CanvasConfig(size=16, sigma2=2e-2)  # type: ignore[arg-type]


class Two:
    """Draws one line, and says the same set whatever it is given; keeps what that was."""

    def __init__(self, sets: torch.Tensor, colour: bool = False) -> None:
        self.sets, self.colour = sets, colour
        self.given: torch.Tensor | None = None

    def draw(self, view: PictureView, generator: torch.Generator) -> Strokes:
        points = torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]]).expand(len(view), -1, -1, -1)
        return Strokes(points, colour=torch.ones(len(view), 1, 3) if self.colour else None)

    def describe(self, canvas: torch.Tensor, generator: torch.Generator) -> Decoded:
        self.given = canvas
        return Decoded.at_once(self.sets.expand(len(canvas), -1, -1))

    def score(self, *_: object) -> torch.Tensor:
        raise AssertionError("nobody chooses in this game")


@pytest.fixture(scope="module")
def scenes() -> Gallery:
    """Twelve pictures of noise with random sets of up to three objects."""
    noise = np.random.default_rng(0)
    sets = np.zeros((12, 3, CLEVR.channels), np.float32)
    for number, one in enumerate(sets):
        for slot in range(number % 4):
            one[slot, :3] = noise.uniform(-1, 1, 3)
            for where in CLEVR.attributes:
                one[slot, where.start + noise.integers(where.stop - where.start)] = 1
            one[slot, -1] = 1
    album = Album(
        pixels=noise.integers(0, 256, (12, 3, 24, 24), dtype=np.uint8),
        label=np.zeros(12, np.int64),
        artist=np.zeros(12, np.int64),
        classes=["scene"],
        groups=[""],
        source="noise",
        sets=sets,
    )
    return Gallery(album, SplitConfig(by=("picture",), validation=0, test=0.25), Trunks("cpu"))


def test_it_is_a_game_in_which_nobody_chooses(scenes: Gallery) -> None:
    game = Description()
    assert isinstance(game, Game) and game.describes and not game.chooses and game.parts == (game,)
    round = game.deal(scenes, "train", 5, torch.Generator().manual_seed(0))
    assert round.pool.shape == (1, 0) and len(set(round.shown.tolist())) == 5
    assert scenes.splits["train"].shown[round.shown].all()
    pair = Two(torch.zeros(1, 4, CLEVR.channels))
    assert isinstance(pair, Describers)
    play = game.play(pair, round, scenes, CANVAS, 0)
    assert play.loss.shape == (5,) and not play.chosen
    assert play.said is not None and play.said.shape == (5, 4, CLEVR.channels)


@pytest.mark.parametrize("kind", ["hungarian", "chamfer"])
def test_a_game_costs_what_its_set_is_off(scenes: Gallery, kind: Any) -> None:
    weights = {"numbers": 3.0, "classes": 0.5, "presence": 2.0}
    game = Description.model_validate({"loss": {"kind": kind, **weights}})
    round = game.deal(scenes, "train", 6, torch.Generator().manual_seed(0))
    said = torch.rand(1, 3, CLEVR.channels, generator=torch.Generator().manual_seed(1))
    play = game.play(Two(said), round, scenes, CANVAS, 0)
    assert scenes.sets is not None
    loss = hungarian if kind == "hungarian" else chamfer
    slow = loss(said.expand(6, -1, -1), scenes.sets[round.shown], cost=StateCost(CLEVR, **weights))
    torch.testing.assert_close(play.loss, slow)
    one = Two(scenes.sets[round.shown[:1]])
    assert game.play(one, round, scenes, CANVAS, 0).loss[0] == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("colour", [False, True])
def test_the_describer_is_given_the_drawing_the_picture_or_nothing(scenes: Gallery, colour: bool) -> None:
    seen = {}
    for sees in ("drawing", "picture", "blank"):
        game = Description.model_validate({"sees": sees})
        round = game.deal(scenes, "train", 4, torch.Generator().manual_seed(0))
        pair = Two(torch.zeros(1, 3, CLEVR.channels), colour)
        play = game.play(pair, round, scenes, CANVAS, 0)
        assert pair.given is not None
        seen[sees] = pair.given
        assert (3 if pair.given.ndim == 4 else 1) == game.inks(3 if colour else 1)
    torch.testing.assert_close(seen["drawing"], play.canvas)
    assert not seen["blank"].any() and seen["blank"].shape == play.canvas.shape
    own = scenes.view(round.shown).pixels()
    torch.testing.assert_close(seen["picture"], as_ink(own, "dark", 16, colour=True))


def test_pictures_of_which_nobody_knows_the_objects_are_told_in_a_line(digits: Gallery) -> None:
    with pytest.raises(InputError, match=r"nobody knows which objects .* take pictures: {kind: scenes}"):
        Description().deal(digits, "train", 3, torch.Generator())
