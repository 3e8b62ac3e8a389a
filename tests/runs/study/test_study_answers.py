"""Answers of every kind of question, counted by hand."""

import json

import numpy as np
import pytest
from rich.console import Console

from raster import InputError, from_quickdraw
from runs.study.files import read_table
from runs.study.names import Namer, read_coded, read_synonyms, simple
from tests.runs.study.rooms import Maker, checksum, right


def answers(given, otherwise=right):
    """Somebody who answers trials as they are told, and the others rightly."""
    return lambda id, target, many: given[id] if id in given else otherwise(id, target, many)


def test_people_and_agents_are_paired_on_the_same_trials_by_condition(tmp_path):
    maker = Maker()
    ids = [maker.add("pick", of_class, condition) for condition in range(2) for of_class in range(4)]
    room = maker.room(tmp_path)
    wrong = {id: (int(room.key[id]["target"]) + 1) % 4 for id in ids[:3]}
    found = room.score(room.file("a", answers(wrong)), room.file("b")).everyone.questions["pick"]
    assert found.all.people.value == 13 / 16
    first, second = (found.by_condition[name] for name in ("game only", "likeness"))
    assert (first.people.value, second.people.value) == (5 / 8, 1.0)
    agents = [np.mean([int(room.key[id]["agent_correct"]) for id in some]) for some in (ids[:4], ids[4:])]
    assert [first.agents.value, second.agents.value] == agents
    assert first.difference.value == pytest.approx(5 / 8 - agents[0])
    (pair,) = found.differences
    assert (pair.one, pair.other, pair.people.value) == ("game only", "likeness", pytest.approx(-3 / 8))
    assert [line.people.value for line in found.by_run.values()] == [5 / 8, 1.0]
    assert found.by_class["cat"].people.value == 3 / 4
    assert set(found.by_sender) == {"run-0/0", "run-1/0"}
    assert {(a, b): n for a, b, n in found.confusion if a == b}[("polar bear", "polar bear")] == 3
    assert sum(n for _, _, n in found.confusion) == 16
    assert sum(n for _, _, n in found.agents_confusion) == 8


def test_rates_go_by_number_of_strokes_in_the_order_of_numbers(tmp_path):
    maker = Maker()
    for strokes in (10, 2, 2):
        maker.add("class", strokes=strokes)
    found = maker.room(tmp_path)
    lines = found.score(found.file("a")).everyone.questions["class"].by_strokes
    assert [(name, line.people.n) for name, line in lines.items()] == [("2", 2), ("10", 1)]


def test_confidence_and_stand_ins_go_with_rates_or_not(tmp_path):
    maker = Maker()
    ids = [maker.add("pick", number % 4, agent_probability=number / 20) for number in range(20)]
    room = maker.room(tmp_path)

    def able(level):  # takes the drawings of which the agent was surer than a level
        wrong = {id: (int(room.key[id]["target"]) + 1) % 4 for id in ids if int(id[1:]) / 20 < level}
        return answers(wrong)

    files = [room.file(f"p{i}", able(i / 10)) for i in range(10)]
    rng = np.random.default_rng(0)
    lines = [f"{id},{rng.random():.3f},{-int(id[1:])},cat" for id in ids]
    (tmp_path / "clip.csv").write_text("sketch,noise,=clip,class\n" + "\n".join(lines))
    found = room.score(*files, stand_ins=[tmp_path / "clip.csv"]).everyone.questions["pick"]
    assert found.correlations["receiver's confidence"].rho > 0.98
    assert found.correlations["receiver's confidence"].p < 0.01
    assert found.correlations["=clip"].rho < -0.98
    low, high = found.correlations["noise"].interval
    assert low < 0 < high
    assert set(found.correlations) == {"receiver's confidence", "noise", "=clip"}, "one number of strokes tells nothing"
    assert found.ceiling > 0.9
    table = room.table("sketches.csv")
    assert [float(row["=clip"]) for row in table] == [-int(row["sketch"][1:]) for row in table]
    lines = [f"{room.key[id]['drawing']},{id[1:]}" for id in ids]
    (tmp_path / "files.csv").write_text("drawing,eye\n" + "\n".join(lines))
    again = room.score(*files, stand_ins=[tmp_path / "files.csv"]).everyone.questions["pick"]
    assert again.correlations["eye"].n == 20


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1,2\n", "no column sketch or drawing"),
        ("sketch,clip\nt0000,high\n", "no number"),
        ("sketch,clip\nt0000,nan\n", "no number"),
        ("sketch,clip\nt9999,1\n", "no score of a drawing"),
        ("sketch,class\nt0000,cat\n", "no score of a drawing"),
        ("", "no column"),
    ],
)
def test_a_table_of_stand_ins_that_does_not_fit_is_refused(tmp_path, text, why):
    maker = Maker()
    maker.add("pick")
    room = maker.room(tmp_path)
    (tmp_path / "clip.csv").write_text(text)
    with pytest.raises(InputError, match=why):
        room.score(room.file("a"), stand_ins=[tmp_path / "clip.csv"])
    with pytest.raises(InputError, match="cannot be read"):
        room.score(room.file("a"), stand_ins=[tmp_path / "none.csv"])
    assert not (tmp_path / "study-scores").exists()


