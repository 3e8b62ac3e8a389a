"""Your own pictures: one sub-folder a class."""

from pathlib import Path

import numpy as np

from games.pictures.album import Album, check_room
from games.pictures.choose import choose
from games.pictures.config import FolderPictures
from games.pictures.images import read_picture
from raster.errors import InputError

_LAYOUT = "put the pictures of each class into a sub-folder that is named like the class"


def load_folder(config: FolderPictures) -> Album:
    """All pictures of a folder, classes by name and pictures by file name; files whose name starts with . are skipped.

    Raises:
        InputError: no such folder, no sub-folders, an empty one, or a file that is not a usable picture.
    """
    folder = Path(config.path).expanduser()
    if not folder.exists():
        raise InputError("there is no such folder", folder, "check pictures.path")
    if not folder.is_dir():
        raise InputError("pictures.path is a file, not a folder", folder, _LAYOUT)
    try:
        inside = sorted(path for path in folder.iterdir() if _visible(path))
        classes = [path for path in inside if path.is_dir()]
        loose = [path for path in inside if not path.is_dir()]
        if not classes:
            raise InputError("the folder has no sub-folders", folder, _LAYOUT)
        if loose:
            raise InputError("this file lies beside the classes", loose[0], _LAYOUT)
        files = [_pictures(path) for path in classes]
    except OSError as error:
        raise InputError(f"the folder cannot be read ({error.strerror})", folder, "check its permissions") from error
    label = np.repeat(np.arange(len(classes)), [len(own) for own in files]).astype(np.int64)
    every = [file for own in files for file in own]
    chosen, _ = choose(label, config.per_class, None, config.split.seed)
    check_room(len(chosen), config.size, folder)
    pixels = np.empty((len(chosen), 3, config.size, config.size), dtype=np.uint8)
    for row, position in enumerate(chosen.tolist()):
        pixels[row] = read_picture(every[position], config.size, config.fit).transpose(2, 0, 1)
    return Album(
        pixels=pixels,
        label=label[chosen],
        artist=np.zeros(len(chosen), dtype=np.int64),
        classes=[path.name for path in classes],
        groups=[""] * len(classes),
        source=f"pictures of the folder {folder}, {config.size} px",
        place=folder,
    )


def _visible(path: Path) -> bool:
    return not path.name.startswith(".") and path.name not in {"Thumbs.db", "desktop.ini"}


def _pictures(folder: Path) -> list[Path]:
    inside = sorted(path for path in folder.iterdir() if _visible(path))
    deeper = [path for path in inside if path.is_dir()]
    if deeper:
        raise InputError("a class has a sub-folder of its own", deeper[0], "a class is one folder of pictures")
    if not inside:
        raise InputError(f"the class {folder.name!r} is empty", folder, "put pictures into it, or remove it")
    return inside
