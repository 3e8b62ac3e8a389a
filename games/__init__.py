"""What is played: how a round is dealt, played and judged."""

from games.distractors import NearestDistractors, RandomDistractors
from games.play import Game, Play, Players, Round, balanced_accuracy, correct, taken
from games.referential import GameConfig, Mixture, Referential
from games.targets import OneTarget, SeveralTargets

__all__ = [
    "Game",
    "GameConfig",
    "Mixture",
    "NearestDistractors",
    "OneTarget",
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
