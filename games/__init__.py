"""What is played: how a round is dealt, played and judged."""

from games.play import Game, Play, Players, Round
from games.referential import GameConfig, Mixture, Referential

__all__ = ["Game", "GameConfig", "Mixture", "Play", "Players", "Referential", "Round"]
