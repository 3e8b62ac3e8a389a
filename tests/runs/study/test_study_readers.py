"""The ways in which answers come back, damaged and hostile ones too."""

import csv
import io
import json
import re
import zipfile
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from raster import InputError
from runs.study import readers
from runs.study.files import unguarded
from runs.study.readers import sittings
from tests.runs.study.rooms import Maker, checksum, right


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    maker = Maker()
    for number in range(6):
        maker.add("pick", number % 4, number % 2)
    maker.add("catch", 1)
    return maker.room(tmp_path_factory.mktemp("room"))


def people(found):
    return found.everyone.participants


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_jatos_text_holds_a_sitting_a_line_or_over_lines(room, tmp_path):
    a, b = room.rows("a", right), room.rows("b", right)
    (tmp_path / "jatos_results.txt").write_text(json.dumps(a) + "\r\n" + json.dumps(b, indent=1) + "\n\n")
    assert people(room.score(tmp_path / "jatos_results.txt")) == 2


def test_jatos_zips_are_read_and_nothing_is_unpacked(room, tmp_path):
    files = {
        "study_result_1/comp-result_1/data.txt": json.dumps(room.rows("a", right)),
        "study_result_2/comp-result_2/data.txt": json.dumps(room.rows("b", right)),
        "../../../escaped.txt": json.dumps(room.rows("c", right)),
        "study_result_1/metadata.json": '{"data": []}',
        "study_result_1/comp-result_1/files/photo.png": b"\x89PNG",
    }
    before = sorted(tmp_path.parent.rglob("escaped*"))
    for name in ("results.zip", "results.jrzip", "results"):
        assert people(room.score(zipped(tmp_path / name, files))) == 3
    assert sorted(tmp_path.parent.rglob("escaped*")) == before


def test_folders_are_read_as_servers_and_datapipe_leave_them(room, tmp_path):
    folder = tmp_path / "osf"
    (folder / "more").mkdir(parents=True)
    for number, name in enumerate(("x1.json", "more/x2.json", ".draft.json")):
        (folder / name).write_text(json.dumps(room.rows(f"p{number}", right)))
    (folder / "notes.md").write_text("mine")
    found = room.score(folder)
    assert people(found) == 2
    assert found.refused == ()
    (tmp_path / "empty").mkdir()
    assert "folder without answers" in room.score(folder, tmp_path / "empty").refused[0].why


def test_a_damaged_sitting_costs_only_itself(room, tmp_path):
    a, b, c = (json.dumps(room.rows(name, right)) for name in "abc")
    (tmp_path / "mixed.txt").write_text(a + "\n" + b[:-30] + "\n" + c + "\n")
    found = room.score(tmp_path / "mixed.txt")
    assert people(found) == 2
    assert [each.why for each in found.refused] == ["cut off or damaged: it is not whole JSON"]


