"""The tutorial of docs/biases.md as a package of its own: installed, found by its entry point, told when it fails."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.bias import _BIASES, GROUP, biases
from agents.entry_points import origins
from raster import InputError
from runs.folder import lines, read_json

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "biases.md").read_text(encoding="utf-8")


def install(folder: Path, module: str, text: str, entries: dict[str, str], package: str = "upright-bias") -> Path:
    """What pip leaves of a package in ``folder``: its module, and its metadata with the entry points."""
    (folder / f"{module}.py").write_text(text, encoding="utf-8")
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    named = "".join(f"{word} = {value}\n" for word, value in entries.items())
    (info / "entry_points.txt").write_text(f"[lascaux.biases]\n{named}", encoding="utf-8")
    return folder


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lascaux(warm: Path) -> Command:
    """The command in folder ``here``, with the packages of ``installed`` beside its own."""

    def start(here: Path, installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(ROOT), str(installed)])
        env = {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"}
        command = [str(warm / "lascaux"), *words]
        return subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, timeout=240, check=False)

    return start


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The tutorial's bias, with the entry point that its last step shows, as an installed package."""
    (code,) = re.findall(r"^```python\n# my_biases\.py\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (shown,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    entries = tomllib.loads(shown)["project"]["entry-points"]["lascaux.biases"]
    folder = tmp_path / "site"
    folder.mkdir()
    return install(folder, "my_biases", code, entries)


@pytest.mark.slow
def test_the_tutorial_s_package_is_checked_trained_and_compared_without_a_plugin(
    lascaux: Command, installed: Path, tmp_path: Path
) -> None:
    checked = lascaux(tmp_path, installed, "check-bias", "my_biases:Upright")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "kinds of strokes: not point" in checked.stdout
    short = "train={steps: 4, games: 10, log_every: 2, validate_every: 4}"
    told = "biases=[{kind: upright, weight: 2.0, power: 2}]"
    ran = lascaux(
        tmp_path, installed, "run", "tiny", "--device", "cpu", "--out", "o", "--set", told, "--set", short,
        "--set", "measure={validation_pools: 1, test_pools: 2}",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    env = read_json(tmp_path / "o/env.json")
    assert env["plugins"] == [] and env["biases_of_packages"] == {"upright": "upright-bias 1.0"}
    training = [line for line in lines(tmp_path / "o/metrics.jsonl") if line["split"] == "train"]
    assert all(line["upright"] > 0 and line["gradient/upright"] > 0 for line in training)
    probed = lascaux(tmp_path, installed, "probe", "o", "--names", "rate")
    assert probed.returncode == 0, probed.stderr


def test_without_the_package_its_word_is_unknown(lascaux: Command, tmp_path: Path) -> None:
    told = "biases=[{kind: upright}]"
    done = lascaux(tmp_path, tmp_path, "config", "show", "tiny", "--set", told)
    assert done.returncode == 2
    assert "got 'upright'" in done.stderr


def test_a_package_that_fails_is_told_in_a_line_of_the_command(lascaux: Command, tmp_path: Path) -> None:
    install(tmp_path, "broken", "raise KeyError('oops')\n", {"mine": "broken:Mine"}, "broken-bias")
    done = lascaux(tmp_path, tmp_path, "config", "show", "tiny")
    assert done.returncode == 2
    assert done.stderr == (
        "the bias 'mine' of another package fails: KeyError: 'oops' "
        "(entry point mine = 'broken:Mine' of broken-bias): mend or uninstall that package\n"
    )


@pytest.fixture
def registry() -> Iterator[None]:
    """The registered biases, put back as they were afterwards."""
    before = dict(_BIASES)
    yield
    _BIASES.clear()
    _BIASES.update(before)


@pytest.mark.usefixtures("registry")
def test_a_package_s_bias_is_loaded_once_by_its_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from agents import Bias, bias\n\n@bias('leaning')\nclass Leaning(Bias):\n    '''Leans.'''\n"
    install(tmp_path, "leaning_of_test", text, {"leaning": "leaning_of_test:Leaning"}, "leaning-bias")
    monkeypatch.syspath_prepend(tmp_path)
    assert biases()["leaning"] is biases()["leaning"]
    assert origins(GROUP) == {"leaning": "leaning-bias 1.0"}
    sys.modules.pop("leaning_of_test")


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class Mine: pass\n", r"registers no bias 'mine'.*say @bias\(\"mine\"\)"),
        ("", r"the bias 'mine' of another package fails: AttributeError"),
        ("import no_such_module_at_all\n", r"fails: ModuleNotFoundError: .*no_such_module_at_all"),
    ],
)
def test_an_entry_point_that_leads_to_no_bias_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    install(tmp_path, "odd_of_test", text, {"mine": "odd_of_test:Mine"})
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=told) as caught:
        biases()
    assert "\n" not in str(caught.value)
    sys.modules.pop("odd_of_test", None)
