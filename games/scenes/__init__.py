"""Scenes of objects, as CLEVR has them: made up and rendered here, or read from CLEVR's own folder.

Johnson, Hariharan, van der Maaten, Fei-Fei, Zitnick & Girshick, *CLEVR: A Diagnostic Dataset for Compositional Language
and Elementary Visual Reasoning*, CVPR 2017: its objects, ranges, margins, camera and lamps. The renderer is ours.
"""

from games.scenes.camera import Camera
from games.scenes.layout import Scenes, make_scenes, read_scenes, write_scenes
from games.scenes.render import Rendered, render
from games.scenes.scene import Scene, Thing, boxes_of, from_set, to_sets
from games.scenes.sprites import sprites
from games.scenes.toys import Numbering, multisets, numbered_rightly, numbering, points_of, polygons
from games.scenes.variants import CHANGES, Family, make_families, make_family
from games.scenes.world import LAMPS, Made, WorldConfig, make, place

__all__ = [
    "CHANGES",
    "LAMPS",
    "Camera",
    "Family",
    "Made",
    "Numbering",
    "Rendered",
    "Scene",
    "Scenes",
    "Thing",
    "WorldConfig",
    "boxes_of",
    "from_set",
    "make",
    "make_families",
    "make_family",
    "make_scenes",
    "multisets",
    "numbered_rightly",
    "numbering",
    "place",
    "points_of",
    "polygons",
    "read_scenes",
    "render",
    "sprites",
    "to_sets",
    "write_scenes",
]
