"""The biases that ship with lascaux, one a file. Importing this registers them."""

from agents.biases.augment import Augment
from agents.biases.body import Body
from agents.biases.brevity import Brevity
from agents.biases.clip import Clip
from agents.biases.copy import Copy
from agents.biases.grip import Grip
from agents.biases.ink import Ink
from agents.biases.inside import Inside
from agents.biases.likeness import Likeness
from agents.biases.novelty import Novelty
from agents.biases.same_for_all import SameForAll
from agents.biases.shape import Shape
from agents.biases.smooth import Smooth
from agents.biases.spread import Spread
from agents.biases.tremor import Tremor

__all__ = [
    "Augment",
    "Body",
    "Brevity",
    "Clip",
    "Copy",
    "Grip",
    "Ink",
    "Inside",
    "Likeness",
    "Novelty",
    "SameForAll",
    "Shape",
    "Smooth",
    "Spread",
    "Tremor",
]
