"""What a report shows of a game of turns: the rate by turn, when receivers answered, and drawings as they grew."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from raster import in_sight, to_svg
from raster.shapes import Tensor
from runs.drawings import one_of, strokes_of
from runs.report.figures import as_data_uri, turn_curves

STRIPS = 8
"""Drawings that are shown turn by turn, of each game."""


@dataclass(frozen=True)
class Frame:
    """A drawing after one turn, and what the receiver then took."""

    sketch: Markup
    guess: str
    right: bool
    answer: float


@dataclass(frozen=True)
class Strip:
    """One game, turn by turn, up to the answer."""

    name: str
    photo: str
    frames: list[Frame]
    turns: int


def strips(plays: list[dict[str, Any]], pictures: dict[str, Any], pixels: Tensor, sigma2: float) -> list[Strip]:
    """A fixed random sample of games as film strips; none where the game has no turns.

    Args:
        plays: journal lines of one game.
        pictures: pictures.json.
        pixels: uint8 [n, 3, H, W].
        sigma2: ink width of the drawings.
    """
    every = [(line, number) for line in plays if "turn" in line for number in range(len(line["target"]))]
    found = []
    for line, number in random.Random(0).sample(every, min(STRIPS, len(every))):
        drawing, turns, shown = one_of(line, number), len(line["choices"][number]), line["shown"][number]
        frames = []
        for turn in range(line["turn"][number]):
            choice = line["choices"][number][turn]
            frames.append(
                Frame(
                    sketch=Markup(_after(drawing, turn, turns, sigma2)),  # noqa: S704 (numbers only)
                    guess=pictures["names"][line["pool"][choice]],
                    right=choice == line["target"][number],
                    answer=line["answer"][number][turn],
                )
            )
        found.append(Strip(pictures["names"][shown], as_data_uri(pixels[shown]), frames, turns))
    return found


def curves_by_turn(plays: list[dict[str, Any]], row: Mapping[str, Any]) -> str | None:
    """Rate and answers by turn of one game's journal lines as an SVG data address; None where it has no turns.

    Args:
        plays: journal lines.
        row: what summary.json says of them: the control's rates by turn, where they are measured.
    """
    lines = [line for line in plays if "turn" in line]
    if not lines:
        return None
    target = np.concatenate([line["target"] for line in lines])  # [n]
    choices = np.concatenate([line["choices"] for line in lines])  # [n, T]
    turn = np.concatenate([line["turn"] for line in lines])  # [n]
    right = choices == target[:, None]
    rates = {
        "made to answer": right.mean(axis=0).tolist(),
        "answered then": [
            float(right[turn == t, t - 1].mean()) if (turn == t).any() else None for t in range(1, 1 + right.shape[1])
        ],
    }
    if "rate_by_turn_untrained" in row:
        rates["made to answer, untrained sender"] = row["rate_by_turn_untrained"]
    shares = [float((turn == t).mean()) for t in range(1, 1 + right.shape[1])]
    return turn_curves(rates, shares, 1 / len(lines[0]["pool"]))


def _after(drawing: Mapping[str, Any], turn: int, turns: int, sigma2: float) -> str:
    """The drawing after turn ``turn`` (from 0) as an SVG element."""
    strokes = strokes_of(drawing)
    some = strokes.select(slice(0, (turn + 1) * strokes.count // turns))
    return to_svg(in_sight(some), (96, 96), sigma2=sigma2)
