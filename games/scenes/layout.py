"""CLEVR's folder: pictures, and a JSON a split that says what is in them. Written and read as CLEVR itself is.

    images/train/CLEVR_train_000000.png    scenes/CLEVR_train_scenes.json    masks/train/CLEVR_train_000000.png

``masks`` is ours: whose each pixel is (0 the ground, i + 1 object i). Objects of ours also say ``bbox``,
``bbox_visible`` and ``visibility``. The boxes of a folder that lacks them (CLEVR's own) are worked out from where its
objects are.
"""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar

import numpy as np
import torch
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from games.pictures.images import read_squeezed
from games.pictures.store import write_whole
from games.scenes.camera import Camera
from games.scenes.scene import Scene, Thing
from games.scenes.vocabulary import Colour, Material, Shape, Size
from games.scenes.world import Made, WorldConfig, make
from raster.errors import InputError
from raster.shapes import Tensor, UInt8

T = TypeVar("T")

#: CLEVR's own pictures.
WIDTH, HEIGHT = 480, 320
SPLITS = ("train", "val", "test")

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Triple = tuple[_Number, _Number, _Number]
_Quad = tuple[_Number, _Number, _Number, _Number]


class _Object(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    shape: Shape
    size: Size
    material: Material
    color: Colour
    coords: _Triple = Field(alias="3d_coords")
    rotation: _Number = 0.0
    pixel_coords: _Triple | None = None
    bbox: _Quad | None = None
    bbox_visible: _Quad | None = None
    visibility: _Number | None = None


class _Scene(BaseModel):
    image_filename: str
    objects: list[_Object]
    directions: dict[str, _Triple] = {}


class _Info(BaseModel):
    width: int = Field(WIDTH, ge=1)
    height: int = Field(HEIGHT, ge=1)


class _File(BaseModel):
    info: _Info = _Info()
    scenes: list[_Scene]


@dataclass(frozen=True)
class Scenes:
    """The scenes of one split, and where their pictures are.

    Attributes:
        scenes: in the file's order.
        pictures: a file each.
        width, height: pixels that the scenes' own numbers count in.
    """

    scenes: tuple[Scene, ...]
    pictures: tuple[Path, ...]
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.scenes)

    def pixels(self, width: int, height: int) -> UInt8[Tensor, "n 3 {height} {width}"]:
        """The pictures, squeezed to that size, bytes.

        Raises InputError for one that is missing, damaged or no picture.
        """
        if not len(self):
            return torch.zeros(0, 3, height, width, dtype=torch.uint8)
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(lambda path: read_squeezed(path, width, height), self.pictures))
        return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).contiguous()


def read_scenes(folder: Path | str, split: str = "train", limit: int | None = None) -> Scenes:
    """One split of a folder in CLEVR's layout: CLEVR_v1.0 itself, or what `write_scenes` made.

    Args:
        folder: the one that holds ``images`` and ``scenes``.
        split: ``train``, ``val`` or ``test`` (of CLEVR's own test the scenes are not published).
        limit: the first so many scenes; all when left out.

    Raises:
        InputError: no such folder or split, broken JSON, a word that CLEVR does not have, a number that is none, a
            picture that is missing; each says where.
    """
    folder = Path(folder)
    path = folder / "scenes" / f"CLEVR_{split}_scenes.json"
    if not path.is_file():
        there = sorted(each.name.split("_")[1] for each in path.parent.glob("CLEVR_*_scenes.json"))
        do = f"it has {', '.join(there)}" if there else "give a folder that holds images/ and scenes/, as CLEVR's does"
        raise InputError(f"there are no scenes of the split {split!r}", path, do)
    try:
        found = TypeAdapter(_File).validate_json(path.read_bytes())
    except ValidationError as error:
        raise _wrong(error, path) from error
    scenes, pictures = [], []
    for each in itertools.islice(found.scenes, limit):
        picture = folder / "images" / split / each.image_filename
        if Path(each.image_filename).name != each.image_filename or not picture.is_file():
            raise InputError("the picture of a scene is missing", picture, "get it again, or take it out of the JSON")
        pictures.append(picture)
        scenes.append(_scene(each, found.info))
    return Scenes(tuple(scenes), tuple(pictures), found.info.width, found.info.height)


def _wrong(error: ValidationError, path: Path) -> InputError:
    """The first fault of a JSON file, in a line."""
    first = error.errors(include_url=False)[0]
    where = [str(each) for each in first["loc"]]
    told = " ".join(where).replace("scenes ", "scene ").replace("objects ", "object ")
    if first["type"] == "json_invalid":
        return InputError("this is not JSON", path, first["msg"])
    if first["type"] == "missing":
        return InputError(f"{told} is missing", path, "the file must be as CLEVR's are")
    return InputError(f"{told} cannot be {str(first['input'])[:40]!r}", path, first["msg"])


