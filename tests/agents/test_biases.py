"""What pushes the agents: how a bias gets its word, what the shipped ones do, and what is asked of a stranger's."""

import itertools
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import agents.biases
from agents import Bias, Ink, Likeness, Moment, Tremor, bias
from agents.bias import _BIASES, biases
from agents.biases.check import check_bias
from games.pictures import Gallery
from perception import TimmTrunk
from raster import CanvasConfig, InputError, Strokes
from runs.config import Config
from runs.folder import lines, read_json
from runs.loading import load

Moments = Callable[..., Moment]
TRUNK = TimmTrunk(name="test_resnet", weights="random")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def registry() -> Iterator[dict[str, type[Bias]]]:
    """The registered biases, put back as they were afterwards."""
    before = dict(_BIASES)
    yield _BIASES
    _BIASES.clear()
    _BIASES.update(before)


# Names


def test_the_shipped_biases_are_registered_by_their_words() -> None:
    found = biases()
    assert {"likeness": Likeness, "ink": Ink, "tremor": Tremor}.items() <= found.items()
    assert all(kind.name == word and kind().kind == word for word, kind in found.items())


def test_yaml_chooses_a_bias_by_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("base: tiny\nbiases: [{kind: tremor, turn: 0.5}, {kind: ink, free: 0.25, weight: 2}]\n")
    tremor, ink = load(Config, path).config.biases
    assert isinstance(tremor, Tremor) and tremor.turn == 0.5
    assert isinstance(ink, Ink) and ink.free == 0.25 and ink.weight.at(0) == 2


