"""Scenes of objects as pictures, each with the set of what is in it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from games.pictures.album import Album, check_room
from games.pictures.config import ScenePictures
from games.pictures.fetch import say
from games.pictures.store import Arrays
from games.scenes import Scene, Scenes, make_families, make_scenes, read_scenes, to_sets
from games.scenes.kept import kept
from raster.errors import InputError


def load_scenes(config: ScenePictures) -> Album:
    """Scenes that are made up (once, then from the cache), or those of a folder in CLEVR's layout: its ``train`` and,
    if there is one, its ``val``, which is then the test.

    A class is a scene with its variants, or a number of objects where there are no variants.

    Raises:
        InputError: no such folder, a damaged one (``read_scenes``), scenes that cannot be made (``make_scenes``,
            ``make_family``), more than would fit into memory.
    """
    if config.path is not None:
        return _of_folder(config, Path(config.path).expanduser())
    total = config.count * config.variants
    check_room(total, config.size, "pictures.count")
    said = config.model_dump_json(include={"count", "variants", "size", "samples", "seed", "world"})
    arrays = kept("pictures", said, ("pixels", "sets", "changes"), lambda: _made(config))
    sets, changes = arrays["sets"].astype(np.float32), arrays["changes"].astype(np.int64)
    varied = config.variants > 1
    label, classes = _counted(sets)
    if varied:
        label = np.repeat(np.arange(config.count), config.variants)
        classes = [f"scene-{number:05d}" for number in range(config.count)]
    each = f"{config.count} scenes, {config.variants} variants each" if varied else f"{config.count} scenes"
    return Album(
        pixels=arrays["pixels"].astype(np.uint8),
        label=label.astype(np.int64),
        artist=np.zeros(total, dtype=np.int64),
        classes=classes,
        groups=[""] * len(classes),
        source=f"{each}, made up, {config.size} px",
        sets=sets,
        changes=changes if varied else None,
    )


def _made(config: ScenePictures) -> Arrays:
    total = config.count * config.variants
    say(f"making {total} scenes of {config.size} x {config.size} pixels, once")
    size = {"width": config.size, "height": config.size, "samples": config.samples, "seed": config.seed}
    pixels = np.empty((total, 3, config.size, config.size), np.uint8)
    changes = np.zeros(total, np.int64)
    scenes: list[Scene] = []

    def put(scene: Scene, picture: np.ndarray) -> None:
        pixels[len(scenes)] = picture.transpose(2, 0, 1)
        scenes.append(scene)

    if config.variants == 1:
        for each in make_scenes(config.world, config.count, **size):
            put(each.scene, each.rendered.pixels)
    else:
        for family in make_families(config.world, config.count, config.variants, **size):
            changes[len(scenes) : len(scenes) + config.variants] = family.changes
            for each in family.made:
                put(each.scene, each.rendered.pixels)
    sets = to_sets(scenes, max(1, config.world.most)).numpy()
    return {"pixels": pixels, "sets": sets, "changes": changes}


def _of_folder(config: ScenePictures, folder: Path) -> Album:
    parts = [read_scenes(folder, "train", config.limit)]
    if (folder / "scenes" / "CLEVR_val_scenes.json").is_file():
        parts.append(read_scenes(folder, "val", config.limit))
    counts = [len(part) for part in parts]
    if not all(counts):
        raise InputError("the split has no scene", folder, "give a folder with scenes in train (and val)")
    check_room(sum(counts), config.size, folder)
    scenes = [scene for part in parts for scene in part.scenes]
    sets = to_sets(scenes, max(1, *(len(scene.things) for scene in scenes))).numpy()
    label, classes = _counted(sets)
    return Album(
        pixels=_pixels(parts, config.size),
        label=label.astype(np.int64),
        artist=np.zeros(len(scenes), dtype=np.int64),
        classes=classes,
        groups=[""] * len(classes),
        source=f"scenes of the folder {folder}, {config.size} px",
        place=folder,
        test=np.repeat(np.arange(2), counts) == 1 if len(parts) == 2 else None,
        sets=sets,
    )


def _pixels(parts: Sequence[Scenes], size: int) -> np.ndarray:
    return np.concatenate([part.pixels(size, size).numpy() for part in parts])


def _counted(sets: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The class of each set by how many objects there are, and what the classes are called."""
    counts, label = np.unique((sets[..., -1] > 0.5).sum(1), return_inverse=True)
    return label, [f"{count} objects" if count != 1 else "1 object" for count in counts.tolist()]
