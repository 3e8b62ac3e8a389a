"""What is played: how a round is dealt, played and judged."""

from games.config import GameConfig
from games.course import Course
from games.pictionary import Pictionary
from games.play import Game, Play, Players, Round
from games.referential import Mixture, Referential

__all__ = ["Course", "Game", "GameConfig", "Mixture", "Pictionary", "Play", "Players", "Referential", "Round"]
