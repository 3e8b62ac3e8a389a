"""docs/biases: a page for every shipped bias, with all its keys and their defaults, and examples that load."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import agents.biases
from agents import Bias
from runs.config import Config
from runs.loading import load

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHIPPED: list[type[Bias]] = [getattr(agents.biases, name) for name in agents.biases.__all__]


def text(kind: type[Bias]) -> str:
    return (DOCS / "biases" / f"{kind.name}.md").read_text(encoding="utf-8")


def test_every_bias_has_a_page_and_no_page_is_left_over() -> None:
    assert {path.stem for path in (DOCS / "biases").glob("*.md")} == {kind.name for kind in SHIPPED}
    listed = re.findall(r"^\| \[`([\w-]+)`\]\(biases/([\w-]+)\.md\)", (DOCS / "biases.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted((kind.name, kind.name) for kind in SHIPPED)


@pytest.mark.parametrize("kind", SHIPPED, ids=lambda kind: kind.name)
def test_a_page_names_all_keys_of_its_bias_with_their_defaults(kind: type[Bias]) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| .* \|$", text(kind).split("## Keys")[1], re.MULTILINE)
    fields = {name: field for name, field in kind.model_fields.items() if name not in ("kind", "weight")}
    assert [name for name, _ in rows] == list(fields)
    for name, shown in rows:
        if not re.fullmatch(r"`.*`", shown):
            assert fields[name].default is None  # told in words
            continue
        value: Any = yaml.safe_load(shown.strip("`"))
        assert getattr(kind.model_validate({name: value}), name) == fields[name].default, name


@pytest.mark.parametrize("kind", SHIPPED, ids=lambda kind: kind.name)
def test_the_example_of_a_page_loads_and_uses_the_bias(kind: type[Bias], tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", text(kind), re.DOTALL | re.MULTILINE)
    (tmp_path / "x.yaml").write_text(f"base: tiny\n{example}", encoding="utf-8")
    config = load(Config, tmp_path / "x.yaml").config
    assert kind in {type(each) for each in config.biases}


@pytest.mark.parametrize("kind", SHIPPED, ids=lambda kind: kind.name)
def test_a_page_says_what_its_bias_does_and_by_which_formula(kind: type[Bias]) -> None:
    page = text(kind)
    assert page.startswith(f"# `{kind.name}`\n")
    assert re.search(r"^## (Formula|What it moves|What is seen)$", page, re.MULTILINE)
