"""Tables that no spreadsheet runs, and jsPsych as it was pinned."""

import hashlib
import io
import json
import subprocess
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raster import InputError
from runs.study import bundle as bundling
from runs.study.bundle import PARTS, vendor
from runs.study.files import guarded, plain, read_table, table, unguarded

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(TEXT)
def test_a_guarded_cell_starts_no_formula_and_gives_its_text_back(text):
    cell = guarded(text)
    assert cell[:1] not in tuple("=+-@\t\r\n＝＋－＠")
    assert unguarded(cell) == text


@given(st.lists(st.fixed_dictionaries({"a": TEXT, "b": TEXT}), max_size=4))
def test_a_table_reads_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    path.write_bytes(table(["a", "b"], rows))
    assert read_table(path) == rows


@given(st.text())
def test_a_plain_line_holds_nothing_that_a_terminal_obeys(text):
    line = plain(text)
    assert line.isprintable()
    assert len(line) <= 80


def test_numbers_stay_numbers():
    assert [guarded(value) for value in (-1.5, 3, True, None, float("-inf"))] == ["-1.5", "3", "1", "", "'-inf"]


def test_the_bundle_is_what_was_pinned_without_what_asks_for_more(bundle):
    manifest = json.loads(bundle.files["manifest.json"])
    assert [entry["file"] for entry in manifest] == [part.name for part in PARTS]
    for entry in manifest:
        content = bundle.files[entry["file"]]
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert b"sourceMappingURL" not in content
        assert b"@font-face" not in content
        assert entry["licence"] == "MIT"
    assert b"Joshua R. de Leeuw" in bundle.files["LICENSES.txt"]
    assert b".jspsych-btn" in bundle.files["jspsych.css"]
    assert b"initJsPsych" in bundle.files["jspsych.js"]
    assert sum(map(len, bundle.files.values())) < 220_000


def _npm(monkeypatch, content, code=0):
    """An npm whose packages hold ``content`` at every path that is pinned."""

    def run(command, cwd, **_):
        with tarfile.open(f"{cwd}/a.tgz", "w:gz") as tar:
            for path in {part.path for part in PARTS}:
                entry = tarfile.TarInfo(f"package/{path}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        return subprocess.CompletedProcess(command, code, "", "no network\n" if code else "")

    monkeypatch.setattr(bundling.shutil, "which", lambda name: "/bin/npm")
    monkeypatch.setattr(bundling.subprocess, "run", run)


def test_a_package_that_is_not_the_pinned_one_is_refused_and_not_kept(monkeypatch, tmp_path):
    _npm(monkeypatch, b"alert('not jsPsych')")
    with pytest.raises(InputError, match="not the file that this version pinned"):
        vendor(True, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_without_npm_or_network_the_cdn_is_taken_with_the_reason(monkeypatch, tmp_path):
    _npm(monkeypatch, b"", code=1)
    found = vendor(None, tmp_path)
    assert not found.bundled
    assert "no network" in found.why
    monkeypatch.setattr(bundling.shutil, "which", lambda name: None)
    assert "npm is not installed" in vendor(None, tmp_path).why
    with pytest.raises(InputError, match="npm is not installed"):
        vendor(True, tmp_path)
    assert vendor(False, tmp_path).files == {}


def test_a_damaged_cache_is_fetched_again(bundle, monkeypatch, tmp_path):
    assert vendor(True, tmp_path).files == bundle.files
    monkeypatch.setattr(bundling, "_packed", lambda *_: pytest.fail("fetched though it was cached"))
    assert vendor(True, tmp_path).files == bundle.files
    (tmp_path / "8.3.0-jspsych.js").write_bytes(b"damaged")
    monkeypatch.undo()
    assert vendor(True, tmp_path).files == bundle.files
