"""The sets of each task: as large as they say, always the same where held out, none of them in two splits."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from games.scenes import WorldConfig, place, read_scenes, to_sets
from perception import Trunks, build_trunk
from perception.config import TimmTrunk
from raster import InputError
from runs.sets import Data, SetsConfig, load_data

Small = Callable[..., SetsConfig]
CPU = torch.device("cpu")
OWN: dict[str, Any] = {"encoder": {"kind": "own"}}
TASKS: list[dict[str, Any]] = [
    {"task": {"kind": "polygons", "slots": 5}},
    {"task": {"kind": "multisets", "slots": 4, "numbers": 3}, **OWN},
    {"task": {"kind": "numbering", "slots": 4, "classes": 2}, "encoder": {"kind": "deepsets"}},
    {"task": {"kind": "points", "slots": 12}, **OWN},
    {"task": {"kind": "objects", "slots": 4, "count": 20, "held": 5, "world": {"most": 3}}, **OWN},
]


def loaded(config: SetsConfig) -> Data:
    return load_data(config.task, config.encoder, config.seed, CPU)


@pytest.mark.parametrize("changes", TASKS, ids=lambda changes: changes["task"]["kind"])
def test_a_task_gives_what_it_says(small: Small, changes: dict[str, Any]) -> None:
    config = small(**changes)
    task, data = config.task, loaded(config)
    pairs = data.train(6, torch.Generator().manual_seed(0))
    assert pairs.wanted.shape == (6, task.slots, task.fields.channels)
    assert pairs.given.shape[0] == 6
    assert pairs.given.shape[-1] == task.channels
    assert not task.repeats or torch.equal(pairs.given, pairs.wanted)
    presence = pairs.wanted[..., -1]
    assert ((presence == 0) | (presence == 1)).all()
    assert (pairs.wanted[presence == 0] == 0).all()  # the empty element
    again = data.train(6, torch.Generator().manual_seed(0))
    assert torch.equal(again.wanted, pairs.wanted)


@pytest.mark.parametrize("changes", TASKS, ids=lambda changes: changes["task"]["kind"])
def test_held_out_sets_are_always_the_same_and_those_of_no_other_split(small: Small, changes: dict[str, Any]) -> None:
    config = small(**changes)
    data, again = loaded(config), loaded(config)
    assert data.content == again.content
    test, validation = data.held("test", 4), data.held("validation", 4)
    assert torch.equal(test.wanted, again.held("test", 4).wanted)
    assert torch.equal(data.held("test", 2).wanted, test.wanted[:2])
    if config.task.kind != "numbering":  # of so few elements many are alike
        seen = data.train(4, torch.Generator().manual_seed(config.seed))  # a toy's first batch
        for other in (validation, seen):
            assert (torch.cdist(test.wanted.flatten(1), other.wanted.flatten(1)) > 0).all()


def test_scenes_without_pictures_keep_the_rules_and_hang_on_their_seed() -> None:
    world = WorldConfig(least=2, most=4)
    scenes = [place(world, (0, index)) for index in range(30)]
    assert {len(each.things) for each in scenes} == {2, 3, 4}
    for each in scenes:
        for one, thing in enumerate(each.things):
            for other in each.things[:one]:
                apart = torch.tensor(thing.coords[:2]) - torch.tensor(other.coords[:2])
                assert float(apart.norm()) - thing.radius - other.radius >= 0.25 - 1e-6
    assert place(world, (0, 3)) == scenes[3]
    with pytest.raises(InputError, match="no scene of 32 to 32 objects"):
        place(WorldConfig(least=32, most=32, gap=2, tries=1), (0,))


def test_scenes_are_made_once(pictures: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    config = pictures()
    first = loaded(config)
    monkeypatch.setattr("runs.sets.made.make_scenes", None)  # would fail if it were called
    second = loaded(config)
    assert first.content == second.content
    pairs = second.held("test", 10)
    assert pairs.given.shape == (4, 3, 16, 16)
    assert pairs.given.dtype == torch.uint8
    assert torch.equal(pairs.given, second.pixels("test", 10))
    boxes = pictures(task={**config.task.model_dump(), "kind": "boxes"})
    found = loaded(boxes).held("test", 10).wanted
    assert found.shape == (4, 3, 5)
    assert torch.equal(found[..., -1], pairs.wanted[..., -1])  # a box an object
    with pytest.raises(TypeError):
        loaded(pictures(task={**config.task.model_dump(), "scenes": {**config.task.scenes.model_dump(), "seed": 1}}))


def test_a_damaged_cache_says_what_to_do(pictures: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASCAUX_CACHE", str(tmp_path))
    loaded(pictures())
    (file,) = (tmp_path / "scenes").iterdir()
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match=r"damaged .*delete it, and it is made again"):
        loaded(pictures())


def folder(path: Path, **more: Any) -> dict[str, Any]:
    scenes = {"kind": "folder", "path": str(path), "validation": 2, "width": 16, "height": 16, **more}
    return {"task": {"kind": "state", "slots": 3, "scenes": scenes}}


def test_a_folder_in_clevrs_layout_is_read(pictures: Small, clevr: Path) -> None:
    data = loaded(pictures(**folder(clevr)))
    scenes = to_sets(read_scenes(clevr, "train").scenes, 3)
    assert torch.equal(data.held("validation", 9).wanted, scenes[4:])
    seen = data.train(200, torch.Generator().manual_seed(0)).wanted.unique(dim=0)
    assert torch.equal(seen, scenes[:4].unique(dim=0))  # all of the rest, and nothing else
    assert torch.equal(data.held("test", 9).wanted, to_sets(read_scenes(clevr, "val").scenes, 3))


def test_a_folder_that_is_wrong_is_told_in_a_line(pictures: Small, clevr: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no scenes of the split"):
        loaded(pictures(**folder(tmp_path)))
    with pytest.raises(InputError, match="leave none to learn from"):
        loaded(pictures(**folder(clevr, validation=6)))
    shutil.copytree(clevr, tmp_path / "broken")
    told = tmp_path / "broken" / "scenes" / "CLEVR_train_scenes.json"
    scenes = json.loads(told.read_text())
    scenes["scenes"][1]["objects"][0]["color"] = "mauve"
    told.write_text(json.dumps(scenes))
    with pytest.raises(InputError, match=r"scene 1.*mauve"):
        loaded(pictures(**folder(tmp_path / "broken")))
    most = max(len(each.things) for each in read_scenes(clevr, "train").scenes)
    fewer = folder(clevr)
    fewer["task"]["slots"] = most - 1
    with pytest.raises(InputError, match=f"{most} objects do not fit {most - 1} slots"):
        loaded(pictures(**fewer))


def test_a_frozen_trunk_looks_at_each_picture_once(pictures: Small) -> None:
    trunk = TimmTrunk(name="test_resnet", weights="random")
    config = pictures(encoder={"kind": "trunk", "trunk": trunk.model_dump(), "level": 1, "channels": [4]})
    trunks = Trunks(CPU)
    data = load_data(config.task, config.encoder, 0, CPU, None, trunks)
    assert trunks.passes == 8 + 4 + 4
    load_data(config.task, config.encoder, 0, CPU, None, trunks)
    assert trunks.passes == 16
    pixels = data.pixels("test", 4)
    assert pixels is not None
    wanted = build_trunk(trunk).extract(pixels, [1])[0]
    assert torch.equal(data.held("test", 4).given, wanted)
