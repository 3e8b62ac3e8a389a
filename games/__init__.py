"""What is played: how a round is dealt, played and judged."""

from games.config import GameConfig
from games.course import Course
from games.distractors import NearestDistractors, RandomDistractors
from games.drawing import Drawer, Drawing
from games.pictionary import Pictionary
from games.play import Game, Play, Players, Round, balanced_accuracy, correct, taken
from games.referential import Mixture, Referential
from games.targets import OneTarget, SeveralTargets

__all__ = [
    "Course",
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
    "balanced_accuracy",
    "correct",
    "taken",
]
