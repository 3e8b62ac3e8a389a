"""Games of description: what drawings tell of the objects in a scene, measured beside controls."""

from runs.describing.descriptions import Descriptions, describe_split
from runs.describing.measures import figures, of_descriptions

__all__ = ["Descriptions", "describe_split", "figures", "of_descriptions"]