def test_ratings_are_means_of_steps_by_condition(tmp_path):
    maker = Maker()
    ids = [maker.add("rate", number % 4, number // 4) for number in range(8)]
    room = maker.room(tmp_path)
    one = answers({id: (1 if number < 4 else 5) for number, id in enumerate(ids)})
    other = answers({id: (3 if number < 4 else None) for number, id in enumerate(ids)})
    found = room.score(room.file("a", one), room.file("b", other)).everyone.questions["rate"]
    assert found.all is None
    assert found.ratings["game only"].mean.value == 3.0
    assert found.ratings["likeness"].mean.value == 6.0
    assert found.ratings[""].counts == (0, 4, 0, 4, 0, 4, 0)
    assert found.ratings["likeness"].cannot_tell == 0.5
    assert found.cannot_tell == 0.25
    assert found.differences[0].people.value == -3.0
    assert {row["rating"] for row in room.table("responses.csv")} == {"2", "4", "6", ""}
    assert "rating ~ condition + (1|participant) + (1|sketch) + (1|item)" in room.printed


def test_of_two_drawings_it_is_counted_whose_was_chosen(tmp_path):
    maker = Maker()
    ids = [maker.add("compare", number) for number in range(4)]
    room = maker.room(tmp_path)
    chosen = answers({ids[0]: 0, ids[1]: 0, ids[2]: 0, ids[3]: 1})
    shy = answers({ids[0]: None, ids[1]: 0, ids[2]: 1, ids[3]: 0})
    found = room.score(room.file("a", chosen), room.file("b", shy)).everyone.questions["compare"]
    share = {each.name: (each.share, each.n) for each in found.sides}
    assert share == {"game only": (5.5 / 8, 8), "likeness": (2.5 / 8, 8)}
    assert found.sides[0].strength == pytest.approx(np.log(6 / 3) / 2)
    assert (found.surer.value, found.surer.n) == (5 / 7, 7), "the first drawing's receiver is the surer one here"
    assert found.all is None, "neither is right"
    rows = room.table("responses.csv")
    assert (rows[3]["chosen"], rows[3]["other"]) == ("likeness", "game only")
    assert (rows[4]["chosen"], rows[4]["cannot_tell"]) == ("", "1")


def test_of_two_drawings_of_one_run_one_may_be_right(tmp_path):
    maker = Maker()
    id = maker.add("compare", 0, target=1, sides=json.dumps([maker._side("dog", 0, 0.5), maker._side("cat", 0, 0.5)]))
    room = maker.room(tmp_path)
    found = room.score(room.file("a", answers({id: 1})), room.file("b", answers({id: 0}))).everyone.questions["compare"]
    assert (found.all.people.value, found.all.chance) == (0.5, 0.5)
    assert found.sides == ()


STROKES = [[[-1000, 0, 5], [0, 0, 21], [0, 1000, 40]], [[500, 500, 900]]]


def test_what_people_draw_comes_back_as_strokes(tmp_path):
    maker = Maker(["<b>cat</b>", "dog"], choices=2)
    ids = [maker.add("draw", 0), maker.add("draw", 1), maker.add("draw", 1)]
    room = maker.room(tmp_path)
    over = [[[-1500, 0, 0], [1500, 0, 9]]]
    found = room.score(room.file("a", answers(dict(zip(ids, (STROKES, over, None), strict=True)))))
    assert found.drawings == 2
    lines = (tmp_path / "study-scores" / "drawings.ndjson").read_text().splitlines()
    first, second = (json.loads(line) for line in lines)
    assert (first["word"], first["strokes"], first["moved"]) == ("<b>cat</b>", STROKES, False)
    assert second["moved"]
    drawn = next(from_quickdraw(tmp_path / "study-scores" / "drawings.ndjson"))
    assert drawn.strokes.points[0, 0].tolist() == pytest.approx([-1, 0], abs=0.01)
    report = (tmp_path / "study-scores" / "report.html").read_text()
    assert report.count("<polyline") == 3
    assert "&lt;b&gt;cat" in report


def test_free_names_are_counted_by_how_they_fit_and_the_rest_waits_for_a_person(tmp_path):
    maker = Maker(["polar bear", "dog", "sports car", "brown bear"])
    ids = [maker.add("name", 0), maker.add("name", 1), maker.add("name", 2)]
    maker.add("catch")  # among its pictures there is a brown bear
    room = maker.room(tmp_path)
    (tmp_path / "words.yaml").write_text("dog: [puppy, hound]\n")
    given = [
        ("Polar-bear!", "puppy", "a car"),  # exact, synonym, words
        ("bear", "dgo", "sport car"),  # of two bears none; too short to be near; exact but for the s
        ("polarbear", "dogs", "wheels"),  # near, plural, unknown
        (None, "wheels", "Wheels"),
    ]
    files = [room.file(f"p{i}", answers(dict(zip(ids, names, strict=True)))) for i, names in enumerate(given)]
    found = room.score(*files, synonyms=tmp_path / "words.yaml")
    question = found.everyone.questions["name"]
    assert question.names == {"exact": 3, "synonym": 1, "words": 1, "near": 1, "none": 5, "cannot tell": 1}
    assert question.all.people.value == 6 / 12
    assert question.strict.value == 4 / 12
    assert found.to_code == 4
    table = room.table("names.csv")
    assert (table[0]["answer"], table[0]["times"], table[0]["fits"]) == ("wheels", "2", "none")
    assert {row["fits"] for row in table[:4]} == {"none"}
    assert [row["fits"] for row in table[4:]] == ["near", "words"]
    assert "4 name(s) fit nothing" in room.printed

    # A person fills it in: wheels are a car, and a car is none of the sports.
    path = tmp_path / "study-scores" / "names.csv"
    text = path.read_text().replace("sports car,wheels,2,none,", "sports car,wheels,2,none,1")
    path.write_text(text.replace("a car,1,words,", "a car,1,words,0"))
    again = room.score(*files, synonyms=tmp_path / "words.yaml")
    assert again.everyone.questions["name"].all.people.value == 7 / 12
    assert again.everyone.questions["name"].names["coded"] == 3
    assert again.to_code == 3
    assert [row["right"] for row in room.table("names.csv") if row["answer"] in ("wheels", "a car")] == ["1", "", "0"]


def test_a_filled_in_table_is_never_lost_to_a_bad_cell(tmp_path):
    maker = Maker()
    id = maker.add("name")
    room = maker.room(tmp_path)
    file = room.file("a", answers({id: "blob"}))
    room.score(file)
    path = tmp_path / "study-scores" / "names.csv"
    filled = path.read_text().replace("none,", "none,perhaps")
    path.write_text(filled)
    with pytest.raises(InputError, match="'perhaps' is no verdict"):
        room.score(file)
    assert path.read_text() == filled
    path.write_text("kind,right\n1,1\n")
    with pytest.raises(InputError, match="keep class, answer and right"):
        room.score(file)
    path.write_text("class;answer;right\r\ncat;blob;1\r\n")  # as a spreadsheet saves it elsewhere
    assert room.score(file).everyone.questions["name"].all.people.value == 1.0
    with pytest.raises(InputError, match="cannot be read"):
        read_coded(tmp_path / "none.csv")


def test_synonyms_name_classes_that_there_are(tmp_path):
    path = tmp_path / "words.yaml"
    path.write_text("dgo: [puppy]\n")
    with pytest.raises(InputError, match=r"words.yaml:1.*did you mean 'dog'"):
        read_synonyms(path, ["cat", "dog"])
    for text in ("dog: puppy\n", "dog: [1, 2]\n"):
        path.write_text(text)
        with pytest.raises(InputError, match="no list of words"):
            read_synonyms(path, ["cat", "dog"])
    path.write_text("[a]\n")
    with pytest.raises(InputError, match="no table of names"):
        read_synonyms(path, ["cat"])


@pytest.mark.parametrize(
    ("answer", "target", "level"),
    [
        ("The CAT", "cat", "exact"),
        ("cats", "cat", "exact"),
        ("ｃａｔ", "cat", "exact"),
        ("sports_car", "sports car", "exact"),
        ("glass", "glas", "near"),
        ("guitar", "gitar", "near"),
        ("bat", "cat", "none"),
        ("", "cat", "none"),
        ("...", "cat", "none"),
        ("a black cat", "cat", "words"),
        ("cat or dog", "cat", "none"),
        ("猫", "猫", "exact"),
        ("\U0001f98a", "\U0001f98a", "exact"),
        ("x" * 10_000, "cat", "none"),
        ("cat " * 5_000, "cat", "none"),
    ],
)
def test_a_name_fits_so(answer, target, level):
    assert Namer([target, "cat", "dog"]).level(answer, target) == level


def test_a_name_of_another_class_is_never_near(tmp_path):
    namer = Namer(["goose", "moose", "mouse"])
    assert namer.level("moose", "goose") == "none"
    assert namer.level("mouse", "moose") == "none"
    assert simple("e\u0301clair") == simple("\u00e9clair")


def test_the_rule_of_the_export_is_the_one_that_leaves_out(tmp_path):
    rule = {"catch_missed_at_least": None, "median_rt_below_ms": 1003, "rule": "Who is too fast is left out."}
    maker = Maker(rule=rule)
    for _ in range(3):
        maker.add("pick")
    maker.add("catch", 1)
    room = maker.room(tmp_path)
    slow = room.rows("b", right)
    for row in slow:
        if "rt" in row:
            row["rt"] += 5000
    slow[-1]["checksum"] = checksum(slow)
    (tmp_path / "b.json").write_text(json.dumps(slow))
    careless = answers({}, lambda id, target, many: (target + 1) % many)
    found = room.score(room.file("a", careless), tmp_path / "b.json")
    assert list(found.excluded.values()) == ["median time of an answer 1002 ms"]
    assert found.kept.participants == 1
    assert found.kept.questions["pick"].all.people.value == 1.0
    assert found.everyone.questions["pick"].all.people.value == 0.5
    assert "Who is too fast is left out." in (tmp_path / "study-scores" / "report.html").read_text()
    assert found.seconds == pytest.approx((2.252, 3.502, 4.752))


def test_lists_that_nobody_answered_are_shown(tmp_path):
    maker = Maker(lists=3)
    for number in range(6):
        maker.add("pick", number % 4)
    room = maker.room(tmp_path)
    assert room.score(room.file("a", number=2)).lists == {1: 0, 2: 1, 3: 0}


def test_the_console_is_the_callers(tmp_path, capsys):
    maker = Maker()
    maker.add("pick")
    room = maker.room(tmp_path)
    from runs.study import score

    score(room.study.path, [room.file("a")], console=Console(quiet=True))
    assert capsys.readouterr().out == ""
    assert read_table(tmp_path / "study-scores" / "responses.csv")[0]["correct"] == "1"
