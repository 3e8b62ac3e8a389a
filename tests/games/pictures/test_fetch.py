"""Pinned files: with npm or from the CDN, checked, or one clear line."""

import gzip
import hashlib
import io
import sys
import tarfile
import urllib.error
from email.message import Message
from pathlib import Path

import pytest

from games.pictures import PicturesUnavailable, fetch
from games.pictures.emoji_sources import Source
from raster.errors import InputError

ICONS, CHARS, WEBP = b'{"icons": {}}', b'{"1f408": "cat"}', b"a drawing"


def tarball(files: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return whole.getvalue()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


FILES = {"icons.json": ICONS, "chars.json": CHARS}
SMALL = tarball({**FILES, "README.md": b"not wanted"})
WHOLE = tarball({"assets/1f408.webp": WEBP, "package.json": b"{}"})
SOURCES = [
    Source("one", "@some/one", "1.0.0", "MIT", "One", {name: sha(data) for name, data in FILES.items()}, "code", "one"),
    Source("two", "@some/two", "2.0.0", "MIT", "Two", {"*": sha(WHOLE)}, "file", "two"),
]
TARBALLS = {"some-one-1.0.0.tgz": SMALL, "some-two-2.0.0.tgz": WHOLE}


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for npm, alone on the PATH: it packs what lies in the folder that is returned."""
    store, programs = tmp_path / "store", tmp_path / "bin"
    store.mkdir()
    programs.mkdir()
    for name, data in TARBALLS.items():
        (store / name).write_bytes(data)
    script = programs / "npm"
    script.write_text(
        f"""#!{sys.executable}
import pathlib, shutil, sys
store = pathlib.Path({str(store)!r})
assert sys.argv[1] == "pack" and "--ignore-scripts" in sys.argv
target = sys.argv[sys.argv.index("--pack-destination") + 1]
for spec in sys.argv[sys.argv.index("--pack-destination") + 2:]:
    name, _, version = spec.rpartition("@")
    file = store / (name.strip("@").replace("/", "-") + "-" + version + ".tgz")
    if not file.exists():
        sys.exit("npm error code ENOTFOUND")
    shutil.copy(file, target)
"""
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return store


@pytest.fixture
def no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


class Answer(io.BytesIO):
    """What urlopen gives."""

    def __init__(self, body: bytes, zipped: bool) -> None:
        super().__init__(gzip.compress(body) if zipped else body)
        self.headers = {"Content-Encoding": "gzip"} if zipped else {}


class Cdn:
    """A stand-in for the CDN."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files: dict[str, bytes | int] = {f"@some/one@1.0.0/{name}": data for name, data in FILES.items()}
        self.zipped = False
        self.reachable = True
        monkeypatch.setattr(fetch.urllib.request, "urlopen", self.open)

    def open(self, request: object, timeout: float) -> Answer:
        assert timeout > 0
        url = request.full_url  # type: ignore[attr-defined]
        if not self.reachable:
            raise urllib.error.URLError("no route to host")
        found = self.files[url.removeprefix("https://cdn.jsdelivr.net/npm/")]
        if isinstance(found, int):
            raise urllib.error.HTTPError(url, found, "refused", Message(), io.BytesIO())
        return Answer(found, self.zipped)


@pytest.fixture
def cdn(monkeypatch: pytest.MonkeyPatch) -> Cdn:
    return Cdn(monkeypatch)


def test_npm_gives_the_pinned_files_of_every_package(npm: Path) -> None:
    files = fetch.fetch(SOURCES)
    assert files == {"one": FILES, "two": {"assets/1f408.webp": WEBP}}


def test_npm_leaves_nothing_behind(npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(fetch.tempfile, "tempdir", str(scratch))
    fetch.fetch(SOURCES)
    assert list(scratch.iterdir()) == []


@pytest.mark.usefixtures("no_npm")
@pytest.mark.parametrize("zipped", [False, True])
def test_without_npm_the_cdn_gives_what_it_has_file_by_file(cdn: Cdn, zipped: bool) -> None:
    cdn.zipped = zipped
    assert fetch.fetch(SOURCES) == {"one": FILES}


def test_where_npm_fails_the_cdn_steps_in(npm: Path, cdn: Cdn) -> None:
    (npm / "some-two-2.0.0.tgz").unlink()
    assert fetch.fetch(SOURCES) == {"one": FILES}


@pytest.mark.usefixtures("no_npm")
def test_drawings_too_large_for_the_cdn_are_left_out_but_names_must_come(
    cdn: Cdn, capsys: pytest.CaptureFixture[str]
) -> None:
    cdn.files["@some/one@1.0.0/icons.json"] = 403
    assert fetch.fetch(SOURCES) == {"one": {"chars.json": CHARS}}
    assert "drawings of one" in capsys.readouterr().err
    cdn.files["@some/one@1.0.0/chars.json"] = 403
    with pytest.raises(PicturesUnavailable, match="403"):
        fetch.fetch(SOURCES)


@pytest.mark.usefixtures("no_npm")
def test_no_npm_and_no_network_is_one_clear_line(cdn: Cdn) -> None:
    cdn.reachable = False
    with pytest.raises(PicturesUnavailable) as told:
        fetch.fetch(SOURCES)
    line = str(told.value)
    assert "npm is not installed" in line and "no route to host" in line and "digits" in line and "\n" not in line


def test_npm_without_network_is_one_clear_line(npm: Path, cdn: Cdn) -> None:
    cdn.reachable = False
    for file in npm.iterdir():
        file.unlink()
    with pytest.raises(PicturesUnavailable, match=r"ENOTFOUND.*no route to host"):
        fetch.fetch(SOURCES)


def test_a_changed_package_is_refused_by_name(npm: Path, cdn: Cdn) -> None:
    (npm / "some-one-1.0.0.tgz").write_bytes(tarball({**FILES, "icons.json": b'{"icons": "others"}'}))
    with pytest.raises(InputError, match=r"icons\.json is not the file.*@some/one 1\.0\.0") as told:
        fetch.fetch(SOURCES)
    assert not isinstance(told.value, PicturesUnavailable)  # nobody falls back silently from this
    (npm / "some-one-1.0.0.tgz").write_bytes(SMALL)
    (npm / "some-two-2.0.0.tgz").write_bytes(tarball({"assets/1f408.webp": b"other"}))
    with pytest.raises(InputError, match=r"some-two-2\.0\.0\.tgz is not the file"):
        fetch.fetch(SOURCES)


def test_a_package_without_a_file_is_refused_by_name(npm: Path) -> None:
    (npm / "some-one-1.0.0.tgz").write_bytes(tarball({"icons.json": ICONS}))
    with pytest.raises(InputError, match=r"chars\.json is missing"):
        fetch.fetch(SOURCES)


@pytest.mark.usefixtures("no_npm")
def test_a_changed_file_of_the_cdn_is_refused_by_name(cdn: Cdn) -> None:
    cdn.files["@some/one@1.0.0/chars.json"] = CHARS[:-3]
    with pytest.raises(InputError, match=r"chars\.json is not the file.*@some/one"):
        fetch.fetch(SOURCES)


@pytest.mark.parametrize("cut", [0, 1, 40, len(SMALL) // 2])
def test_a_cut_off_package_is_told_by_name(npm: Path, cut: int) -> None:
    (npm / "some-one-1.0.0.tgz").write_bytes(SMALL[:cut])
    with pytest.raises(InputError, match=r"some-one-1\.0\.0\.tgz|@some/one"):
        fetch.fetch(SOURCES)
