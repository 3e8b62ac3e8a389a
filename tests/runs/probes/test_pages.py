"""The pages of probes: one for each, told in the index; and the tutorial's probe, asked through the real command."""

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runs.cli import app
from runs.probes import probes
from runs.probes._registry import _PROBES
from runs.run import Run

DOCS = Path(__file__).resolve().parents[3] / "docs"
INDEX = (DOCS / "probes.md").read_text(encoding="utf-8")
SHIPPED = sorted(
    name for name, each in probes().items() if each.of == "choices" and "runs.probes." in each.ask.__module__
)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_probe_has_a_page_that_says_what_it_asks_how_to_read_it_and_what_fools_it(name: str) -> None:
    page = (DOCS / "probes" / f"{name}.md").read_text(encoding="utf-8")
    assert page.split("\n")[0].replace("`", "") == f"# {name}" and f"(probes/{name}.md)" in INDEX
    for part in ("Formula", "How to read it", "What fools it"):
        assert f"**{part}.**" in page or f"\n## {part}\n" in page, part


def test_every_page_is_of_a_probe() -> None:
    assert sorted(page.stem for page in (DOCS / "probes").glob("*.md")) == SHIPPED


def test_the_tutorial_s_probe_is_asked_with_its_controls(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"^```python\n# my_probes\.py\n(.*?)^```", INDEX, re.DOTALL | re.MULTILINE)
    (shown,) = re.findall(r"^```toml\n(.*?)^```", INDEX, re.DOTALL | re.MULTILINE)
    assert tomllib.loads(shown)["project"]["entry-points"]["lascaux.probes"] == {"leftness": "my_probes:leftness"}
    (tmp_path / "my_probes.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        words = ["probe", str(finished.folder), "--names", "leftness", "--plugin", "my_probes", "--json"]
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)["leftness"]["same"]
    finally:
        _PROBES.pop("leftness", None)
        sys.modules.pop("my_probes", None)
    own = found["value"]
    assert found["low"] <= own <= found["high"] and set(found["baselines"]) == {"untrained", "shuffled", "random"}
    assert found["baselines"]["shuffled"] == pytest.approx(own)  # the same drawings, in another order
