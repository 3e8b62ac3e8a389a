"""A small world to make studies of: things, hands, logged games; some names are hostile."""

import contextlib
import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest

from raster import CanvasConfig, InputError
from runs.study.browser import browser as open_browser
from runs.study.bundle import Vendor, vendor
from runs.study.config import StudyConfig
from runs.study.exporting import export_sources, short_form
from runs.study.plays import Game, Pictures
from runs.study.sources import Source
from runs.study.stimuli import drawer

CLASSES = (
    "cat",
    "<script>window.hacked=1</script>",
    "=HYPERLINK(1)",
    "[red]fox[/red]",
    'quo"te, comma',
    "@猫 \U0001f98a",
    "../../up",
    "-2+3",
    "<img src=x onerror=alert(1)>",
    "'=apostrophe",
)
HANDS = ("noto", "twemoji", "<b>open</b>")


class World:
    """Pictures and games as a run logs them."""

    def __init__(self, classes=CLASSES, candidates=10, pools=3, size=24, strokes=12):
        self.names = [f"{name}/{hand}" for name, hand in itertools.product(classes, HANDS)]
        self.label = [i // len(HANDS) for i in range(len(self.names))]
        self.pictures = Pictures(tuple(self.names), tuple(classes), tuple(self.label), "0" * 64)
        self.size = size
        rng = np.random.default_rng(0)
        y, x = np.mgrid[:size, :size] / size - 0.5
        self.pixels = np.full((len(self.names), size, size, 3), 255, np.uint8)
        for i, label in enumerate(self.label):
            angle = np.arctan2(y, x) * (2 + label % 5) + label
            inside = np.hypot(x, y) < 0.3 + 0.12 * np.sin(angle) + 0.02 * (i % len(HANDS))
            self.pixels[i][inside] = rng.integers(30, 220, 3)
        chance = random.Random(1)
        self.games = []
        for _ in range(pools):
            things = chance.sample(range(len(classes)), candidates)
            pool = tuple(thing * len(HANDS) + chance.randrange(len(HANDS)) for thing in things)
            for target in range(candidates):
                scores = [round(chance.gauss(0, 1), 3) for _ in pool]
                scores[target] += 1.5
                self.games.append(
                    Game(
                        kind="artist",
                        split="test",
                        step=100,
                        sender="0",
                        receiver="0",
                        pool=pool,
                        target=target,
                        shown=things[target] * len(HANDS),
                        scores=tuple(scores),
                        drawing={"strokes": self._outline(things[target], strokes)},
                    )
                )

    @staticmethod
    def _outline(label, strokes):
        turn = np.linspace(0, 2 * np.pi, strokes + 1)
        far = 0.6 + 0.24 * np.sin(turn * (2 + label % 5) + label)
        points = np.stack([far * np.cos(turn), far * np.sin(turn)], -1)
        return np.stack([points[:-1], points[1:]], 1).round(4).tolist()

    def lines(self):
        """The games as lines of plays/test.jsonl, one a game."""
        for game in self.games:
            yield json.dumps(
                {
                    "step": game.step,
                    "split": game.split,
                    "game": game.kind,
                    "sender": 0,
                    "receiver": 0,
                    "pool": game.pool,
                    "target": [game.target],
                    "shown": [game.shown],
                    "choice": [int(np.argmax(game.scores))],
                    "probability": [0.5],
                    "scores": [game.scores],
                    "strokes": [game.drawing["strokes"]],
                }
            )

    def source(self, run="secret-run", shown="raster", **changes):
        """The world as a study sees a run."""
        draw = drawer(CanvasConfig(size=32), shown)
        given = {"games": self.games, "own": "artist", "pictures": self.pictures, "pixels": self.pixels}
        given |= {"biases": ("likeness",), "seed": 3, **changes}
        return Source(run=run, draw=draw, canvas=32, **given)

    def export(self, out: Path, *, parts=None, consent="We ask. <b>You</b> agree.", design=None, runs=None, **short):
        """A study of these games, without jsPsych inside unless ``parts`` brings it."""
        config = StudyConfig.model_validate(design) if design is not None else short_form(**{"trials": 6} | short)
        sources = [self.source(run, config.shown) for run in runs or ["secret-run"]]
        return export_sources(sources, config, out, consent=consent, parts=parts or Vendor(False, "a test", {}))


@pytest.fixture(scope="session")
def world():
    """Ten things by three hands, thirty games of ten candidates."""
    return World()


@pytest.fixture(scope="session")
def worlds():
    """Makes other worlds."""
    return World


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """jsPsych as npm gives it; without npm or network the test is skipped."""
    try:
        return vendor(True)
    except InputError as error:
        pytest.skip(f"jsPsych cannot be bundled here: {error}")


@pytest.fixture(scope="session")
def chromium():
    """A headless browser; without playwright or Chromium the test is skipped."""
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(open_browser())
        except InputError as error:
            pytest.skip(f"no browser here: {error}")
        yield opened
