"""jsPsych for an exported study: bundled through npm where it can be, else script tags with integrity hashes."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from raster import InputError
from runs.study.files import write_whole

__all__ = ["PARTS", "Part", "Vendor", "vendor"]

_CDN = "https://cdn.jsdelivr.net/npm"
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Part:
    """One published file, pinned: npm package, version, path inside it, size in bytes and SHA-384 in base64."""

    package: str
    version: str
    path: str
    name: str
    sha384: str
    licence: str = "MIT"

    @property
    def url(self) -> str:
        return f"{_CDN}/{self.package}@{self.version}/{self.path}"

    @property
    def integrity(self) -> str:
        return f"sha384-{self.sha384}"


# The unminified files: they can be read by who must trust them, and keep the copyright notes of what they contain.
PARTS = (
    Part(
        "jspsych",
        "8.3.0",
        "dist/index.browser.js",
        "jspsych.js",
        "o+8a4lIl7JxUvw8JSSkDdgXaUg+/zAy9tachZ8noAqW/CFzghLPAZZBMko6HDu7t",
    ),
    Part(
        "jspsych",
        "8.3.0",
        "css/jspsych.css",
        "jspsych.css",
        "+gGUkbtw2BJWSroKW2jzIEXGe7KxdycJ0Bo+CqzpIOSBHOYEHHRWETaV+v2mpdWX",
    ),
    Part(
        "@jspsych/plugin-preload",
        "2.1.0",
        "dist/index.browser.js",
        "plugin-preload.js",
        "TxFekIb+sAqtpqSTwykojElfxHNhGkUyVw0HSXQ8YMQkxPzp2Jlg554C8m+fz1OI",
    ),
    Part(
        "@jspsych/plugin-instructions",
        "2.1.0",
        "dist/index.browser.js",
        "plugin-instructions.js",
        "nMuCTw+BF2At8f9L6jhHtkQdFgKPnjGxnnjSI9TKXw6Cx/b1iwCnQkgDodvc//HU",
    ),
    Part(
        "@jspsych/plugin-html-button-response",
        "2.1.0",
        "dist/index.browser.js",
        "plugin-html-button-response.js",
        "TvpnHoS9mrzHeCDmNXlE7Q+in/UCwNMpuvvr3YHHBVGUKFmmqsEFNlxsM5Dd3IqG",
    ),
)


@dataclass(frozen=True)
class Vendor:
    """What ``index.html`` needs: ``files`` to lie in ``vendor/`` (none without npm), and why it is so."""

    bundled: bool
    why: str
    files: Mapping[str, bytes]


def vendor(offline: bool | None = None, cache: Path | None = None) -> Vendor:
    """The files of ``vendor/``, from the user's cache or by ``npm pack``, each held to its pinned hash.

    Args:
        offline: ``True`` demands the bundle, ``False`` the CDN, ``None`` the bundle where it can be had.
        cache: folder that keeps the files; the user's cache by default.

    Raises:
        InputError: ``offline`` is ``True`` and jsPsych can neither be found in the cache nor fetched.
    """
    if offline is False:
        return Vendor(False, "jsPsych comes from a CDN, as asked", {})
    try:
        parts = _parts(cache if cache is not None else _cache_folder())
    except InputError as error:
        if offline:
            raise
        return Vendor(False, f"jsPsych comes from a CDN, for it cannot be bundled: {error}", {})
    files = {part.name: _served(part, parts[part]) for part in PARTS}
    manifest = [
        {
            "file": part.name,
            "package": part.package,
            "version": part.version,
            "path": part.path,
            "sha256": hashlib.sha256(files[part.name]).hexdigest(),
            "published_sha384": part.sha384,
            "licence": part.licence,
        }
        for part in PARTS
    ]
    files["manifest.json"] = (json.dumps(manifest, indent=1) + "\n").encode()
    files["LICENSES.txt"] = (_TEMPLATES / "LICENSES.txt").read_bytes()
    return Vendor(True, "jsPsych lies in the folder: it needs no network", files)


def _served(part: Part, content: bytes) -> bytes:
    """The file without what would ask for other files: source maps, and 470 KB of embedded typefaces."""
    text = content.decode("utf-8")
    if part.name.endswith(".css"):
        text = re.sub(r"@font-face\s*\{[^}]*\}", "", text)
        # The comments are the headings of the typefaces that were taken out.
        text = re.sub(r"/\*[^*]*open-sans[^*]*\*/|/\*!\*+\\\s.*?\*{3}/", "", text, flags=re.DOTALL)
        text = re.sub(r"\n{3,}", "\n\n", text).lstrip()
    return re.sub(r"^\s*//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE).encode("utf-8")


def _cache_folder() -> Path:
    from perception import cache_folder

    return cache_folder() / "jspsych"


def _parts(cache: Path) -> dict[Part, bytes]:
    found = {part: content for part in PARTS if (content := _cached(part, cache)) is not None}
    for package, version in sorted({(part.package, part.version) for part in PARTS if part not in found}):
        wanted = [part for part in PARTS if part.package == package]
        for part, content in _packed(package, version, wanted).items():
            found[part] = content
            try:
                write_whole(_place(part, cache), content)
            except OSError:  # a cache is a comfort: a full or read-only one only costs the next fetch
                continue
    return found


def _place(part: Part, cache: Path) -> Path:
    return cache / f"{part.version}-{part.name}"


def _cached(part: Part, cache: Path) -> bytes | None:
    try:
        content = _place(part, cache).read_bytes()
    except OSError:
        return None
    return content if _sha384(content) == part.sha384 else None


def _packed(package: str, version: str, parts: list[Part]) -> dict[Part, bytes]:
    """Fetch one package with the npm client and take the wanted files out of it, never unpacking the rest."""
    npm = shutil.which("npm")
    if npm is None:
        raise InputError("npm is not installed", "jsPsych", "install Node.js to bundle it, or export without offline")
    where = f"npm pack {package}@{version}"
    with tempfile.TemporaryDirectory(prefix="lascaux-npm-") as folder:
        try:
            done = subprocess.run(
                [npm, "pack", f"{package}@{version}", "--silent", "--ignore-scripts"],
                cwd=folder,
                env={**os.environ, "npm_config_update_notifier": "false"},
                capture_output=True,
                text=True,
                timeout=180,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError("npm did not answer", where, "try again, or export without offline") from error
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            said = (done.stderr.strip().splitlines() or ["nothing was fetched"])[0][:200]
            raise InputError(f"npm failed, {said}", where, "check the network, or export without offline")
        return {part: _member(archives[0].read_bytes(), part, where) for part in parts}


def _member(archive: bytes, part: Part, where: str) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            file = tar.extractfile(f"package/{part.path}")
            content = b"" if file is None else file.read()
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise InputError(f"the package holds no whole {part.path}", where, "try again") from error
    if _sha384(content) != part.sha384:
        raise InputError(f"{part.path} is not the file that this version pinned", where, "try again, or export without")
    return content


def _sha384(content: bytes) -> str:
    return base64.b64encode(hashlib.sha384(content).digest()).decode()