def _scene(told: _Scene, info: _Info) -> Scene:
    things = tuple(
        Thing(
            shape=each.shape,
            size=each.size,
            material=each.material,
            color=each.color,
            coords=each.coords,
            rotation=each.rotation,
            pixel=each.pixel_coords,
            box=each.bbox,
            seen_box=each.bbox_visible,
            visibility=each.visibility,
        )
        for each in told.objects
    )
    if things and any(thing.box is None for thing in things):
        camera = Camera.of(things, told.directions, info.width, info.height)
        if camera is not None:
            things = tuple(replace(thing, box=camera.box(thing, info.width, info.height)) for thing in things)
    return Scene(things, told.directions)


def make_scenes(
    config: WorldConfig, count: int, *, width: int, height: int, samples: int = 2, seed: int = 0, part: int = 0
) -> Iterator[Made]:
    """Scenes made up, with their pictures, in as many threads as torch has.

    Scene i hangs on `seed`, `part` and i alone. Raises InputError as `make` does.
    """
    return in_threads(lambda index: make(config, width, height, samples, (seed, part, index)), count)


def in_threads(make_one: Callable[[int], T], count: int) -> Iterator[T]:
    """What a function makes of 0, 1, ..., in that order, in as many threads as torch has."""
    threads = max(1, torch.get_num_threads())
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[T]] = []
        try:
            for index in range(count):
                waiting.append(pool.submit(make_one, index))
                if len(waiting) >= 4 * threads:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for each in waiting:
                each.cancel()


def write_scenes(
    folder: Path | str,
    counts: Mapping[str, int],
    config: WorldConfig,
    *,
    width: int = 64,
    height: int = 64,
    samples: int = 2,
    seed: int = 0,
    masks: bool = True,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Make scenes up and write them in CLEVR's layout. The folder is there when all of it is, and not before.

    Args:
        folder: must not exist, or be empty.
        counts: scenes a split, of ``train``, ``val`` and ``test``.
        width, height, samples: see `make`.
        seed: of all splits; each has noise of its own.
        masks: whether to write whose each pixel is.
        progress: called after each scene.

    Raises:
        InputError: an unknown split, a folder that holds something or cannot be written.
    """
    folder = Path(folder)
    for split in counts:
        if split not in SPLITS:
            raise InputError(f"there is no split {split!r}", None, f"splits are {', '.join(SPLITS)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("the folder is not empty", folder, "give one that is not there yet")
    beside = folder.with_name(f".new-{folder.name}")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        for split, count in counts.items():
            part = SPLITS.index(split)
            made = make_scenes(config, count, width=width, height=height, samples=samples, seed=seed, part=part)
            told = []
            for index, each in enumerate(made):
                name = f"CLEVR_{split}_{index:06d}.png"
                _write_picture(beside / "images" / split / name, each.rendered.pixels)
                if masks:
                    _write_picture(beside / "masks" / split / name, each.rendered.owner)
                told.append(_told(each.scene, split, index, name))
                progress()
            info = {"split": split, "version": "1.0", "date": "", "license": "MIT", "width": width, "height": height}
            text = json.dumps({"info": info | {"seed": seed}, "scenes": told}).encode()
            write_whole(beside / "scenes" / f"CLEVR_{split}_scenes.json", partial(_write, text))
        if folder.exists():
            folder.rmdir()
        beside.rename(folder)
    except OSError as error:
        raise InputError(
            f"the scenes cannot be written ({error.strerror or error})", folder, "give another folder"
        ) from (error)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write(text: bytes, file: IO[bytes]) -> None:
    file.write(text)


def _write_picture(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=1)


def _told(scene: Scene, split: str, index: int, name: str) -> dict[str, Any]:
    def short(numbers: Any) -> list[float] | None:
        return None if numbers is None else [round(float(each), 4) for each in numbers]

    objects = [
        {
            "shape": thing.shape,
            "size": thing.size,
            "material": thing.material,
            "color": thing.color,
            "3d_coords": list(thing.coords),
            "rotation": thing.rotation,
            "pixel_coords": short(thing.pixel),
            "bbox": short(thing.box),
            "bbox_visible": short(thing.seen_box),
            "visibility": None if thing.visibility is None else round(thing.visibility, 4),
        }
        for thing in scene.things
    ]
    return {
        "split": split,
        "image_index": index,
        "image_filename": name,
        "objects": objects,
        "relationships": scene.relationships(),
        "directions": {key: list(value) for key, value in scene.directions.items()},
    }
