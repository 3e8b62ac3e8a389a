"""One picture from a file, and what a frozen trunk makes of it: read once a trunk."""

from collections.abc import Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from PIL import Image, ImageOps

from perception import Trunk
from raster import InputError
from raster.shapes import Float, Tensor

_SEEN: WeakKeyDictionary[Trunk, dict[tuple[str, int, int], Tensor]] = WeakKeyDictionary()


def read(path: str, size: int) -> Float[Tensor, "3 size size"]:
    """The middle square of a picture file, upright, at size x size pixels, in [0, 1].

    Raises InputError for a file that is missing or no picture.
    """
    if not Path(path).is_file():
        raise InputError("there is no such picture", path, "check the path: it counts from the current folder")
    try:
        with Image.open(path) as picture:
            whole = ImageOps.exif_transpose(picture).convert("RGBA")
    except Exception as error:  # decoders raise whatever the bytes lead them to
        raise InputError(f"the picture is damaged, or none ({str(error)[:100]})", path, "give another") from error
    paper = Image.new("RGBA", whole.size, "white")
    upright = ImageOps.fit(Image.alpha_composite(paper, whole).convert("RGB"), (size, size))
    return torch.from_numpy(np.asarray(upright, dtype=np.float32) / 255).permute(2, 0, 1)


def features(trunk: Trunk, path: str, size: int, levels: Sequence[int]) -> list[Float[Tensor, "1 _ _ _"]]:
    """What ``trunk`` makes of the picture at ``levels``, without gradients, [1, C, h, w] each."""
    seen = _SEEN.setdefault(trunk, {})
    missing = [level for level in dict.fromkeys(levels) if (path, size, level) not in seen]
    if missing:
        with torch.no_grad():
            found = trunk(read(path, size)[None].to(trunk.mean.device), missing)
        seen.update({(path, size, level): each for level, each in zip(missing, found, strict=True)})
    return [seen[path, size, level] for level in levels]
