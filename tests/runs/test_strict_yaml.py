"""The strict YAML loader: every trap shut, every error with its file and line, everything written reads back."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from raster.errors import InputError
from runs.strict_yaml import Place, parse_yaml, read_yaml, to_yaml


def value_of(text: str) -> Any:
    return parse_yaml(f"key: {text}", "x.yaml").plain()["key"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1e-4", 1e-4),
        ("1E3", 1000.0),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("007.5", 7.5),
        ("-.inf", -math.inf),
        ("12", 12),
        ("+3", 3),
        ("-0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_numbers_truth_and_null_are_read_as_yaml_1_2_does(text: str, meant: Any) -> None:
    assert value_of(text) == meant
    assert type(value_of(text)) is type(meant)


@pytest.mark.parametrize(
    "text",
    [
        "on",
        "off",
        "yes",
        "no",
        "y",
        "n",
        "On",
        "NO",
        "1_000",
        "1:30",
        "2026-11-24",
        "0b101",
        "1e",
        "e5",
        ".",
        "tRUE",
        "=",
        "nan",
    ],
)
def test_what_yaml_1_1_guesses_about_stays_a_word(text: str) -> None:
    assert value_of(text) == text


def test_nan_is_a_number() -> None:
    assert math.isnan(value_of(".nan"))


def test_quotes_make_a_word() -> None:
    assert value_of("'1e-4'") == "1e-4"
    assert value_of('"true"') == "true"


@pytest.mark.parametrize("text", ["012", "-07", "00", "08", "+0123"])
def test_a_number_with_leading_zeros_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"\(x.yaml:1\): write .* for the number, '.*' for the word"):
        value_of(text)


def test_keys_are_words_as_written() -> None:
    assert parse_yaml("on: 1\n3: 2\n1e-4: 3\n012: 4\nnull: 5", "x").plain() == {
        "on": 1, "3": 2, "1e-4": 3, "012": 4, "null": 5
    }  # fmt: skip


def test_a_key_given_twice_is_refused_with_both_lines() -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml("seed: 1\nname: a\nseed: 2\n", "x.yaml")
    assert str(caught.value) == "the key 'seed' stands twice, first on line 1 (x.yaml:3): keep one of them"


def test_a_key_given_twice_deep_inside_is_refused() -> None:
    with pytest.raises(InputError, match=r"'b' stands twice, first on line 2 \(x.yaml:2\)"):
        parse_yaml("a:\n  - {b: 1, b: 1}\n", "x.yaml")


def test_every_value_knows_its_line() -> None:
    places = parse_yaml("a: 1\nb:\n  c:\n    5\n  d: [1,\n    2]\n", "x.yaml").places()
    lines = {steps: place.line for steps, place in places.items()}
    assert lines == {(): 1, ("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "d"): 5, ("b", "d", 0): 5, ("b", "d", 1): 6}
    assert str(places["b", "c"]) == "x.yaml:3"


def test_an_alias_stands_where_its_values_were_written() -> None:
    tree = parse_yaml("a: &here\n  b: 1\nc: *here\n", "x.yaml")
    assert tree.plain() == {"a": {"b": 1}, "c": {"b": 1}}
    assert tree.places()["c", "b"] == Place("x.yaml", 2)


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.getcwd []",
        "a: !!python/name:os.system",
        "a: !mine 1",
        "a: !mine {}",
        "a: !!binary aGk=",
        "a: !!set {b}",
        "a: !!timestamp 2026-11-24",
        "a: !!int word",
        "a: !!bool on",
    ],
)
def test_tags_make_no_objects(text: str) -> None:
    with pytest.raises(InputError, match=r"the tag .* is not read \(x.yaml:1\)"):
        parse_yaml(text, "x.yaml")


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\n\tb: 2", 2, "indent with spaces"),
        ("a: [1, 2\nb: 3", 2, "check brackets"),
        ("a: b: c", 1, "colon"),
        ("a: 'open", 1, "quotes"),
        ("a: *nobody", 1, "undefined alias"),
        ("a: 1\n---\nb: 1", 2, "one document"),
        ("a: 1\nb: \x07", 2, "not allowed"),
        ("? [1, 2]\n: 3", 1, "a key must be a word"),
        ("<<: {a: 1}", 1, "merge keys"),
        ("a: &a [*a]", 1, "contains itself"),
        ("a: 1e999", 1, "too large"),
        ('a:\n  "\\ud800"', 2, "half a character"),
        ('"\\udfff": 1', 1, "half a character"),
        ("a: " + "9" * 5000, 1, "too large"),
    ],
)
def test_damaged_yaml_is_one_line_with_file_and_line(text: str, line: int, part: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "x.yaml")
    message = str(caught.value)
    assert f"(x.yaml:{line})" in message
    assert part in message
    assert "\n" not in message


def test_multiplying_aliases_are_refused() -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9))
    with pytest.raises(InputError, match="more than 20,000 values"):
        parse_yaml(laughs, "x.yaml")


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000])
def test_bottomless_nesting_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="more than 64 levels"):
        parse_yaml(text, "x.yaml")


def test_an_endless_or_huge_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="larger than 1,000,000 bytes"):
        read_yaml(Path("/dev/zero"))
    path = tmp_path / "huge.yaml"
    path.write_text("# " + "x" * 1_000_001)
    with pytest.raises(InputError, match=r"huge\.yaml"):
        read_yaml(path)


def test_a_file_that_is_not_text_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\nb: \xff\xfe\n")
    with pytest.raises(InputError, match=r"not UTF-8 text \(.*x.yaml:2\)"):
        read_yaml(path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(path).plain() == {"a": 1}


@pytest.mark.parametrize("name", ["missing.yaml", ".", "nul\0.yaml", "x" * 300])
def test_a_path_that_is_no_file_is_an_input_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        read_yaml(tmp_path / name)


words = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["on", "off", "yes", "no", "null", "~", "", "1e-4", "012", "1_000", "0x1F", "0o7", "2026-11-24", "1:30", ".inf",
     "<<", "=", "true", "- a", "a: b", "#c", " a ", "a\nb", "\t", "!x", "&x", "*x", "%x", "@x", "`x",
     "\u2028", "\x85", "\ufeff", "\U0001f600"]
)  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=20
)


@given(trees)
@example({"lr": 1e-4, "tiny": 5e-324, "word": "on", "date": "2026-11-24", "many": [[], {}, [""]]})
def test_what_is_written_reads_back_equal(tree: Any) -> None:
    again = parse_yaml(to_yaml(tree), "x.yaml").plain()
    assert again == tree
    assert repr(again) == repr(tree)  # 1, 1.0 and True are equal to each other, but not the same


@given(st.dictionaries(words, scalars, max_size=4))
def test_what_is_written_reads_back_equal_by_a_yaml_1_1_reader_too(tree: dict[str, Any]) -> None:
    assert yaml.safe_load(to_yaml(tree)) == tree


@given(st.text(st.sampled_from("ab:-?[]{},#&*!|>'\"%@` \n\t0123456789.e~<="), max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    refusal = "x.yaml:1"
    try:
        tree = parse_yaml(text, "x.yaml")
    except InputError as error:
        refusal = str(error)
    else:
        assert repr(parse_yaml(to_yaml(tree.plain()), "y").plain()) == repr(tree.plain())
    assert "x.yaml:" in refusal
    assert "\n" not in refusal
