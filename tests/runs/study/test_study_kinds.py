"""Studies of every kind of question and of several runs: who sees whose drawing, and what the key says of it."""

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import InputError
from runs.study.config import SCORED, StudyConfig
from runs.study.design import plan
from runs.study.exporting import export, read_design
from runs.study.key import read_key
from runs.study.layout import study_id
from runs.study.results import read_study

EVERY = [
    {"kind": "name", "trials": 2},
    {"kind": "pick", "trials": 2, "choices": 4},
    {"kind": "class", "trials": 2, "choices": 4},
    {"kind": "rate", "trials": 2, "points": 5},
    {"kind": "compare", "trials": 2},
    {"kind": "draw", "trials": 1},
    {"kind": "draw", "trials": 1, "shows": "word"},
]


@pytest.fixture(scope="module")
def large(worlds):
    """A world with targets enough for every kind and several lists: 120 of 40 classes."""
    return worlds(classes=tuple(f"thing {i}" for i in range(40)), candidates=10, pools=40, size=12, strokes=3)


def runs_of(world, many):
    """Runs that played the same pools, each with drawings and scores of its own."""
    chance = random.Random(5)
    found = []
    for run in range(many):
        games = [replace(g, scores=tuple(chance.gauss(0, 1) for _ in g.scores), sender=str(run)) for g in world.games]
        found.append(world.source(f"run{run}", games=games, seed=run))
    return found


def config_of(*parts, **keys):
    return StudyConfig.model_validate({"parts": list(parts) or EVERY, **keys})


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(1, 2), st.integers(0, 50))
def test_nobody_sees_a_target_twice_in_any_part(large, many, sets, seed):
    design = plan(config_of(seed=seed, lists=many * sets), runs_of(large, many))
    for ids in design.lists:
        seen = [picture for id in (*ids, *design.catch) for picture in targets(design.items[id])]
        assert len(seen) == len(set(seen))


def targets(item):
    """Every picture that a question gives away: its targets, and what stands beside the drawing."""
    found = {item.meant} | ({item.photo} - {None}) | {game.target_picture for _, game in item.sides}
    return found


@settings(max_examples=30)
@given(st.integers(2, 4), st.integers(1, 3), st.integers(1, 6), st.integers(0, 50))
def test_whose_drawing_of_a_target_a_list_shows_is_a_latin_square(large, runs, sets, trials, seed):
    part = {"kind": "pick", "trials": trials}
    design = plan(config_of(part, seed=seed, lists=runs * sets), runs_of(large, runs))
    square = Counter()
    for ids in design.lists:
        whose = Counter(design.items[id].source for id in ids)
        assert max(whose.values()) - min(whose.get(run, 0) for run in range(runs)) <= 1
        square.update((design.items[id].meant, design.items[id].source) for id in ids)
    assert len(square) == runs * sets * trials  # every target by every run ...
    assert set(square.values()) == {1}  # ... before one list each


def test_runs_on_the_same_pools_stand_beside_the_same_candidates(large):
    design = plan(config_of({"kind": "pick", "trials": 6, "choices": 4}), runs_of(large, 3))
    assert design.unlike == 0
    places = {}
    for item in design.items.values():
        if item.kind == "pick":
            places.setdefault(item.meant, set()).add((item.pictures, item.target))
    assert len(places) == 6
    assert all(len(found) == 1 for found in places.values())


def test_two_runs_are_compared_as_often_on_either_side(large):
    design = plan(config_of({"kind": "compare", "trials": 12}), runs_of(large, 3))
    pairs = Counter()
    for ids in design.lists:
        for id in ids:
            (left, one), (right, two) = design.items[id].sides
            assert one.target_picture == two.target_picture
            assert design.items[id].target is None
            pairs[left, right] += 1
    assert len(pairs) == 6
    assert len(set(pairs.values())) == 1


def test_a_drawing_of_something_else_stands_on_either_side_whoever_drew(large):
    design = plan(config_of({"kind": "compare", "trials": 8, "against": "other"}), runs_of(large, 2))
    sides = Counter()
    for ids in design.lists:
        for id in ids:
            item = design.items[id]
            right, wrong = item.sides[item.target], item.sides[1 - item.target]
            assert right[0] == wrong[0] == item.source
            assert right[1].target_picture == item.meant
            assert large.label[wrong[1].target_picture] != large.label[item.meant]
            sides[item.source, item.target] += 1
    assert len(sides) == 4
    assert len(set(sides.values())) == 1


