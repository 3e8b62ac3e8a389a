"""docs/draw.md: its table is the schema's, its presets are those that ship, its pictures are there."""

import re
from pathlib import Path

from runs.cli._reference import reference
from runs.draw import DrawConfig
from runs.loading import preset_names

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "draw.md").read_text(encoding="utf-8")


def rows(table: str) -> list[tuple[str, str]]:
    """Key and meaning of each row."""
    return re.findall(r"^\| `(\w+)` \| (?:.* \| )?(.*?) \|$", table, re.MULTILINE)


def test_the_table_of_the_page_is_the_schemas() -> None:
    fresh = reference(DrawConfig.model_json_schema()).split("\n### ")[0]
    assert rows(TEXT.split("## Keys")[1]) == rows(fresh)


def test_the_page_names_all_presets_of_single_pictures() -> None:
    named = re.findall(r"^\| `(draw[\w/-]*)` \|", TEXT, re.MULTILINE)
    assert sorted(named) == [name for name in preset_names() if name.split("/")[0] == "draw"]


def test_the_pictures_of_the_page_are_there() -> None:
    shown = re.findall(r"!\[.*?\]\((.*?)\)", TEXT)
    assert shown
    for name in shown:
        assert (DOCS / name).is_file(), name
