"""From file, base and --set to a checked config: what merges, what is refused, in which words."""

import math
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

import runs._layers as layers
from raster import Schedule
from raster.errors import InputError
from runs.loading import diff, dump, find_preset, load, preset_names


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Line(Strict):
    kind: Literal["line"] = "line"
    count: int = Field(20, ge=1)
    deep: dict[int, float] = {}


class Curve(Strict):
    kind: Literal["curve"] = "curve"
    points: int = 4
    line: str = "solid"


Strokes = Annotated[Line | Curve, Field(discriminator="kind")]


class Pair(Strict):
    kind: Literal["pair"] = "pair"
    of: tuple[Strokes, ...] = Field((Line(),), min_length=1, max_length=3)


class Ramp(Strict):
    from_: float = Field(alias="from")
    to: float


class Toy(Strict):
    name: str = "toy"
    mode: Literal["same", "class", "artist"] = "same"
    flag: bool = False
    lr: float = Field(1e-3, gt=0, allow_inf_nan=False)
    rate: float | Ramp = 1.0
    slow: Schedule = Schedule.of(1.0)
    path: Path | None = None
    strokes: Annotated[Line | Curve | Pair, Field(discriminator="kind")] = Line()
    biases: tuple[Strokes, ...] = ()
    levels: tuple[int, ...] = (0, 1)

    @model_validator(mode="after")
    def _no_toy_called_bad(self) -> "Toy":
        if self.name == "bad":
            raise InputError("a toy must not be bad", None, "take another name")
        return self


class Needy(Strict):
    must: int
    inner: Line


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def to(text: str, name: str = "x.yaml") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name

    return to


@pytest.fixture
def presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "presets"
    (folder / "papers").mkdir(parents=True)
    (folder / "demo.yaml").write_text("name: demo\nlr: 0.5\nstrokes: {kind: line, count: 7}\n")
    (folder / "papers" / "first.yaml").write_text("base: demo\nname: first\n")
    monkeypatch.setattr(layers, "PRESETS", folder)
    return folder


def lines_of(source: str, *sets: str, model: type[BaseModel] = Toy) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(model, source, sets)
    return str(caught.value).split("\n")


# What is read


def test_an_empty_file_is_the_default(write: Any) -> None:
    assert load(Toy, write("")).config == Toy()
    assert load(Toy, write("# nothing\n---\n")).config == Toy()


def test_a_value_keeps_its_file_and_line(write: Any) -> None:
    loaded = load(Toy, write("name: a\nstrokes:\n  count: 3\n"), ["lr=1e-4"])
    assert str(loaded.places["strokes", "count"]) == "x.yaml:3"
    assert str(loaded.places["lr",]) == "--set lr=1e-4"
    assert loaded.config.lr == 1e-4


def test_1e3_is_a_whole_number_where_one_is_asked(write: Any) -> None:
    strokes = load(Toy, write("strokes: {kind: line, count: 1e3}")).config.strokes
    assert strokes == Line(count=1000)


def test_a_mapping_without_kind_is_of_the_default_kind(write: Any) -> None:
    assert load(Toy, write(""), ["strokes.count=3"]).config.strokes == Line(count=3)


# --set


def test_set_changes_adds_and_creates(write: Any) -> None:
    source = write("biases:\n  - {kind: line, count: 2}\n")
    sets = ["biases.0.count=3", "biases.1.kind=curve", "biases.1.points=5", "rate.from=1", "rate.to=2", "path=a/b"]
    config = load(Toy, source, sets).config
    assert config.biases == (Line(count=3), Curve(points=5))
    assert config.rate == Ramp(**{"from": 1, "to": 2})
    assert config.path == Path("a/b")


def test_a_set_value_goes_through_the_same_loader(write: Any) -> None:
    config = load(Toy, write(""), ["name=on", "lr=1e-4", "levels=[3, 4]", "flag=true"]).config
    assert (config.name, config.lr, config.levels, config.flag) == ("on", 1e-4, (3, 4), True)
    assert load(Toy, write(""), ["name=a=b"]).config.name == "a=b"
    assert lines_of(write(""), "strokes.count=012") == [
        "012 is 12 to some and 10 to others (--set strokes.count=012): write 12 for the number, '012' for the word"
    ]


def test_the_last_set_of_a_key_counts(write: Any) -> None:
    assert load(Toy, write("lr: 1"), ["lr=2", "lr=3"]).config.lr == 3


@pytest.mark.parametrize("order", [1, -1])
def test_a_set_of_another_kind_drops_the_old_kinds_keys_in_any_order(write: Any, order: int) -> None:
    sets = ["strokes.kind=curve", "strokes.points=9"][::order]
    assert load(Toy, write("strokes: {kind: line, count: 3}"), sets).config.strokes == Curve(points=9)