def test_classes_that_are_offered_are_those_of_the_candidates_and_the_receivers_choice_is_among_them(worlds):
    # Three hands draw four things, all in one pool: a class has several candidates, whose scores go together.
    world = worlds(classes=("a", "b", "c", "d"), candidates=4, pools=1)
    game = replace(
        world.games[0], pool=tuple(range(12)), target=4, scores=tuple([0.0] * 4 + [2.0, 1.9, 1.9] + [2.5] * 5)
    )
    design = plan(config_of({"kind": "class", "trials": 1}, catch=0), [world.source(games=[game])])
    (item,) = design.items.values()
    assert item.words == ("a", "b", "c", "d")
    assert item.target == 1
    weights = np.exp(np.array(game.scores)).reshape(4, 3).sum(1)
    assert np.allclose(np.exp(item.agent_scores), weights)
    assert np.isclose(item.agent_probability, weights[1] / weights.sum())
    assert item.agent_choice == weights.argmax() == 3


def test_runs_on_other_pictures_may_bring_targets_of_their_own_and_no_others(large, worlds):
    other = worlds(classes=tuple(f"thing {i}" for i in range(30)), pools=6, size=16)
    other.pictures = replace(other.pictures, content="1" * 64)
    sources = [*runs_of(large, 1), other.source("other")]
    with pytest.raises(InputError, match=r"different pictures, so they share no targets \(targets\)"):
        plan(config_of(), sources)
    part = {"kind": "compare", "trials": 2, "against": "run"}
    with pytest.raises(InputError, match=r"parts\.0\.against.*give another run"):
        plan(config_of(part, targets="own"), sources)
    design = plan(config_of(targets="own", lists=2), sources)
    for ids in design.lists:
        whose = Counter(design.items[id].source for id in ids if design.items[id].kind == "pick")
        assert whose == {0: 1, 1: 1}


def test_runs_of_one_content_are_one_target_wherever_they_stand(large):
    # The same pictures in another order are other pictures to the gallery, and the same to a person.
    turned = large.source("turned", pixels=large.pixels[::-1])
    turned = replace(turned, pictures=replace(large.pictures, content="2" * 64))
    design = plan(config_of({"kind": "pick", "trials": 12}, targets="own", catch=0), [large.source("straight"), turned])
    sources = [large.source("straight"), turned]
    names = [sources[item.source].item(item.meant) for item in design.items.values()]
    assert len(names) == len(set(names)) == 12


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"parts": [{"kind": "pick", "trials": 200}]}, "asks for 200 different targets in all, and only 1"),
        ({"parts": [{"kind": "pick"}], "lists": 3}, "3 lists for 2 runs .*give a multiple of 2"),
        ({"parts": [{"kind": "class", "choices": 20}]}, "20 names for candidates of 10 class"),
        ({"parts": [{"kind": "pick", "choices": 20}]}, "20 choices of a receiver that saw 10 .*parts.0.choices"),
        ({"parts": [{"kind": "pick", "game": "same"}]}, "logged no test games of kind 'same'"),
        ({"labels": ["one"]}, "1 labels for 2 run"),
    ],
)
def test_a_design_that_the_runs_cannot_carry_is_refused_in_one_line(large, tmp_path, wrong, said):
    with pytest.raises(InputError, match=said) as refusal:
        large.export(tmp_path / "study", design=wrong, runs=["a", "b"])
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_runs_about_different_games_are_asked_which(large):
    same = [replace(game, kind="same") for game in large.games]
    sources = [large.source("a"), large.source("b", games=[*same, *large.games], own="same")]
    with pytest.raises(InputError, match=r"different games \(artist, same\).*say which"):
        plan(config_of({"kind": "pick"}), sources)
    assert plan(config_of({"kind": "pick", "game": "artist"}), sources).items


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partz: []", "partz.*did you mean 'parts'"),
        ("parts: [{kind: pik}]", "did you mean 'pick'"),
        ("parts:\n  - {kind: pick, choises: 4}", r"design.yaml, line 2|choises.*did you mean 'choices'"),
        ("parts: [{kind: pick}, {kind: name}]", "kind name stands after one of kind pick"),
        ("parts: [{kind: draw}, {kind: name}, {kind: rate}]\nshown: smell", "raster.*vector"),
        ("exclude: {catch_missed: 3}", "there are 2 attention checks"),
        ("save: {kind: datapipe}", "experiment"),
        ("complete: {url: 'javascript:alert(1)'}", "complete.url"),
        ("parts: []", "parts"),
    ],
)
def test_a_wrong_design_is_told_with_its_place_and_the_nearest_word(tmp_path, text, said):
    (tmp_path / "design.yaml").write_text(text)
    with pytest.raises(InputError, match=said):
        read_design(tmp_path / "design.yaml")


