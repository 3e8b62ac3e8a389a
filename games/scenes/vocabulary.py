"""What CLEVR's objects can be: names, sizes and colours, and the order in which a set's channels hold them.

Johnson and others, *CLEVR*, CVPR 2017, and the scripts that rendered it. The order of channels is that of *Deep Set
Prediction Networks* (``perception.sets.CLEVR``): three coordinates, then material, colour, shape and size,
each one-hot.
"""

from typing import Literal, get_args

Material = Literal["rubber", "metal"]
Colour = Literal["cyan", "blue", "yellow", "purple", "red", "green", "gray", "brown"]
Shape = Literal["sphere", "cube", "cylinder"]
Size = Literal["large", "small"]

MATERIALS: tuple[Material, ...] = get_args(Material)
COLOURS: tuple[Colour, ...] = get_args(Colour)
SHAPES: tuple[Shape, ...] = get_args(Shape)
SIZES: tuple[Size, ...] = get_args(Size)

#: Attributes in the order of a set's channels, each with its values in theirs.
ATTRIBUTES: dict[str, tuple[str, ...]] = {"material": MATERIALS, "color": COLOURS, "shape": SHAPES, "size": SIZES}

#: Half a cube's edge, a sphere's or a cylinder's radius and half a cylinder's height, in units of the world.
RADIUS: dict[Size, float] = {"large": 0.7, "small": 0.35}
#: sRGB, 0..255.
RGB: dict[Colour, tuple[int, int, int]] = {
    "gray": (87, 87, 87),
    "red": (173, 35, 35),
    "blue": (42, 75, 215),
    "green": (29, 105, 20),
    "brown": (129, 74, 25),
    "purple": (129, 38, 192),
    "cyan": (41, 208, 208),
    "yellow": (255, 238, 51),
}
#: Objects lie in [-REACH, REACH] along x and y; a set holds coordinates divided by it.
REACH = 3.0
