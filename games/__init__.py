"""What is played: how a round is dealt, played and judged."""

from games.config import GameConfig
from games.course import Course
from games.description import Describers, Description
from games.distractors import NearestDistractors, RandomDistractors
from games.drawing import Drawer, Drawing, StillView
from games.pictionary import Pictionary
from games.play import Game, Play, Players, Round, balanced_accuracy, correct, taken, won
from games.referential import Mixture, Referential
from games.targets import OneTarget, SeveralTargets
from games.tracing import Tracing, as_ink

__all__ = [
    "Course",
    "Describers",
    "Description",
    "Drawer",
    "Drawing",
    "Game",
    "GameConfig",
    "Mixture",
    "NearestDistractors",
    "OneTarget",
    "Pictionary",
    "Play",
    "Players",
    "RandomDistractors",
    "Referential",
    "Round",
    "SeveralTargets",
    "StillView",
    "Tracing",
    "as_ink",
    "balanced_accuracy",
    "correct",
    "taken",
    "won",
]
