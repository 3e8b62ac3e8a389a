"""CLEVR's folder: what is written is read back, CLEVR's own form is read, and what is wrong is told in a line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from games.scenes import Scene, Thing, WorldConfig, boxes_of, from_set, make_scenes, read_scenes, to_sets, write_scenes
from perception.sets import CLEVR
from raster import InputError

#: There is such a file, but not where pictures of the split belong.
BESIDE = "../val/CLEVR_val_000000.png"


def dropped(told: dict[str, Any], key: str) -> None:
    del told[key]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes") / "mini"
    write_scenes(folder, {"train": 6, "val": 2}, WorldConfig(), width=48, height=32, samples=1, seed=3)
    return folder


def edited(made: Path, to: Path, change: Any) -> Path:
    """A copy whose training JSON is changed."""
    (to / "scenes").mkdir(parents=True)
    (to / "images").symlink_to(made / "images")
    told = json.loads((made / "scenes" / "CLEVR_train_scenes.json").read_text())
    text = change(told)
    (to / "scenes" / "CLEVR_train_scenes.json").write_text(text if isinstance(text, str) else json.dumps(told))
    return to


def test_what_is_written_is_read_back(made: Path) -> None:
    found = read_scenes(made, "train")
    again = list(make_scenes(WorldConfig(), 6, width=48, height=32, samples=1, seed=3, part=0))
    assert (found.width, found.height, len(found)) == (48, 32, 6)
    pixels = found.pixels(48, 32)
    for index, (scene, each) in enumerate(zip(found.scenes, again, strict=True)):
        assert [(t.words, t.coords, t.rotation) for t in scene.things] == [
            (t.words, t.coords, t.rotation) for t in each.scene.things
        ]
        assert scene.directions == each.scene.directions
        assert pixels[index].permute(1, 2, 0).numpy().tobytes() == each.rendered.pixels.tobytes()
        for thing, other in zip(scene.things, each.scene.things, strict=True):
            assert thing.box == pytest.approx(other.box, abs=1e-3)
            assert thing.seen_box == other.seen_box
            assert thing.visibility == pytest.approx(other.visibility, abs=1e-3)
        mask = np.asarray(Image.open(made / "masks" / "train" / found.pictures[index].name))
        assert mask.tobytes() == each.rendered.owner.tobytes()


def test_splits_differ_and_the_same_seed_writes_the_same_files(made: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "again", {"val": 2}, WorldConfig(), width=48, height=32, samples=1, seed=3)
    for path in sorted((tmp_path / "again").rglob("*.*")):
        assert path.read_bytes() == (made / path.relative_to(tmp_path / "again")).read_bytes()
    assert read_scenes(made, "val").scenes[0] != read_scenes(made, "train").scenes[0]


def test_the_json_has_clevrs_keys(made: Path) -> None:
    told = json.loads((made / "scenes" / "CLEVR_train_scenes.json").read_text())
    assert {"split", "version", "date", "license"} <= set(told["info"])
    scene = told["scenes"][4]
    assert {"split", "image_index", "image_filename", "objects", "relationships", "directions"} <= set(scene)
    assert (scene["image_index"], scene["image_filename"]) == (4, "CLEVR_train_000004.png")
    keys = {"shape", "size", "material", "color", "3d_coords", "rotation", "pixel_coords"}
    assert all(keys <= set(each) for each in scene["objects"])
    assert set(scene["directions"]) == {"left", "right", "front", "behind", "above", "below"}


def test_clevrs_own_form_is_read_and_its_boxes_are_found(made: Path, tmp_path: Path) -> None:
    def as_clevr(told: dict[str, Any]) -> None:
        told["info"] = {"split": "train", "version": "1.0", "date": "2/14/2017", "license": "CC BY 4.0"}
        for scene in told["scenes"]:
            for each in scene["objects"]:
                x, y, depth = each["pixel_coords"]
                each["pixel_coords"] = [round(x * 10), round(y * 10), depth]  # of 480 x 320, whole pixels
                for key in ("bbox", "bbox_visible", "visibility"):
                    del each[key]

    found = read_scenes(edited(made, tmp_path, as_clevr), "train")
    ours = read_scenes(made, "train")
    assert (found.width, found.height) == (480, 320)
    assert found.scenes[0].things[0].visibility is None
    there, here = boxes_of(found.scenes, 480, 320), boxes_of(ours.scenes, 48, 32)
    assert float((there - here).abs().max()) < 0.01


def test_sets_and_scenes_are_one_another(made: Path) -> None:
    scenes = read_scenes(made, "train").scenes
    sets = to_sets(scenes)
    assert sets.shape == (6, 10, 19)
    CLEVR.check(sets.shape[-1])
    for scene, elements in zip(scenes, sets, strict=True):
        back = from_set(elements)
        assert [t.words for t in back.things] == [t.words for t in scene.things]
        for a, b in zip(back.things, scene.things, strict=True):
            assert a.coords == pytest.approx(b.coords, abs=1e-5)
    assert to_sets([Scene((), {})], 4).abs().sum() == 0


def test_more_objects_than_slots_are_refused(made: Path) -> None:
    scenes = read_scenes(made, "train").scenes
    with pytest.raises(InputError, match="objects do not fit 2 slots"):
        to_sets(scenes, 2)
    with pytest.raises(InputError, match=r"an object has no box \(scene 0\)"):
        boxes_of([Scene((Thing("cube", "large", "metal", "red", (0, 0, 0.7)),), {})], 64, 64)
    with pytest.raises(InputError, match="not finite"):
        to_sets([Scene((Thing("cube", "large", "metal", "red", (0, float("nan"), 0.7)),), {})])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda told: "{", "this is not JSON"),
        (
            lambda told: told["scenes"][1]["objects"][2].update(color="pink"),
            r"scene 1 object 2 color cannot be 'pink' \(.*train_scenes.json\): .*'cyan', 'blue'",
        ),
        (
            lambda told: told["scenes"][0]["objects"][0].update({"3d_coords": [0, float("nan"), 1]}),
            "scene 0 object 0 3d_coords 1 cannot be 'nan'",
        ),
        (lambda told: dropped(told["scenes"][3]["objects"][0], "shape"), "scene 3 object 0 shape is missing"),
        (lambda told: told["scenes"][2].update(image_filename="gone.png"), r"of a scene is missing \(.*gone.png"),
        (lambda told: told["scenes"][2].update(image_filename=BESIDE), "picture of a scene is missing"),
    ],
)
def test_a_folder_with_a_fault_is_told_in_a_line(made: Path, tmp_path: Path, change: Any, line: str) -> None:
    with pytest.raises(InputError, match=line) as told:
        read_scenes(edited(made, tmp_path, change), "train")
    assert "\n" not in str(told.value)


def test_splits_and_folders_that_are_not_there(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it has train, val"):
        read_scenes(made, "test")
    with pytest.raises(InputError, match="as CLEVR's does"):
        read_scenes(tmp_path, "train")
    with pytest.raises(InputError, match="splits are train, val, test"):
        write_scenes(tmp_path / "x", {"validation": 1}, WorldConfig())


def test_a_damaged_picture_is_named(made: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "few", {"train": 1}, WorldConfig(), width=16, height=16, samples=1)
    picture = tmp_path / "few" / "images" / "train" / "CLEVR_train_000000.png"
    picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(InputError, match=r"CLEVR_train_000000\.png"):
        read_scenes(tmp_path / "few").pixels(16, 16)


def test_nothing_half_made_is_left(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path / "x", {"train": 3}, WorldConfig(), width=8, height=8, samples=1, progress=stop)
    assert not list(tmp_path.iterdir())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        write_scenes(tmp_path / "full", {"train": 1}, WorldConfig())
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_pictures_are_squeezed_to_any_size(made: Path) -> None:
    found = read_scenes(made, "val")
    assert found.pixels(20, 30).shape == (2, 3, 30, 20)
    assert found.pixels(20, 30).dtype == torch.uint8
