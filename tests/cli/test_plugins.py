"""Plugins: only the command line names them, and a bias of one's own is as good as a shipped one."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from raster.errors import InputError
from runs.cli import app
from runs.plugins import import_plugins, plugins

ROOT = Path(__file__).resolve().parents[2]
GOOD = '''"""A bias of one's own."""

from agents import Bias, bias


@bias("upright")
class Upright(Bias):
    """Strokes lean towards the vertical."""

    def cost(self, play):
        ends = play.strokes.points
        along = ends[..., 1, :] - ends[..., 0, :]
        return along[..., 0].square().mean(-1)
'''
BAD = GOOD.replace(".mean(-1)", ".mean()")
BARE = GOOD.replace('@bias("upright")\n', "")  # registers nothing in this process

_numbers = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Write a module into the current folder; gives its name, new each time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    written = []

    def write(text: str) -> str:
        name = f"plugin_of_test_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(text)
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lascaux(warm: Path, tmp_path: Path) -> Command:
    """The command in a folder of its own."""

    def start(*words: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        command = [str(warm / "lascaux"), *words]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)

    return start


def test_a_plugin_of_the_current_folder_gives_yaml_its_word(lascaux: Command, module: Callable[[str], str]) -> None:
    name = module(GOOD)
    words = ["config", "show", "tiny", "--set", "biases=[{kind: upright, weight: 0.5}]"]
    done = lascaux(*words, "--plugin", name)
    assert done.returncode == 0, done.stderr
    assert "- kind: upright\n    weight: 0.5\n" in done.stdout
    group = "community.groups=[{senders: 1, receivers: 1, biases: [{kind: upright}]}]"
    assert lascaux("config", "show", "tiny", "--set", group, "--plugin", name).returncode == 0
    without = lascaux(*words)
    assert without.returncode == 2
    assert "got 'upright'" in without.stderr
    assert "--plugin MODULE" in without.stderr


def test_check_bias_passes_a_good_one_and_fails_a_bad_one(lascaux: Command, module: Callable[[str], str]) -> None:
    done = lascaux("check-bias", f"{module(GOOD)}:Upright")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    done = lascaux("check-bias", f"{module(BAD)}:Upright")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL  cost is one finite number a game" in done.stdout


def test_check_bias_offers_the_nearest_name(module: Callable[[str], str]) -> None:
    name = module(BARE)
    wrong = {
        f"{name}:Uprihgt": f"no bias 'Uprihgt' in this module ({name}): did you mean 'Upright'?",
        f"{name}:bias": f"no bias 'bias' in this module ({name}): it has Upright",
        "os:path": "no bias 'path' in this module (os): it has no subclass of agents.Bias",
        name: f"'{name}' does not name a bias: say module:Name, such as mybias:Upright",
        ":X": "':X' does not name a bias: say module:Name, such as mybias:Upright",
    }
    for words, line in wrong.items():
        result = CliRunner().invoke(app, ["check-bias", words])
        assert (result.exit_code, result.stderr) == (2, f"{line}\n")


def test_imported_plugins_are_known_by_name_and_file(tmp_path: Path, module: Callable[[str], str]) -> None:
    name = module("")
    import_plugins([name, name])
    assert plugins()[name] == str(tmp_path / f"{name}.py")


def test_the_current_folder_cannot_stand_in_for_an_installed_module(
    tmp_path: Path, module: Callable[[str], str]
) -> None:
    module("")
    (tmp_path / "pydantic.py").write_text("raise RuntimeError('taken')\n")
    import_plugins(["pydantic"])
    assert sys.path[-1] == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module_at_all", r"it needs 'no_such_module_at_all' \(--plugin NAME\): install that first"),
        ("x = 1\nraise KeyError('oops')", r"the plugin NAME fails: KeyError: 'oops' \(.*NAME.py:2\): --debug shows"),
        ("x = (", r"the plugin NAME fails: SyntaxError: .* \(.*NAME.py:1\)"),
        ("import sys; sys.exit(3)", r"the plugin NAME fails: SystemExit: 3"),
        ("from raster import InputError\nraise InputError('mine')", r"^mine$"),
    ],
)
def test_a_plugin_that_fails_is_told_in_a_line(module: Callable[[str], str], text: str, message: str) -> None:
    name = module(text)
    with pytest.raises(InputError, match=message.replace("NAME", name)):
        import_plugins([name])
    assert name not in plugins()


@pytest.mark.parametrize("name", ["no_such_plugin", "no.such.plugin", "mine.py", "a/b", "", "a b", "../x"])
def test_a_plugin_that_is_not_there_is_told_in_a_line(module: Callable[[str], str], name: str) -> None:
    module("")
    with pytest.raises(InputError) as caught:
        import_plugins([name])
    assert "--plugin" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_config_file_imports_no_code(tmp_path: Path, module: Callable[[str], str]) -> None:
    name = module("raise RuntimeError('imported')")
    config = tmp_path / "x.yaml"
    texts: list[Any] = [
        f"plugin: {name}",
        f"plugins: [{name}]",
        f"biases: [{{kind: '{name}:X'}}]",
        f"a: !!python/module:{name}",
    ]
    for text in texts:
        config.write_text(f"base: tiny\n{text}\n")
        result = CliRunner().invoke(app, ["config", "show", "x.yaml"])
        assert result.exit_code == 2
        assert name not in sys.modules
        assert "RuntimeError" not in result.output