def test_a_set_mapping_replaces_the_whole_and_later_sets_change_it(write: Any) -> None:
    source = write("strokes: {kind: line, count: 3, deep: {1: 2}}")
    config = load(Toy, source, ["strokes={kind: line, count: 4}", "strokes.deep.2=0.5"]).config
    assert config.strokes == Line(count=4, deep={2: 0.5})


def test_a_set_list_can_be_changed_by_a_later_set(write: Any) -> None:
    config = load(Toy, write(""), ["biases=[{kind: line}]", "biases.0.count=9", "biases.1.kind=curve"]).config
    assert config.biases == (Line(count=9), Curve())


@pytest.mark.parametrize("word", ["lr", "=3", "a..b=1", ".=1", "", "strokes.count = [1"])
def test_a_set_that_cannot_be_read_is_named(write: Any, word: str) -> None:
    (line,) = lines_of(write(""), word)
    assert f"--set {word}" in line


def test_odd_words_in_keys_and_sets_stay_on_one_line(write: Any) -> None:
    source = write('"a\\nb\\e[31m": 1')
    lines: list[str] = []
    for sets in (["na\nme=3"], ["a" * 5000 + "=1"], [".".join("a" * 5000) + "=1"], ["lr=\x1b[31m"], ["lr='\n\n'"]):
        lines += lines_of(source, *sets)
    assert lines
    assert all(line.isprintable() and len(line) < 6000 for line in lines)
    assert "'a\\nb\\x1b[31m': no such key (x.yaml:1)" in "\n".join(lines)


def test_a_set_beside_a_list_says_which_entries_there_are(write: Any) -> None:
    source = write("biases: [{kind: line}]")
    assert lines_of(source, "biases.4.count=1", "biases.count=2", "biases.-1.count=2") == [
        "'4' names no entry of this list (--set biases.4.count=1): it has 0 to 0, and 1 adds one",
        "'-1' names no entry of this list (--set biases.-1.count=2): it has 0 to 0, and 1 adds one",
        "'count' names no entry of this list (--set biases.count=2): it has 0 to 0, and 1 adds one",
    ]


def test_an_unknown_set_key_is_refused(write: Any) -> None:
    assert lines_of(write(""), "strokes.cuont=3", "nmae=x") == [
        "strokes.cuont: no such key (--set strokes.cuont=3): did you mean 'count'?",
        "nmae: no such key (--set nmae=x): did you mean 'name'?",
    ]


# base


def test_a_preset_with_a_base_is_found_by_name_and_folder(presets: Path) -> None:
    assert preset_names() == ["demo", "papers/first"]
    config = load(Toy, "papers/first").config
    assert (config.name, config.lr) == ("first", 0.5)


def test_a_file_may_start_from_a_preset_and_from_a_file_beside_it(presets: Path, write: Any) -> None:
    write("base: demo\nstrokes: {count: 8}\n", "sub/parent.yaml")
    loaded = load(Toy, write("base: ../sub/parent.yaml\nlr: 0.25\n", "other/x.yaml"))
    assert loaded.config == Toy(name="demo", lr=0.25, strokes=Line(count=8))
    places = {".".join(map(str, steps)): str(place) for steps, place in loaded.places.items()}
    assert places["name"] == "preset demo:1"
    assert places["strokes.count"] == "other/../sub/parent.yaml:2"


def test_a_base_list_is_replaced_and_another_kind_starts_afresh(write: Any) -> None:
    write("levels: [1, 2, 3]\nstrokes: {kind: line, count: 3}\n", "base.yaml")
    config = load(Toy, write("base: base.yaml\nlevels: [4]\nstrokes: {kind: curve}\n")).config
    assert (config.levels, config.strokes) == ((4,), Curve())


def test_an_error_in_a_base_points_into_the_base(write: Any) -> None:
    write("name: a\nlr: -1\n", "base.yaml")
    assert lines_of(write("base: base.yaml\n")) == ["lr: expected a number above 0, got -1 (base.yaml:2)"]


def test_bases_that_go_in_a_circle_are_refused(write: Any) -> None:
    write("base: x.yaml\n", "y.yaml")
    assert lines_of(write("name: a\nbase: y.yaml\n")) == [
        "base: goes round in a circle, x.yaml -> y.yaml -> x.yaml (y.yaml:1): take one base away"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: dmeo", "base: no such preset 'dmeo' (x.yaml:1): did you mean 'demo'?"),
        ("base: gone.yaml", "base: no such file 'gone.yaml' (x.yaml:1): paths count from the file's folder"),
        ("base: [demo]", "base: expected the name of a preset or of a .yaml file (x.yaml:1)"),
        ("base: 3", "base: expected the name of a preset or of a .yaml file (x.yaml:1)"),
    ],
)
def test_a_base_that_is_not_there_is_refused_with_its_line(presets: Path, write: Any, text: str, message: str) -> None:
    assert lines_of(write(text)) == [message]


