"""Scenes as pictures: each with the set of what is in it, made once, split so that no test scene was learned from."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from games.pictures import Gallery, ScenePictures, load_album, load_gallery
from games.scenes import CHANGES, WorldConfig, from_set, read_scenes, to_sets, write_scenes
from perception import Trunks
from raster import InputError

WORLD = {"least": 1, "most": 3, "visible": 0.0}
SMALL: dict[str, Any] = {"count": 12, "size": 16, "samples": 1, "world": WORLD}


def scenes(**changes: Any) -> ScenePictures:
    return ScenePictures.model_validate(SMALL | changes)


@pytest.fixture(scope="module")
def clevr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes") / "mini"
    world = WorldConfig.model_validate(WORLD)
    write_scenes(folder, {"train": 14, "val": 3}, world, width=24, height=16, samples=1, masks=False)
    return folder


def test_each_picture_has_its_set_and_the_number_of_objects_is_its_class() -> None:
    gallery = load_gallery(scenes(count=30), Trunks())
    assert gallery.sets is not None and gallery.sets.shape == (30, 3, 19) and gallery.changes is None
    counts = (gallery.sets[..., -1] > 0.5).sum(1)
    assert counts.unique().tolist() == [1, 2, 3]
    assert [gallery.classes[label] for label in gallery.label] == [
        "1 object" if count == 1 else f"{count} objects" for count in counts.tolist()
    ]
    assert {"train", "validation", "test"} <= gallery.splits.keys()
    seen = gallery.changed(lambda rgb: 1 - rgb, "negative").sets
    assert seen is not None and torch.equal(seen, gallery.sets)


def test_variants_are_a_class_and_a_scene_is_in_one_split_only() -> None:
    gallery = load_gallery(scenes(variants=4), Trunks())
    assert len(gallery) == 48 and gallery.sets is not None and gallery.changes is not None
    assert gallery.label.bincount().tolist() == [4] * 12
    changes = gallery.changes.reshape(12, 4)
    assert (changes[:, 0] == 0).all() and (changes[:, 1:] > 0).all()
    used = [set(gallery.label[split.shown].tolist()) for split in gallery.splits.values()]
    assert sum(map(len, used)) == len(set.union(*used)) == 12
    assert gallery.names(torch.tensor([4])) == ["scene-00001/none"]
    for number in range(48):
        first, other = (from_set(gallery.sets[each]).things for each in (number // 4 * 4, number))
        one_less = CHANGES[int(gallery.changes[number])] == "presence"
        assert len(other) == len(first) - one_less


def test_scenes_are_made_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    config = scenes(count=5, seed=9)
    first = load_album(config)
    assert "making 5 scenes" in capsys.readouterr().err
    monkeypatch.setattr("games.pictures.scenes.make_scenes", None)  # would fail if it were called
    again = load_album(scenes(count=5, seed=9, split={"by": ["picture"], "test": 0.4}))
    assert again.content() == first.content() and not capsys.readouterr().err
    with pytest.raises(TypeError):
        load_album(scenes(count=5, seed=10))


def test_a_folder_in_clevrs_layout_brings_its_own_test(clevr: Path) -> None:
    gallery = load_gallery(scenes(path=str(clevr), count=1, split={"validation": 0.2}), Trunks())
    told = [*read_scenes(clevr, "train").scenes, *read_scenes(clevr, "val").scenes]
    assert isinstance(gallery, Gallery) and gallery.sets is not None
    assert torch.equal(gallery.sets, to_sets(told, gallery.sets.shape[1]))
    assert gallery.splits["test"].shown.nonzero()[:, 0].tolist() == [14, 15, 16]
    fewer = load_gallery(scenes(path=str(clevr), limit=3, split={"validation": 0}), Trunks())
    assert len(fewer) == 6 and fewer.pixels.shape[1:] == (3, 16, 16)


def test_wrong_scenes_are_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no scenes of the split 'train' .*give a folder that holds images/"):
        load_album(scenes(path=str(tmp_path)))
    for wrong, told in (
        ({"views": 2}, "leave views at 1"),
        ({"path": "x", "variants": 2}, "leave out path or variants"),
        ({"limit": 2}, "say count"),
        ({"world": {"least": 0, "most": 0}}, "scenes without objects tell nothing"),
    ):
        with pytest.raises(ValidationError, match=told):
            scenes(**wrong)
    with pytest.raises(InputError, match="would take"):
        load_album(scenes(count=1_000_000, size=1024))
