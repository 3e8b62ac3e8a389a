"""Scenes side by side, for a person to look at."""

import io
import math
from pathlib import Path

from PIL import Image, ImageDraw

from games.pictures.store import write_whole
from games.scenes import Scenes
from raster import InputError

#: Pixels a side that a scene is shown with, at least, and what is left between two.
SHOWN, BETWEEN = 128, 4


def sheet(scenes: Scenes, count: int, boxes: bool, path: Path) -> None:
    """Write the first `count` scenes as one PNG, as square as can be, with their objects' boxes if asked for.

    Raises InputError where there is no scene, where boxes are asked for and not known, and where it cannot be written.
    """
    count = min(count, len(scenes))
    if not count:
        raise InputError("there is no scene to show", None, "take another split")
    across = math.ceil(math.sqrt(count))
    times = max(1, math.ceil(SHOWN / min(scenes.width, scenes.height)))
    width, height = scenes.width * times, scenes.height * times
    rows = math.ceil(count / across)
    paper = Image.new("RGB", (across * (width + BETWEEN) - BETWEEN, rows * (height + BETWEEN) - BETWEEN), "white")
    shown = Scenes(scenes.scenes[:count], scenes.pictures[:count], scenes.width, scenes.height)
    pixels = shown.pixels(scenes.width, scenes.height).permute(0, 2, 3, 1).numpy()
    for index, (scene, picture) in enumerate(zip(shown.scenes, pixels, strict=True)):
        image = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
        pen = ImageDraw.Draw(image)
        for thing in scene.things if boxes else ():
            if thing.box is None:
                raise InputError("the boxes of a scene are not known", shown.pictures[index], "leave --boxes out")
            pen.rectangle([each * times for each in thing.box], outline="white")
        paper.paste(image, ((index % across) * (width + BETWEEN), (index // across) * (height + BETWEEN)))
    made = io.BytesIO()
    paper.save(made, "PNG")
    write_whole(path, lambda file: file.write(made.getvalue()))