BOMB = "[" + " " * (1 << 20)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path, room: path.write_bytes(zipped(path, {"a.txt": "[]"}).read_bytes()[:-9]), "not a whole zip"),
        (lambda path, room: zipped(path, {"photo.png": b"x"}), "zip without answers"),
        (lambda path, room: path.write_text("rt,response,kind\n1,2,pick\n"), "looks like a CSV"),
        (lambda path, room: path.write_text(json.dumps(room.rows("z", right)[:4])), "row is missing after 3 answers"),
        (lambda path, room: path.write_text("null"), "JSON array"),
        (lambda path, room: path.write_text("17"), "JSON array"),
        (lambda path, room: path.write_text(""), "nothing in it"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(room, tmp_path, make, why):
    path = tmp_path / "file.zip" if "zip" in why or "whole" in why else tmp_path / "file.txt"
    make(path, room)
    (tmp_path / "good.json").write_text(json.dumps(room.rows("good", right)))
    found = room.score(path, tmp_path / "good.json")
    assert people(found) == 1
    assert re.search(why, found.refused[0].why), found.refused


def test_files_are_read_up_to_a_bound(room, tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "LARGEST", 100_000)
    monkeypatch.setattr(readers, "LARGEST_ZIP", 300_000)
    (tmp_path / "large.json").write_text(" " * 100_001)
    zipped(tmp_path / "one.zip", {"a.txt": BOMB[:150_000]})
    zipped(tmp_path / "bomb.zip", {f"{i}.txt": BOMB[:90_000] for i in range(5)})
    found, refused = sittings([tmp_path / name for name in ("large.json", "one.zip", "bomb.zip", "none.json")])
    assert found == []
    whys = [each.why for each in refused]
    assert ["larger than" in whys[0], "larger than" in whys[1], "a zip of more than" in whys[2]] == [True] * 3
    assert "cannot be read" in whys[3]


def test_two_versions_of_a_study_are_told_apart(room, tmp_path):
    maker = Maker(seed=1)
    for number in range(6):
        maker.add("pick", number % 4, number % 2)
    maker.add("catch", 1)
    other = maker.room(tmp_path)
    found = room.score(other.file("new"), room.file("old"))
    assert people(found) == 1
    assert "another study, or to another export of it" in found.refused[0].why


def test_a_kind_cannot_be_changed_nor_a_name_made_too_long(tmp_path):
    maker = Maker()
    named, drawn = maker.add("name"), maker.add("draw")
    room = maker.room(tmp_path)
    honest = {named: "cat", drawn: [[[0, 0, 0]]]}
    hostile = [
        {named: "x" * 101},
        {named: ""},
        {named: 7},
        {named: ["cat"]},
        {named: {"a": 1}},
        {drawn: "cat"},
        {drawn: []},
        {drawn: [[[0, 0, 0]]] * 201},
        {drawn: [[[0, 0, 0]] * 501]},
        {drawn: [[[1e9, 0, 0]]]},
        {drawn: [[[0.5, 0, 0]]]},
        {drawn: [[[0, 0]]]},
    ]
    for number, change in enumerate(hostile):
        given = honest | change
        path = room.file("m", lambda id, target, many, given=given: given[id], name=f"m{number}.json")
        with pytest.raises(InputError, match=r"edited"):
            room.score(path)
    assert people(room.score(room.file("good", lambda id, target, many: honest[id]))) == 1


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | st.sampled_from(
    [
        "<script>window.hacked=1</script>",
        "=HYPERLINK(1)",
        "@SUM(1)",
        '"><img src=x onerror=alert(1)>',
        "</title></svg><script>",
        "{{ 7 * 7 }}",
        "\u202egnp.exe",
        "\x1b[31m",
        "a\r\nb,c;\"d\"",
        "\0",
        "$x^2$",
        "&lt;b&gt;",
        "-2+3",
        "\ufeffcat",
    ]
)  # fmt: skip


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


# No shrinking: an example takes half a second.
@settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@given(
    classes=st.lists(TEXT, min_size=3, max_size=3, unique=True),
    conditions=st.lists(TEXT, min_size=2, max_size=2, unique=True),
    names=st.lists(TEXT, min_size=3, max_size=3),
    participant=TEXT,
)
def test_hostile_words_run_nowhere_and_are_not_lost(tmp_path_factory, classes, conditions, names, participant):
    folder = tmp_path_factory.mktemp("hostile")
    maker = Maker(classes, conditions, choices=3)
    named = [maker.add("name", number, number % 2) for number in range(3)]
    for kind in ("pick", "class", "rate", "compare", "draw"):
        maker.add(kind, 0, 0)
        maker.add(kind, 1, 1)
    room = maker.room(folder)
    given_names = dict(zip(named, names, strict=True))

    def chosen(id, target, many):
        if id in given_names:
            return given_names[id]
        return [[[0, 0, 0], [9, 9, 9]]] if room.data["trials"][id]["kind"] == "draw" else right(id, target, many)

    rows = room.rows(participant, chosen)
    rows[-1]["checksum"] = checksum(rows)
    (folder / "a.json").write_text(json.dumps(rows))
    found = room.score(folder / "a.json")
    out = folder / "study-scores"

    tags = Tags()
    report = (out / "report.html").read_text()
    tags.feed(report)
    assert not {"script", "iframe", "object", "b-x"} & tags.tags
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert "default-src 'none'" in report
    assert "49" not in [each.strip() for each in re.findall(r">([^<]*)<", report) if "{{ 7 * 7 }}" in names]

    for name in ("responses.csv", "sketches.csv", "names.csv"):
        text = (out / name).read_bytes().decode()
        for row in csv.reader(io.StringIO(text, newline="")):
            for cell in row:
                assert not re.match(r"[=+\-@\t\r\n]", cell) or re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell)
    with (out / "responses.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    written = [unguarded(row["answer"]) for row in table if row["kind"] == "name"]
    assert written == [name.replace("\0", "\N{REPLACEMENT CHARACTER}") for name in names], (
        "nothing that was said is lost"
    )
    assert found.drawings == 2
    assert "\x1b" not in room.printed
    assert len(participant) < 12 or participant not in report


def test_names_with_halves_of_signs_are_written(tmp_path):
    maker = Maker()
    id = maker.add("name")
    room = maker.room(tmp_path)
    found = room.score(room.file("\ud800", name="half.json", chosen=lambda *_: "cat\ud800" if _[0] == id else 0))
    assert people(found) == 1
    assert room.table("responses.csv")[0]["answer"] == "cat?"
    assert "cat" in (tmp_path / "study-scores" / "report.html").read_text()
