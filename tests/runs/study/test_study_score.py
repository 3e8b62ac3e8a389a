"""People's answers beside the agents', and what is refused."""

import csv
import json
import re

import numpy as np
import pytest

from raster import InputError
from runs.spread import wilson
from runs.study import score
from runs.study.files import read_table
from tests.runs.study.rooms import Room, asleep, checksum, right, shy, wrong_but_awake


@pytest.fixture
def room(world, tmp_path):
    return Room(world.export(tmp_path / "study"), tmp_path)


def test_people_stand_beside_agents_on_the_same_trials(room):
    found = room.score(room.file("anna"), room.file("ben", wrong_but_awake), room.file("cleo"))
    part = found.everyone.questions["pick"].all
    assert found.everyone.participants == part.participants == 3
    assert (part.people.value, part.people.n) == (12 / 18, 18)
    assert (part.people.low, part.people.high) == wilson(12, 18)
    assert part.people.participants == (0.0, 1.0)
    assert part.people.sketches is None, "every drawing was read by two of three"
    agents = [row["agent_correct"] == "1" for row in room.key.values() if row["kind"] == "pick"]
    assert part.agents.value == pytest.approx(np.mean(agents))
    assert part.agents.n == 6
    assert part.difference.value == pytest.approx(12 / 18 - np.mean(agents))
    assert part.chance == pytest.approx(0.1)
    assert part.above_chance < 1e-6
    assert found.excluded == {}
    assert found.lists == {1: 3}
    assert "people, right" in room.printed


def test_cannot_tell_is_counted_both_ways(room):
    part = room.score(room.file("dora", shy)).everyone.questions["pick"].all
    assert part.cannot_tell == 0.5
    assert part.people.value == 0.5
    assert (part.people_told.value, part.people_told.n) == (1.0, 3)
    assert part.people.participants is None, "one participant tells nothing of how people differ"


def test_who_misses_an_attention_check_is_left_out_and_both_are_told(room):
    found = room.score(room.file("anna"), room.file("eve", asleep))
    assert len(found.excluded) == 1
    assert found.everyone.questions["pick"].all.people.value == 0.5
    assert found.kept.questions["pick"].all.people.value == 1.0
    assert found.kept.participants == 1
    only = room.score(room.file("eve", asleep))
    assert only.kept is None
    assert "leaves nobody" in room.printed


def test_the_class_counts_where_the_very_picture_does_not(world, tmp_path):
    room = Room(world.export(tmp_path / "study"), tmp_path)
    rows = read_table(room.study.key)
    text = room.study.key.read_bytes()
    one = next(row for row in rows if row["kind"] == "pick")
    target, classes = int(one["target"]), json.loads(one["classes"])
    other = (target + 1) % len(classes)
    twin = [one["class"] if i == other else name for i, name in enumerate(classes)]
    cell = json.dumps(twin, ensure_ascii=False).replace('"', '""')
    old = json.dumps(classes, ensure_ascii=False).replace('"', '""')
    room.study.key.write_bytes(text.replace(old.encode(), cell.encode()))
    part = (
        room.score(room.file("anna", lambda id, t, many: other if id == one["trial"] else t))
        .everyone.questions["pick"]
        .all
    )
    assert part.people.value == pytest.approx(5 / 6)
    assert part.people_class.value == 1.0