# Sources that are not there


def test_a_preset_that_is_not_there_offers_the_nearest(presets: Path, write: Any) -> None:
    assert lines_of("demmo") == ["no such preset 'demmo': did you mean 'demo'?"]
    assert lines_of("zzz") == ["no such preset 'zzz': there are demo, papers/first"]
    assert lines_of("../demo") == ["no such preset '../demo': did you mean 'demo'?"]
    write("", "mine.yaml")
    assert lines_of("mine") == ["no such preset 'mine': did you mean the file mine.yaml?"]
    write("", "plain")
    assert lines_of("plain") == ["no such preset 'plain': the name of a config file ends in .yaml"]


def test_a_file_that_is_not_there_offers_the_nearest(presets: Path, write: Any) -> None:
    write("", "sketch.yaml")
    assert lines_of("gone/sketch.yaml") == ["no such file (gone/sketch.yaml)"]
    assert lines_of("skecth.yaml") == ["no such file (skecth.yaml): did you mean 'sketch.yaml'?"]
    assert lines_of("demo.yaml") == ["no such file (demo.yaml): the preset is called demo, without .yaml"]
    assert lines_of("no/such/folder.yaml") == ["no such file (no/such/folder.yaml)"]


def test_a_folder_and_a_locked_file_are_refused_in_a_line(write: Any, tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    assert lines_of("folder.yaml") == ["this is a folder, not a file (folder.yaml): give the YAML file in it"]
    if os.geteuid() != 0:  # root reads everything
        (tmp_path / write("")).chmod(0)
        assert lines_of("x.yaml") == ["cannot read the file: Permission denied (x.yaml)"]


def test_a_file_that_is_a_list_is_refused(write: Any) -> None:
    (line,) = lines_of(write("- a\n- b\n"))
    assert line.startswith("a config is made of keys and values (x.yaml:1)")


def test_every_shipped_preset_is_found() -> None:
    assert preset_names()
    for name in preset_names():
        assert find_preset(name).is_file()


# What is wrong, in words


def test_every_wrong_value_is_told_at_once(write: Any) -> None:
    source = write(
        "nmae: x\nmode: clas\nflag: on\nlr: 1_000\nstrokes:\n  kind: lien\nlevels: [0, one, 2.5]\n"
        "biases:\n  - kind: curve\n    pionts: 3\n  - {kind: line, count: 0}\n"
    )
    assert sorted(lines_of(source, "path=3")) == [
        "biases.0.pionts: no such key (x.yaml:10): did you mean 'points'?",
        "biases.1.count: expected a number of 1 or more, got 0 (x.yaml:11)",
        "flag: expected true or false, got 'on' (x.yaml:3): write true",
        "levels.1: expected a whole number, got 'one' (x.yaml:7)",
        "levels.2: expected a whole number, got 2.5 (x.yaml:7)",
        "lr: expected a number, got '1_000' (x.yaml:4): write 1000",
        "mode: expected same, class or artist, got 'clas' (x.yaml:2): did you mean 'class'?",
        "nmae: no such key (x.yaml:1): did you mean 'name'?",
        "path: expected a path, got 3 (--set path=3)",
        "strokes.kind: expected one of line, curve, pair; got 'lien' (x.yaml:6): did you mean 'line'?",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flag: 1", "flag: expected true or false, got 1 (x.yaml:1)"),
        ("flag: no", "flag: expected true or false, got 'no' (x.yaml:1): write false"),
        ("lr: true", "lr: expected a number, got true (x.yaml:1)"),
        ("lr: '1e-4'", "lr: expected a number, got '1e-4' (x.yaml:1): write 1e-4, without quotes"),
        ("lr: .nan", "lr: expected a finite number, got .nan (x.yaml:1)"),
        ("lr:", "lr: expected a number, got nothing (null) (x.yaml:1)"),
        ("lr: [1]", "lr: expected a number, got a list (x.yaml:1)"),
        ("levels: 3", "levels: expected a list, got 3 (x.yaml:1)"),
        ("strokes: line", "strokes: expected keys and values, got 'line' (x.yaml:1)"),
        ("strokes: {kind: pair, of: []}", "strokes.of: expected 1 or more entries, got an empty list (x.yaml:1)"),
        ("biases: [{count: 3}]", "biases.0.kind: this key is missing (x.yaml:1): say which: line, curve"),
        ("biases: [{kind: zigzag}]",
         ("biases.0.kind: expected one of line, curve; got 'zigzag' (x.yaml:1): "
          "a kind of your own needs --plugin MODULE")),
        ("name: 3", "name: expected a word, got 3 (x.yaml:1): in quotes it is a word: '3'"),
        ("xyz: 3",
         ("xyz: no such key (x.yaml:1): "
          "the keys here are name, mode, flag, lr, rate, slow, path, strokes, biases, levels")),
        ("name: bad", "a toy must not be bad (x.yaml:1): take another name"),
        ("slow: 1_000",
         ("slow: expected a number, or {from: number, to: number, over: steps, start: step}; "
          "got '1_000' (x.yaml:1)")),
        ("slow: {from: 1, to: 2, ovr: 3}", "slow.over: this key is missing (x.yaml:1)"),
        ("rate: x", "rate: expected a number or keys and values, got 'x' (x.yaml:1)"),
        ("rate: {from: 1, too: 2}", "rate.too: no such key (x.yaml:1): did you mean 'to'?"),
        ("rate: {from: a, to: 2}", "rate.from: expected a number, got 'a' (x.yaml:1)"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_in_plain_words(write: Any, text: str, message: str) -> None:
    assert message in lines_of(write(text))


def test_names_of_union_branches_stay_out_of_the_path(write: Any) -> None:
    # pydantic says strokes.pair.of.0.curve.line; here a key bears the name of a kind as well
    source = write("strokes: {kind: pair, of: [{kind: curve, line: 3}, {kind: line, line: 3}]}")
    assert lines_of(source) == [
        "strokes.of.0.line: expected a word, got 3 (x.yaml:1): in quotes it is a word: '3'",
        "strokes.of.1.line: no such key (x.yaml:1): the keys here are kind, count, deep",
    ]


def test_a_missing_key_is_told_where_it_should_stand(write: Any) -> None:
    assert lines_of(write("inner:\n  count: 3\n  cnt: 4\n"), model=Needy) == [
        "must: this key is missing (x.yaml:1)",
        "inner.cnt: no such key (x.yaml:3): did you mean 'count'?",
    ]


def test_a_wrong_set_and_a_wrong_file_are_told_together(write: Any) -> None:
    assert len(lines_of(write("lr: x\nbiases: []\n"), "biases.3.kind=line", "mode=x")) == 3


# Round trips

counts = st.integers(1, 10**6)
numbers = st.floats(1e-12, 1e12, exclude_min=True)
lines = st.builds(Line, count=counts, deep=st.dictionaries(st.integers(-5, 5), st.floats(allow_nan=False), max_size=3))
curves = st.builds(Curve, points=counts, line=st.sampled_from(["on", "1e-4", "null", "012", " a", "a: b", "\n", ""]))
pairs = st.builds(Pair, of=st.lists(lines | curves, min_size=1, max_size=3).map(tuple))
ramps = st.builds(lambda a, b: Ramp(**{"from": a, "to": b}), numbers, numbers)
toys = st.builds(
    Toy,
    name=st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda name: name != "bad"),
    mode=st.sampled_from(["same", "class", "artist"]),
    flag=st.booleans(),
    lr=numbers,
    rate=numbers | ramps,
    slow=st.builds(Schedule.of, numbers),
    path=st.none() | st.sampled_from([Path("a/b"), Path("on"), Path("1")]),
    strokes=lines | curves | pairs,
    biases=st.lists(lines | curves, max_size=3).map(tuple),
    levels=st.lists(st.integers(), max_size=3).map(tuple),
)


@settings(max_examples=30)
@given(toys)
def test_a_dumped_config_loads_to_an_equal_one(tmp_path_factory: pytest.TempPathFactory, toy: Toy) -> None:
    path = tmp_path_factory.getbasetemp() / "round.yaml"
    path.write_text(dump(toy), encoding="utf-8")
    loaded = load(Toy, path)
    assert loaded.config == toy
    assert diff(toy, loaded.config) == []
    path.write_text(dump(toy, loaded), encoding="utf-8")
    assert load(Toy, path).config == toy


@settings(max_examples=30)
@given(toys, toys)
def test_a_diff_is_empty_exactly_for_equal_configs(one: Toy, other: Toy) -> None:
    assert (diff(one, other) == []) == (one == other)


def test_a_dump_says_where_each_value_came_from(write: Any) -> None:
    loaded = load(Toy, write("name: a\nlevels: [1, 2]\n"), ["strokes.count=3"])
    text = dump(loaded.config, loaded).splitlines()
    assert "name: a  # x.yaml:1" in text
    assert "levels: [1, 2]  # x.yaml:2" in text
    assert "  count: 3  # --set strokes.count=3" in text
    assert "lr: 0.001  # default" in text


def test_a_diff_names_the_keys() -> None:
    one = Toy(strokes=Line(count=3), biases=(Line(),), lr=math.pi)
    other = Toy(strokes=Line(count=4), biases=(Line(), Curve()), lr=math.pi)
    assert diff(one, other) == [
        "strokes.count: 3 -> 4",
        "biases.1.kind: (not there) -> curve",
        "biases.1.points: (not there) -> 4",
        "biases.1.line: (not there) -> solid",
    ]
