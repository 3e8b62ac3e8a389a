"""What chance decides in a study: which games, which candidates, which list."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raster import InputError
from runs.study.design import plan
from runs.study.exporting import short_form
from runs.study.plays import own_kind, read_pictures, read_plays


def picked(world, **short):
    """A design of one part that is picked, and its items, checks last."""
    design = plan(short_form(**short), [world.source()])
    return design, [design.items[id] for id in sorted(design.items, key=lambda id: (id[0] == "c", id))]


SIZES = st.tuples(st.integers(1, 6), st.integers(1, 3), st.sampled_from([None, 2, 5, 10]), st.integers(0, 99))


@given(SIZES)
def test_every_trial_holds_its_target_and_no_target_comes_twice(world, sizes):
    trials, lists, choices, seed = sizes
    design, items = picked(world, trials=trials, lists=lists, choices=choices, seed=seed)
    assert [len(ids) for ids in design.lists] == [trials] * lists
    assert len(design.catch) == 2
    assert sorted([*design.catch, *(id for ids in design.lists for id in ids)]) == sorted(design.items)
    targets = [item.meant for item in items]
    assert len(set(targets)) == len(targets)
    for item in items:
        assert len(item.pictures) == (choices or 10)
        assert len(set(item.pictures)) == len(item.pictures)
        assert set(item.pictures) <= set(item.game.pool)
        assert item.pictures[item.target] == item.meant
        if item.kind == "pick":
            assert item.meant == item.game.target_picture


@given(SIZES)
def test_the_agent_chooses_its_best_of_the_candidates_that_people_see(world, sizes):
    trials, lists, choices, seed = sizes
    _, items = picked(world, trials=trials, lists=lists, choices=choices, seed=seed)
    for item in (item for item in items if item.kind == "pick"):
        scores = dict(zip(item.game.pool, item.game.scores, strict=True))
        seen = [scores[picture] for picture in item.pictures]
        assert list(item.agent_scores) == seen
        assert seen[item.agent_choice] == max(seen)
        assert item.agent_correct == (item.agent_choice == item.target)
        weights = [math.exp(score) for score in seen]
        assert math.isclose(item.agent_probability, weights[item.target] / sum(weights))
    assert all(item.agent_choice is None for item in items if item.kind == "catch")


def test_a_seed_decides_everything(world):
    def told(seed):
        design, _ = picked(world, trials=5, lists=2, choices=4, seed=seed)
        return [(id, item.pictures, item.target) for id, item in design.items.items()]

    assert told(3) == told(3)
    assert told(3) != told(4)


def test_classes_are_spread_evenly(world):
    _, items = picked(world, trials=10)
    assert len({world.pictures.class_of(item.meant) for item in items if item.kind == "pick"}) == 10


def test_the_target_stands_anywhere(world):
    places = {item.target for seed in range(20) for item in picked(world, trials=6, seed=seed)[1]}
    assert places == set(range(10))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"trials": 0}, "at least 1"),
        ({"trials": 5, "lists": 0}, "at least 1"),
        ({"trials": 5, "choices": 1}, "give at least 2"),
        ({"trials": 5, "choices": 11}, "give 2 to 10"),
        ({"trials": 500}, "asks for 500 different targets in all, and only 23"),
        ({"trials": 15, "lists": 9}, "asks for 135 different targets in all, and only 23"),
    ],
)
def test_an_impossible_design_is_refused_in_one_line(world, wrong, said):
    with pytest.raises(InputError, match=said) as refusal:
        picked(world, **wrong)
    assert "\n" not in str(refusal.value)


def test_plays_are_read_back_as_they_were_logged(world, tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_text("".join(line + "\n" for line in world.lines()), encoding="utf-8")
    assert read_plays(path, len(world.names)) == [
        game.__class__(**{**vars(game), "scores": tuple(game.scores)}) for game in world.games
    ]


def test_only_the_last_step_is_taken(world, tmp_path):
    first, second = list(world.lines())[:2]
    path = tmp_path / "test.jsonl"
    path.write_text(json.dumps(json.loads(first) | {"step": 50}) + "\n" + second + "\n", encoding="utf-8")
    assert [game.step for game in read_plays(path, len(world.names))] == [100]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line[: len(line) // 2], "line 1 is|damaged .*line 1"),
        (lambda line: json.dumps(json.loads(line) | {"pool": [10**6] * 10}), "points outside"),
        (lambda line: json.dumps(json.loads(line) | {"target": [10]}), "points outside"),
        (lambda line: json.dumps(json.loads(line) | {"target": [1, 2]}), "damaged"),
        (lambda line: json.dumps(json.loads(line) | {"scores": [[1.0]]}), "points outside"),
        (lambda line: "[1, 2]", "damaged"),
        (lambda line: "", "logged no game"),
    ],
)
def test_a_damaged_play_file_is_named_with_its_line(world, tmp_path, change, said):
    path = tmp_path / "test.jsonl"
    path.write_text(change(next(world.lines())) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_plays(path, len(world.names))


def test_a_run_without_plays_or_pictures_is_told(tmp_path):
    with pytest.raises(InputError, match="no logged test games"):
        read_plays(tmp_path / "test.jsonl", 1)
    with pytest.raises(InputError, match="no list of pictures"):
        read_pictures(tmp_path / "pictures.json")
    (tmp_path / "pictures.json").write_text('{"names": ["a"], "classes": ["a"], "label": [7]}')
    with pytest.raises(InputError, match="contradicts"):
        read_pictures(tmp_path / "pictures.json")
    (tmp_path / "pictures.json").write_text("[]")
    with pytest.raises(InputError, match="damaged"):
        read_pictures(tmp_path / "pictures.json")


def test_the_runs_own_game_is_its_summarys_else_the_hardest(world):
    same = [game.__class__(**{**vars(game), "kind": "same"}) for game in world.games]
    assert own_kind(world.games + same, {"game": "same"}) == "same"
    assert own_kind(same + world.games, {}) == "artist"
    assert own_kind(same, {"game": "artist"}) == "same"