def test_tables_and_summary_are_written_and_hold_no_participants_id(room):
    found = room.score(room.file("5f1e-prolific-id"))
    assert found.folder == room.folder / "study-scores"
    with (found.folder / "responses.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert {row["correct"] for row in rows} == {"1"}
    for row in rows:
        for cell in row.values():
            assert not re.match(r"[=+\-@\t\r\n]", cell)
    summary = json.loads((found.folder / "summary.json").read_text())
    assert summary["everyone"]["questions"]["pick"]["all"]["people"]["value"] == 1.0
    assert summary["everyone"]["questions"]["pick"]["by_class"].keys() == {
        room.key[row["sketch"]]["class"] for row in rows if row["kind"] == "pick"
    }
    for path in found.folder.iterdir():
        assert "prolific-id" not in path.read_text(encoding="utf-8")
    # Once more, with another participant: the tables are replaced.
    assert room.score(room.file("a"), room.file("b")).everyone.participants == 2


def test_many_participants_can_come_in_one_file(room):
    a, b = room.rows("a", right), room.rows("b", right)
    for name, text in {
        "nested.json": json.dumps([a, b]),
        "flat.json": json.dumps(a + b),
        "lines.txt": json.dumps(a) + "\n" + json.dumps(b) + "\n",
    }.items():
        (room.folder / name).write_text(text)
        assert room.score(room.folder / name).everyone.participants == 2


def _edit(rows, **changes):
    rows[2] |= changes
    return rows


REFUSED = {
    "cut off": (lambda rows: json.dumps(rows)[:-40], "cut off or damaged"),
    "no end": (lambda rows: json.dumps(rows[:-1]), "closing row is missing"),
    "edited answer": (lambda rows: json.dumps(_edit(rows, response=0, choice="x")), "checksum"),
    "edited time": (lambda rows: json.dumps(_edit(rows, rt=1)), "checksum"),
    "row taken out": (lambda rows: json.dumps(rows[:2] + rows[3:]), "checksum"),
    "row twice": (lambda rows: json.dumps([*rows[:3], rows[2], *rows[3:]]), "checksum"),
    "other study": (lambda rows: json.dumps([row | {"study": "f" * 16} for row in rows]), "another study"),
    "mixed people": (lambda rows: json.dumps(_edit(rows, participant="z")), "several participants"),
    "no such list": (lambda rows: json.dumps([row | {"list": 7} for row in rows]), "no list of this study"),
    "html": (lambda rows: "<html><script>alert(1)</script></html>", "not whole JSON"),
    "object": (lambda rows: '{"a": 1}', "JSON array of trials"),
    "strings": (lambda rows: '["a", "b"]', "JSON array of trials"),
    "empty": (lambda rows: "[]", "nothing in it"),
    "nothing": (lambda rows: "", "nothing in it"),
    "nested nothing": (lambda rows: "[[]]", "nothing in it"),
    "deep": (lambda rows: "[" * 500 + "]" * 500, "not the answers"),
    "deeper": (lambda rows: "[" * 100_000, "cut off|not the answers"),
    "other json": (lambda rows: '[{"rt": 1}]', "no study is named"),
    "binary": (lambda rows: b"\xff\xfe\x00", "not a text file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_its_reason_and_costs_nobody_else(room, case):
    spoil, why = REFUSED[case]
    spoiled = spoil(room.rows("mallory", right))
    path = room.folder / "mallory.json"
    path.write_bytes(spoiled if isinstance(spoiled, bytes) else spoiled.encode())
    found = room.score(path, room.file("anna"))
    assert found.everyone.participants == 1
    assert len(found.refused) == 1
    assert re.search(why, found.refused[0].why)
    assert found.refused[0].source == path
    assert "not counted: mallory.json" in room.printed
    with pytest.raises(InputError, match="none of 1 result"):
        room.score(path)


def test_an_edit_that_mends_the_checksum_must_still_fit(room):
    rows = room.rows("m", right)
    for row in rows:
        if row.get("kind") == "pick":
            row["response"] = 99
    rows[-1]["checksum"] = checksum(rows)
    (room.folder / "m.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match="none that the page could give"):
        room.score(room.folder / "m.json")


def test_a_participant_who_comes_twice_is_counted_once(room):
    found = room.score(
        room.file("anna"), room.file("anna", asleep, name="again.json"), room.file("anna", name="copy.json")
    )
    assert found.everyone.participants == 1
    assert found.everyone.questions["pick"].all.people.value == 1.0
    assert ["the same participant" in each.why for each in found.refused] == [True, True]


def test_simulated_runs_and_people_are_never_mixed(room):
    person, robot = room.file("anna"), room.file("robot", simulated=True)
    assert room.score(person, robot).everyone.participants == 1
    found = room.score(person, robot, simulated=True)
    assert found.simulated
    assert found.everyone.participants == 1
    assert "SIMULATED" in room.printed


def test_hostile_file_names_are_printed_and_not_obeyed(room):
    path = room.folder / "[red]x\x1b[31m.json"
    path.write_text("[]")
    room.score(path, room.file("anna"))
    assert "[red]x" in room.printed
    assert "\x1b" not in room.printed


def test_lists_are_counted(world, tmp_path):
    room = Room(world.export(tmp_path / "study", trials=4, lists=2), tmp_path)
    found = room.score(room.file("a"), room.file("b", number=2), room.file("c", number=2))
    assert found.lists == {1: 1, 2: 2}
    assert found.everyone.questions["pick"].all.people.n == 12
    assert found.everyone.questions["pick"].all.agents.n == 8


def test_a_study_or_key_that_does_not_belong_is_refused(world, room, tmp_path):
    answers = room.file("anna")
    other = world.export(tmp_path / "other", seed=5)
    with pytest.raises(InputError, match="key of another study"):
        room.score(answers, key=other.key)
    with pytest.raises(InputError, match="no answer key"):
        room.score(answers, key=tmp_path / "none.csv")
    with pytest.raises(InputError, match="no study here"):
        score(tmp_path / "none", [answers])
    with pytest.raises(InputError, match="no results"):
        room.score()
    (tmp_path / "key.csv").write_text("study,trial\nx,y\n")
    with pytest.raises(InputError, match="key is damaged"):
        room.score(answers, key=tmp_path / "key.csv")
    path = room.study.path / "study.json"
    path.write_text(path.read_text().replace("Cannot tell", "No idea"))
    with pytest.raises(InputError, match="changed after the export"):
        room.score(answers)