def test_an_unknown_kind_is_told_with_place_and_the_nearest_word(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("base: tiny\nbiases:\n  - {kind: likenes}\n")
    with pytest.raises(InputError, match=r"likenes.*x\.yaml:3.*did you mean 'likeness'") as caught:
        load(Config, path)
    assert "\n" not in str(caught.value)


def test_a_key_of_another_bias_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("base: tiny\nbiases:\n  - {kind: ink, turn: 0.5}\n")
    with pytest.raises(InputError, match=r"turn.*x\.yaml:3"):
        load(Config, path)


def test_two_classes_of_one_name_are_refused(registry: dict[str, type[Bias]]) -> None:
    @bias("mine")
    class First(Bias):
        pass

    with pytest.raises(InputError, match=r"two biases are called 'mine'.*rename one"):

        @bias("mine")
        class Second(Bias):
            pass

    assert registry["mine"] is First


def test_a_class_that_is_imported_again_keeps_its_name(registry: dict[str, type[Bias]]) -> None:
    for _ in range(2):

        @bias("mine")
        class Again(Bias):
            pass

    assert registry["mine"] is Again
    assert not Again().costs() and Ink().costs()


@pytest.mark.slow
def test_a_plugin_s_bias_works_from_the_command_line_to_the_summary(warm: Path, tmp_path: Path) -> None:
    (tmp_path / "leaning.py").write_text(
        "from agents import Bias, bias\n\n\n"
        '@bias("leaning")\n'
        "class Leaning(Bias):\n"
        "    '''Strokes stay near a place.'''\n\n"
        "    place: float = 0.0\n\n"
        "    def cost(self, play):\n"
        "        return (play.strokes.points - self.place).square().mean((1, 2, 3))\n"
    )
    (tmp_path / "mine.yaml").write_text(
        "base: tiny\n"
        "biases: [{kind: leaning, place: 0.5, weight: 3}]\n"
        "train: {steps: 3, games: 10, log_every: 1}\n"
        "measure: {validation_pools: 1, test_pools: 2}\n"
    )
    words = ["run", "mine.yaml", "--plugin", "leaning", "--out", "o", "--device", "cpu"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "LASCAUX_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [str(warm / "lascaux"), *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert read_json(tmp_path / "o/env.json")["plugins"] == ["leaning"]
    costs = [line["leaning"] for line in lines(tmp_path / "o/metrics.jsonl") if line["split"] == "train"]
    assert len(costs) == 3 and all(cost > 0 for cost in costs)


# The shipped ones


def played(gallery: Gallery, index: torch.Tensor, seed: int = 0, **more: Any) -> Any:
    points = torch.rand(len(gallery), 5, 2, 2, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8
    strokes = Strokes(points=points[index])
    canvas = CanvasConfig(size=32).draw(strokes, 0)
    view = gallery.view(index)
    given = {"photo": view, "label": view.label, "trunks": gallery.trunks, "kept": None, "generator": torch.Generator}
    return SimpleNamespace(strokes=strokes, canvas=canvas, **{**given, **more})


@given(free=st.floats(0, 1), seed=st.integers(0, 2**31))
def test_ink_is_the_part_of_the_canvas_that_is_inked_above_what_is_free(free: float, seed: int) -> None:
    canvas = torch.rand(4, 6, 6, generator=torch.Generator().manual_seed(seed)) ** 3
    nothing = dict.fromkeys(["photo", "strokes", "trunks", "label", "kept"])
    play = SimpleNamespace(canvas=canvas, generator=torch.Generator, **nothing)
    expected = [max(0.0, sum(map(sum, one)) / 36 - free) for one in canvas.tolist()]
    assert Ink(free=free).cost(play) == pytest.approx(expected, abs=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.25, 0.5, 0.6, 1.0])
def test_a_share_of_likeness_keeps_its_expectation(gallery: Gallery, share: float) -> None:
    some = torch.tensor([3, 14, 25, 40])
    whole = Likeness(trunk=TRUNK).cost(played(gallery, some)).mean()
    part = Likeness(trunk=TRUNK, share=share)
    orders = [part.cost(played(gallery, some[list(order)])).mean() for order in itertools.permutations(range(4))]
    assert whole > 0
    assert torch.isclose(torch.stack(orders).mean(), whole, rtol=1e-4)


def test_likeness_asks_for_the_photo_features_that_it_says_it_reads(gallery: Gallery) -> None:
    one = Likeness(trunk=TRUNK, levels=(0, 2))
    assert one.reads() == ((TRUNK, 0), (TRUNK, 2))


def test_a_drawing_is_more_like_what_it_is_drawn_from(gallery: Gallery) -> None:
    # The photo is the drawing itself, black on white: no cost; another's drawing has some.
    play = played(gallery, torch.arange(3))

    class Drawn:
        def __init__(self, canvas: torch.Tensor) -> None:
            self.rgb = (1 - canvas)[:, None].expand(-1, 3, -1, -1)

        def __getitem__(self, item: Any) -> "Drawn":
            found = Drawn(play.canvas)
            found.rgb = self.rgb[item]
            return found

        def features(self, trunk: TimmTrunk, level: int) -> torch.Tensor:
            return gallery.trunks[trunk](self.rgb, [level])[0]

    own = SimpleNamespace(**{**vars(play), "photo": Drawn(play.canvas)})
    other = SimpleNamespace(**{**vars(own), "photo": Drawn(play.canvas.roll(1, 0))})
    one = Likeness(trunk=TRUNK)
    assert Likeness.cost.__wrapped__(one, own).abs().max() < 1e-6  # type: ignore[attr-defined]
    assert Likeness.cost.__wrapped__(one, other).min() > 1e-4  # type: ignore[attr-defined]


def test_likeness_works_on_a_canvas_in_double_precision(gallery: Gallery) -> None:
    play = played(gallery, torch.arange(3))
    single = Likeness(trunk=TRUNK).cost(play)
    play.canvas = play.canvas.double()
    double = Likeness(trunk=TRUNK).cost(play)
    assert double.dtype == torch.float64
    assert torch.allclose(double.float(), single, rtol=1e-4)


def test_weights_that_do_not_fit_the_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="2 weights for 3 levels: give one a level"):
        Likeness(weights=(1.0, 2.0))


def test_a_hand_trembles_only_while_it_learns(moment: Moments) -> None:
    strokes = Strokes(points=torch.rand(6, 5, 2, 2) - 0.5)
    assert Tremor().move(strokes, moment(training=False)).points is strokes.points
    moved = [Tremor().move(strokes, moment(seed, training=True)).points for seed in (1, 1, 2)]
    assert torch.equal(moved[0], moved[1])
    assert not torch.equal(moved[0], strokes.points) and not torch.equal(moved[0], moved[2])


@given(seed=st.integers(0, 2**31))
def test_tremor_without_jitter_moves_a_drawing_as_a_whole_and_a_little(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(6, 5, 2, 2, generator=generator) * 2 - 1
    limits = {"turn": 0.2, "scale": 0.1, "shift": 0.05}
    moved = Tremor(jitter=0, **limits).move(Strokes(points=points), Moment(0, "sender", generator)).points
    before, after = (torch.cdist(x.flatten(1, 2), x.flatten(1, 2)) for x in (points, moved))
    size = (after.sum(dim=(1, 2)) / before.sum(dim=(1, 2)))[:, None, None]
    assert torch.allclose(after, before * size, atol=2e-3)  # one size for all of a drawing's distances
    assert ((size - 1).abs() <= 0.1 + 1e-3).all()
    assert (moved - points).norm(dim=-1).max() <= 2**0.5 * (0.2 + 0.1 * 1.1 + 0.05) + 1e-5


# What is asked of a stranger's


EVERY = [getattr(agents.biases, name) for name in agents.biases.__all__]


@pytest.mark.slow
@pytest.mark.parametrize("kind", EVERY)
def test_every_shipped_bias_passes_the_check_for_every_kind_of_stroke(kind: type[Bias]) -> None:
    found = check_bias(kind)
    assert [each for each in found if not each.passed] == []
    (kinds,) = [each.seen for each in found if each.name == "kinds of strokes"]
    assert kinds == "all of line, point, polyline, quadratic, cubic, catmull-rom, in colour too"


def test_every_file_of_biases_is_registered_and_public() -> None:
    files = {path.stem for path in (ROOT / "agents" / "biases").glob("[!_]*.py")} - {"check"}
    assert {kind.name.replace("-", "_") for kind in EVERY} == files


class NotANumber(Bias):
    def cost(self, play: Any) -> Any:
        return play.canvas.mean((-2, -1)) * float("nan")


class OneForAll(Bias):
    def cost(self, play: Any) -> Any:
        return play.canvas.mean()


class Neighbours(Bias):
    def cost(self, play: Any) -> Any:
        return play.canvas.mean((-2, -1)).cumsum(0)


class Careless(Bias):
    def see(self, view: Any, moment: Moment) -> Any:
        return view.through(lambda rgb: rgb + torch.rand(1))


class Unmoved(Bias):
    def cost(self, play: Any) -> Any:
        return play.canvas.detach().mean((-2, -1)).requires_grad_() + 0 * play.strokes.points.sum()


class Homesick(Bias):
    def cost(self, play: Any) -> Any:
        return (play.strokes.points * torch.tensor(np.ones((2, 2)), dtype=torch.float32, device="cpu")).mean((1, 2, 3))


class Raising(Bias):
    def cost(self, play: Any) -> Any:
        raise RuntimeError("no cost today")


class Forgetful(Bias):
    def keeps(self) -> Any:
        return torch.nn.BatchNorm1d(2)

    def cost(self, play: Any) -> Any:
        return play.kept(play.strokes.points.flatten(2)[..., :2].mean(1)).square().mean(-1)


class LinesAlone(Bias):
    def cost(self, play: Any) -> Any:
        return (play.strokes.points[..., 1, 0] - play.strokes.points[..., 0, 0]).abs().mean(-1)


class Shrinking(Bias):
    def move(self, strokes: Strokes, moment: Moment) -> Strokes:
        return Strokes(points=strokes.points[:-1])


@pytest.mark.parametrize(
    ("kind", "finding"),
    [
        (NotANumber, "cost is one finite number a game"),
        (OneForAll, "cost is one finite number a game"),
        (Neighbours, "batch order does not matter"),
        (Careless, "global randomness is left alone"),
        (Careless, "see keeps pictures whole and repeats itself"),
        (Unmoved, "gradients reach the strokes"),
        (Homesick, "stays on its device"),
        (Raising, "cost in time"),
        (Forgetful, "the same play costs the same"),
        (Shrinking, "move keeps strokes whole and repeats itself"),
    ],
)
def test_the_check_finds_what_is_wrong(kind: type[Bias], finding: str) -> None:
    assert finding in {each.name for each in check_bias(kind) if not each.passed}


def test_the_check_tells_which_strokes_a_bias_is_not_for_without_blaming_it() -> None:
    found = check_bias(LinesAlone)
    assert all(each.passed for each in found)
    (kinds,) = [each.seen for each in found if each.name == "kinds of strokes"]
    assert kinds == "not point (IndexError), point in colour (IndexError)"
