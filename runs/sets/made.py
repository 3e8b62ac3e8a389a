"""Scenes that are made up for a run: made once, then kept in the user's cache (``games.scenes.kept``)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from games.pictures.store import Arrays
from games.scenes import boxes_of, make_scenes, place, to_sets
from games.scenes.kept import kept
from raster.shapes import Tensor
from runs.sets.tasks import MadeScenes, ObjectsTask

_Split = Literal["train", "validation", "test"]
_SPLITS: tuple[_Split, ...] = ("train", "validation", "test")


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

    def make() -> Arrays:
        say(f"making {config.count + 2 * config.held} scenes of {config.width} x {config.height} pixels, once")
        arrays: Arrays = {}
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
        return arrays

    keys = [f"{kind}_{split}" for kind in kinds for split in _SPLITS]
    arrays = kept("scenes", config.model_dump_json(), keys, make)
    return MadeUp(*(_tensors(arrays, f"{kind}_") for kind in kinds))


def placed_scenes(config: ObjectsTask, say: Callable[[str], None]) -> Mapping[_Split, Tensor]:
    """The objects of scenes without pictures, [n, slots, 19] by split; as `made_scenes`."""

    def make() -> Arrays:
        say(f"making {config.count + 2 * config.held} scenes without pictures, once")
        arrays: Arrays = {}
        for part, split in enumerate(_SPLITS):
            count = config.count if split == "train" else config.held
            scenes = [place(config.world, (config.seed, part, index)) for index in range(count)]
            arrays[split] = to_sets(scenes, config.slots).numpy()
        return arrays

    return _tensors(kept("objects", config.model_dump_json(), _SPLITS, make))


def _tensors(arrays: Mapping[str, NDArray[np.generic]], before: str = "") -> dict[_Split, Tensor]:
    return {split: torch.from_numpy(arrays[f"{before}{split}"]) for split in _SPLITS}
