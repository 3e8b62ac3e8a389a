"""The biases that ship with lascaux, one a file. Importing this registers them."""

from agents.biases.ink import Ink
from agents.biases.likeness import Likeness
from agents.biases.tremor import Tremor

__all__ = ["Ink", "Likeness", "Tremor"]