def test_a_designs_consent_text_lies_beside_it(tmp_path):
    (tmp_path / "design.yaml").write_text("consent: words/consent.txt\nparts: [{kind: draw}, {kind: name}]")
    assert read_design(tmp_path / "design.yaml").consent == tmp_path / "words" / "consent.txt"
    with pytest.raises(InputError, match="a design, and trials beside it"):
        export("nowhere", tmp_path / "out", design=tmp_path / "design.yaml", trials=3)


@pytest.mark.parametrize("runs", [1, 2])
def test_the_key_fits_the_study_of_every_kind_and_says_what_each_drawing_was(large, tmp_path, runs):
    names = ["<b>run</b>", "=run"][:runs]
    made = large.export(tmp_path / "study", design={"parts": EVERY, "labels": ["game", "likeness"][:runs]}, runs=names)
    study = read_study(made.path)
    assert study_id(study) == made.id
    key = read_key(made.key, study)
    assert {row.kind for row in key.values()} == {*SCORED, "catch"}
    for id, trial in study["trials"].items():
        row = key[id]
        assert trial["part"] == row.part
        assert trial["stimulus"] == (row.drawing or trial["stimulus"])
        shown = [file for file in (trial["stimulus"], trial["photo"]) if file] + (
            trial["choices"] if trial["kind"] in ("pick", "catch", "compare") else []
        )
        assert all((made.path / file).is_file() for file in shown)
        two = row.kind == "compare"
        assert len(row.sides) == 2 * two
        if row.kind == "catch" or (two and runs == 2):
            assert row.run == row.condition == ""
            assert row.seed is None
        else:
            assert row.run in names
            assert row.condition in ("game", "likeness")
            assert (row.biases, row.seed, row.strokes) == (("likeness",), 3, 3)
            assert row.agent_correct in (True, False)
            assert 0 <= row.agent_probability <= 1
        if two:
            assert {side.run for side in row.sides} == set(names)
            assert (row.target is None) == (runs == 2)
        if row.kind in ("pick", "class"):
            assert row.agent_choice == int(np.argmax(row.agent_scores))
        if row.kind == "draw":
            assert trial["about"] in (None, row.target_class)
            assert (trial["about"] is None) != (trial["photo"] is None)
    naming = [t for t in study["trials"].values() if t["kind"] in ("name", "draw") and t["about"] is None]
    assert not [word for trial in naming for word in trial["choices"]]


def test_a_key_of_another_kind_of_trial_is_refused(large, tmp_path):
    made = large.export(tmp_path / "study", design={"parts": EVERY})
    study = read_study(made.path)
    text = made.key.read_text(encoding="utf-8").replace(",rate,", ",pick,")
    made.key.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="does not fit trial"):
        read_key(made.key, study)


def test_site_js_is_no_part_of_the_study(large, tmp_path):
    texts = {}
    for name, save in {"a": {"kind": "file"}, "b": {"kind": "datapipe", "experiment": "abc"}}.items():
        made = large.export(tmp_path / name, design={"parts": EVERY, "save": save, "complete": {"code": "C1"}})
        texts[name] = made.id, (made.path / "site.js").read_text()
    assert texts["a"][0] == texts["b"][0]
    site = json.loads(texts["b"][1].removeprefix("window.SITE = ").rstrip().removesuffix(";"))
    assert site["save"]["experiment"] == "abc"
    assert site["complete"] == {"url": None, "code": "C1"}


def test_every_key_of_a_design_stands_on_its_page():
    page = (Path(__file__).parents[3] / "docs" / "study.md").read_text(encoding="utf-8")
    for key in StudyConfig.model_fields:
        assert f"| `{key}`" in page or f"` `{key}`" in page, key
    for part in EVERY:
        assert f"| `{part['kind']}` |" in page
