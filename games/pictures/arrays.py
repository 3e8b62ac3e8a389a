"""Pictures in a numpy file: ``pictures`` and ``label``, and what else it says of them."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from games.pictures.album import MOST_BYTES, Album, check_room
from games.pictures.choose import choose
from games.pictures.config import NpzPictures
from games.pictures.images import SMALLEST, square
from raster.errors import InputError

_EXPECTED = "expected pictures, uint8 [n, h, w] or [n, h, w, 3], and label, whole numbers [n]"


def load_npz(config: NpzPictures) -> Album:
    """The pictures of an .npz file: ``pictures`` uint8 [n, h, w] (grey) or [n, h, w, 3] and ``label`` [n]; if they are
    there, ``names`` of the classes and ``test``, bool [n]: the pictures that are the test (``Album.test``).

    Raises:
        InputError: no such file, no such arrays, shapes that do not fit, or more than would fit into memory.
    """
    path = Path(config.path).expanduser()
    found = _read(path)
    pictures, label = found.get("pictures"), found.get("label")
    if pictures is None or label is None:
        missing = " and ".join(name for name in ("pictures", "label") if name not in found)
        raise InputError(f"the file holds no {missing}", path, _EXPECTED)
    count = len(pictures) if pictures.ndim else 0
    fits = pictures.dtype == np.uint8 and (pictures.ndim == 3 or (pictures.ndim == 4 and pictures.shape[-1] == 3))
    if not fits or not count or min(pictures.shape[1:3]) < SMALLEST:
        raise InputError(f"pictures of {pictures.dtype} {list(pictures.shape)}", path, f"{_EXPECTED}, 8 pixels or more")
    if label.shape != (count,) or not np.issubdtype(label.dtype, np.integer) or label.min() < 0:
        raise InputError(f"label of {label.dtype} {list(label.shape)} for {count} pictures", path, _EXPECTED)
    test = found.get("test")
    if test is not None and (test.shape != (count,) or test.dtype != np.bool_):
        what = f"test of {test.dtype} {list(test.shape)} for {count} pictures"
        raise InputError(what, path, "expected true or false for each")
    there, own = np.unique(label, return_inverse=True)  # classes without a picture are none
    names = [str(name) for name in found["names"].ravel()] if "names" in found else []
    if names and len(names) <= int(there[-1]):
        raise InputError(f"{len(names)} names, but a label {int(there[-1])}", path, "give a name for each label")
    chosen, _ = choose(own.astype(np.int64), config.per_class, None, config.split.seed)
    check_room(len(chosen), config.size, path)
    pixels = np.empty((len(chosen), 3, config.size, config.size), dtype=np.uint8)
    for row, position in enumerate(chosen.tolist()):
        one = pictures[position]
        rgb = Image.fromarray(255 - one if config.negative else one).convert("RGB")
        pixels[row] = np.asarray(square(rgb, config.size, config.fit)).transpose(2, 0, 1)
    return Album(
        pixels=pixels,
        label=own[chosen].astype(np.int64),
        artist=np.zeros(len(chosen), dtype=np.int64),
        classes=[names[number] if names else str(number) for number in there.tolist()],
        groups=[""] * len(there),
        source=f"pictures of {path.name}, {config.size} px",
        place=path,
        test=None if test is None else test[chosen],
    )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise InputError("there is no such file", path, "check pictures.path")
    try:
        with zipfile.ZipFile(path) as file:  # what it says it holds, before any of it is unpacked
            size = sum(each.file_size for each in file.infolist())
        if size > MOST_BYTES:
            raise InputError(f"the file holds {size / 2**30:.0f} GiB", path, "give fewer or smaller pictures")
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in ("pictures", "label", "names", "test") if name in arrays.files}
        return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}  # not any other member
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        said = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise InputError(f"not a readable .npz file ({said})", path, _EXPECTED) from error
