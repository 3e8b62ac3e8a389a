"""docs/config.md: its files load, its commands print what it says, its table is the schema's."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runs.cli import app
from runs.cli._reference import refreshed
from runs.config import Config

PAGE = Path(__file__).resolve().parents[2] / "docs" / "config.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's own files, in the current folder."""
    monkeypatch.chdir(tmp_path)
    found = re.findall(r"^```yaml\n(# (\S+)\n.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert found
    for text, name in found:
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("block", re.findall(r"^```console\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
def test_a_command_of_the_page_prints_what_the_page_says(files: Path, block: str) -> None:
    command, *expected = block.rstrip("\n").split("\n")
    program, *words = shlex.split(command.removeprefix("$ "))
    assert program == "lascaux"
    got = CliRunner().invoke(app, words).output.rstrip("\n").split("\n")
    if expected[-1] == "...":
        expected.pop()
        got = got[: len(expected)]
    assert got == expected


def test_the_first_file_of_the_page_loads(files: Path) -> None:
    assert CliRunner().invoke(app, ["config", "show", "mine.yaml"]).exit_code == 0


def test_the_python_of_the_page_runs(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    exec(compile(code, str(PAGE), "exec"), {})
    last = capsys.readouterr().out.rstrip("\n").split("\n")[-1]
    assert f"# {last}" in code


def test_the_table_of_the_page_is_the_schemas() -> None:
    fresh = refreshed(TEXT, Config.model_json_schema(), str(PAGE))
    assert fresh == TEXT, "write it anew: lascaux config schema --update docs/config.md"
