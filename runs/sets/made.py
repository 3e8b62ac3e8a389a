"""Scenes that are made up for a run: made once, then kept in the user's cache under the content of their config."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel

from games.pictures.store import Arrays, read_arrays, write_arrays
from games.scenes import boxes_of, make_scenes, place, to_sets
from perception import cache_folder
from raster.shapes import Tensor
from runs.sets.tasks import MadeScenes, ObjectsTask

_Split = Literal["train", "validation", "test"]
_SPLITS: tuple[_Split, ...] = ("train", "validation", "test")
#: Raised when the same config makes other scenes than before: what lies in the cache is then left alone.
_EDITION = 1
_DAMAGED = "delete it, and it is made again"


@dataclass(frozen=True, eq=False)
class MadeUp:
    """Pictures [n, 3, H, W], bytes; objects [n, most, 19]; boxes [n, most, 5]: by split."""

    pixels: Mapping[_Split, Tensor]
    state: Mapping[_Split, Tensor]
    boxes: Mapping[_Split, Tensor]


def made_scenes(config: MadeScenes, say: Callable[[str], None]) -> MadeUp:
    """The scenes of `config`, from the cache or made now.

    Raises:
        InputError: objects of that many find no place, a damaged file in the cache, a cache that cannot be written.
    """
    kinds = ("pixels", "state", "boxes")
    keys = [f"{kind}_{split}" for kind in kinds for split in _SPLITS]
    path = _place("scenes", config)
    if path.is_file():
        arrays = read_arrays(path, keys, _DAMAGED)
    else:
        say(f"making {config.count + 2 * config.held} scenes of {config.width} x {config.height} pixels, once")
        arrays = {}
        slots = max(1, config.world.most)
        for part, split in enumerate(_SPLITS):
            count = config.count if split == "train" else config.held
            pixels = np.empty((count, 3, config.height, config.width), np.uint8)
            scenes = []
            made = make_scenes(
                config.world,
                count,
                width=config.width,
                height=config.height,
                samples=config.samples,
                seed=config.seed,
                part=part,
            )
            for row, each in enumerate(made):
                pixels[row] = each.rendered.pixels.transpose(2, 0, 1)
                scenes.append(each.scene)
            arrays[f"pixels_{split}"] = pixels
            arrays[f"state_{split}"] = to_sets(scenes, slots).numpy()
            arrays[f"boxes_{split}"] = boxes_of(scenes, config.width, config.height, slots).numpy()
        write_arrays(path, arrays)
    return MadeUp(*(_tensors(arrays, f"{kind}_") for kind in kinds))


def placed_scenes(config: ObjectsTask, say: Callable[[str], None]) -> Mapping[_Split, Tensor]:
    """The objects of scenes without pictures, [n, slots, 19] by split; as `made_scenes`."""
    path = _place("objects", config)
    if path.is_file():
        return _tensors(read_arrays(path, list(_SPLITS), _DAMAGED))
    say(f"making {config.count + 2 * config.held} scenes without pictures, once")
    arrays: Arrays = {}
    for part, split in enumerate(_SPLITS):
        count = config.count if split == "train" else config.held
        scenes = [place(config.world, (config.seed, part, index)) for index in range(count)]
        arrays[split] = to_sets(scenes, config.slots).numpy()
    write_arrays(path, arrays)
    return _tensors(arrays)


def _place(kind: str, config: BaseModel) -> Path:
    digest = hashlib.sha256(f"{_EDITION} {config.model_dump_json()}".encode()).hexdigest()[:24]
    return cache_folder() / "scenes" / f"{kind}-{digest}.npz"


def _tensors(arrays: Mapping[str, NDArray[np.generic]], before: str = "") -> dict[_Split, Tensor]:
    return {split: torch.from_numpy(arrays[f"{before}{split}"]) for split in _SPLITS}
