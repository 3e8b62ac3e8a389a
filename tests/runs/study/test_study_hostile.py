"""Whatever classes, runs, titles and questions are called: it comes through as it was, and starts nothing."""

import csv
import html
import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from runs.study.config import SCORED
from runs.study.key import read_key
from runs.study.results import read_study

# Half of a surrogate pair has no UTF-8 form, and the tables put a mark in its place; so it is for NUL.
NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
HOSTILE = st.sampled_from(
    ["</script><script>alert(1)</script>", "=cmd|'/c calc'!A1", "\u202e\u2028{{7*7}}", "a" * 3000]
)
NAMES = st.lists(st.one_of(NAME, HOSTILE), min_size=10, max_size=10, unique=True)
PARTS = [{"kind": kind, "trials": 1} for kind in ("name", "pick", "class", "rate", "draw")]
PARTS += [{"kind": "compare", "trials": 1, "asks": "shows", "against": "other"}]


@settings(max_examples=25)
@given(NAMES, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), NAME)
def test_any_names_come_through_folder_and_key_as_they_were(worlds, tmp_path_factory, names, words, run):
    world = worlds(classes=tuple(names), size=8, strokes=1)
    folder = tmp_path_factory.mktemp("hostile")
    parts = [{**PARTS[0], "question": words}, *PARTS[1:]]
    made = world.export(folder / "study", design={"parts": parts, "title": words}, runs=[run], consent="Consent.")
    study = read_study(made.path)
    assert (study["title"], study["parts"][0]["question"]) == (words, words)
    script = (made.path / "study.js").read_text(encoding="ascii")
    assert json.loads(script.removeprefix("window.STUDY = ").rstrip().removesuffix(";")) == study
    key = read_key(made.key, study)
    assert {row.kind for row in key.values()} == {*SCORED, "catch"}
    for id, row in key.items():
        assert row.target_class in names
        assert row.name in world.names
        assert row.kind == "catch" or row.run == run
        if row.kind == "class":
            assert tuple(study["trials"][id]["choices"]) == row.names
    page = (made.path / "index.html").read_text(encoding="utf-8")
    tags = re.findall(r"<(\w+)", page)
    assert tags.count("script") == 4 + 7  # jsPsych's and our own, by their files
    (title,) = re.findall(r"<title>(.*?)</title>", page, re.DOTALL)
    assert html.unescape(title).split() == html.unescape(html.escape(words)).split()


@given(st.lists(st.one_of(NAME, HOSTILE), min_size=10, max_size=10, unique=True))
@settings(max_examples=10)
def test_no_cell_of_the_trial_table_starts_a_formula(worlds, tmp_path_factory, names):
    world = worlds(classes=tuple(names), size=8, strokes=1)
    folder = tmp_path_factory.mktemp("hostile")
    made = world.export(folder / "study", design={"parts": PARTS})
    for table in (made.path / "trials.csv", made.key):
        with table.open(encoding="utf-8", newline="") as file:
            csv.field_size_limit(2**24)
            for row in csv.reader(file):
                cells = [cell for cell in row if not re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", cell)]
                assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\n＝＋－＠")]
