"""A small server for a laboratory machine: it gives out one study's page and takes the answers in, and nothing else."""

import contextlib
import errno
import hashlib
import ipaddress
import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from raster import InputError
from runs.folder import write_atomic
from runs.study.files import plain
from runs.study.key import key_beside
from runs.study.results import read_study

__all__ = ["StudyServer", "answers_beside"]

LARGEST_BODY = 8 * 2**20
"""Bytes of one participant's answers, drawings among them."""
_AT_ONCE = 64
_PATIENCE = 30.0  # seconds that a silent connection is kept
_COPIES = 20
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
# The page's own files. Whatever else lies in the folder (a key put there by mistake, say) is not there for a browser.
_PAGES = re.compile(r"index\.html|style\.css|(study|site|run(-[a-z]+)*)\.js")
_FOLDERS = {"stimuli": (".png", ".svg"), "vendor": (".js", ".css")}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SAVE_META = '<meta name="lascaux-save" content="answers">'
"""What the page is told in its head: post the answers there (relative to the page), and wait for the word."""


def answers_beside(study: Path) -> Path:
    """Where the answers to a study are put: ``DIR-answers`` next to its folder."""
    return key_beside(study).with_name(Path(study).absolute().name + "-answers")


class StudyServer(ThreadingHTTPServer):
    """Serves one study, and writes one file a participant.

    ``GET`` gives the page and its parts by a list that was made at the start: no folder is listed, no path is followed.
    ``POST answers`` takes a finished sitting, as the page saves it: JSON of at most 8 MB, of this very study. It is
    written whole or not at all, under a name that is a hash of the participant's, and only then the page is told so.
    The same again changes nothing, so a page may try again as often as it likes; other answers of the same participant
    are kept beside the first.

    Args:
        study: the folder that ``export`` wrote.
        answers: where the files go; ``DIR-answers`` beside it when left out. Never inside the folder.
        host: an address of this machine; "127.0.0.1" is seen by this machine alone.
        port: 0 takes any that is free.
        told: called with a line when something was saved or refused.

    Raises:
        InputError: no study there, answers inside the study's folder, a host or port that cannot be had.
    """

    daemon_threads = True
    request_queue_size = _AT_ONCE

    def __init__(
        self,
        study: Path | str,
        answers: Path | str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        told: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.study = Path(study)
        self.id: str = read_study(self.study)["id"]
        self.answers = Path(answers) if answers is not None else answers_beside(self.study)
        if self.answers.resolve().is_relative_to(self.study.resolve()):
            raise InputError("answers inside the folder that is served", self.answers, "give a folder beside it")
        self.answers.mkdir(parents=True, exist_ok=True)
        self.files = dict(_parts(self.study))
        self.told = told
        self.policy = _policy(self.study)
        self._writing = threading.Lock()
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            what = f"cannot serve at {plain(host, 40)}:{port} ({why})"
            raise InputError(what, "study serve", "give another --port, or a --host of this machine") from error

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = self.server_address[:2]
        name = str(host)
        return f"http://{f'[{name}]' if ':' in name else name}:{port}/"

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(str(self.server_address[0])).is_loopback

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread, of which there are so many and no more: the next waits."""
        self._room.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The thread's work."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is nothing to print a traceback for."""

    def keep(self, body: bytes) -> tuple[str, bool]:
        """Write a sitting, and give its file's name and whether it was new.

        Raises:
            ValueError: it is no finished sitting of this study; the message is for the page.
            OSError: it could not be written, and nothing is left of it.
        """
        participant = _participant(body, self.id)
        stem = "answers-" + hashlib.sha256(f"{self.id}|{participant}".encode("utf-8", "replace")).hexdigest()[:12]
        with self._writing:
            for copy in range(1, _COPIES + 1):
                # An underscore, so that the first file comes first by name, which is how `score` reads them.
                path = self.answers / (stem + (f"_{copy}" if copy > 1 else "") + ".json")
                if not path.exists():
                    write_atomic(path, lambda draft: _written(draft, body))
                    return path.name, True
                if path.read_bytes() == body:
                    return path.name, False
        raise ValueError("this participant has answered too often")


def _written(path: Path, body: bytes) -> None:
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())  # who is told "saved" may be unplugged the next moment


def _parts(study: Path) -> Iterator[tuple[str, Path]]:
    """The files that are given out, by their path in a URL."""
    for path in sorted(study.iterdir()):
        if _PAGES.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            yield path.name, path
    for folder, suffixes in _FOLDERS.items():
        for path in sorted((study / folder).glob("*")):
            if path.suffix in suffixes and _NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                yield f"{folder}/{path.name}", path


def _policy(study: Path) -> str:
    """What the page may load: itself, and the CDN where jsPsych is not in the folder."""
    elsewhere = "" if (study / "vendor").is_dir() else " https://cdn.jsdelivr.net"
    return (
        f"default-src 'none'; script-src 'self'{elsewhere}; style-src 'self' 'unsafe-inline'{elsewhere}; "
        "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _participant(body: bytes, study: str) -> str:
    """Whose finished sitting this is."""
    try:
        rows = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError("the answers did not arrive whole") from error
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError("these are no answers of a study")
    if any(row.get("study") != study for row in rows):
        raise ValueError("these are answers to another study")
    participant = rows[-1].get("participant")
    if rows[-1].get("kind") != "end" or not isinstance(participant, str) or not participant:
        raise ValueError("the sitting is not finished")
    return participant


class _Handler(BaseHTTPRequestHandler):
    server: StudyServer
    protocol_version = "HTTP/1.0"  # a connection a request: none is held by an idle browser
    server_version, sys_version = "lascaux", ""
    timeout = _PATIENCE

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].removeprefix("/") or "index.html"
        path = self.server.files.get(name)
        if not self._invited():
            return
        if path is None:
            self._say(HTTPStatus.NOT_FOUND, "nothing here")
            return
        try:
            content = path.read_bytes()
        except OSError:
            self._say(HTTPStatus.NOT_FOUND, "nothing here")
            return
        if name == "index.html":
            content = content.replace(b"<head>", b"<head>\n" + SAVE_META.encode(), 1)
        self._send(HTTPStatus.OK, content, _TYPES[path.suffix])

    do_HEAD = do_GET  # noqa: N815 (the library's name)

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return
        try:
            name, new = self.server.keep(body)
        except ValueError as error:
            self.server.told(f"refused: {error}")
            self._say(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            why = "the disk is full" if full else "the answers cannot be written"
            self.server.told(f"NOT SAVED: {why} ({plain(error.strerror or error)})")
            self._say(HTTPStatus.INSUFFICIENT_STORAGE if full else HTTPStatus.INTERNAL_SERVER_ERROR, why)
        else:
            self.server.told(f"saved: {name}" if new else f"saved before: {name}")
            self._send(HTTPStatus.OK, json.dumps({"saved": name}).encode(), "application/json")

    def _body(self) -> bytes | None:
        """The body of a post that may be taken, else None, and the refusal is sent."""
        if not self._invited():
            return None
        length = self.headers.get("Content-Length", "")
        refusal: tuple[HTTPStatus, str] | None = None
        if self.path.partition("?")[0] != "/answers":
            refusal = HTTPStatus.NOT_FOUND, "nothing here"
        elif self.headers.get_content_type() != "application/json":  # a form of another site cannot send this type
            refusal = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "answers come as application/json"
        elif not re.fullmatch(r"[0-9]{1,12}", length) or "Transfer-Encoding" in self.headers:
            refusal = HTTPStatus.LENGTH_REQUIRED, "say how long the answers are"
        elif int(length) > LARGEST_BODY:
            refusal = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the answers are too large"
        if refusal is not None:
            self._drain(int(length) if length.isascii() and length.isdigit() else 0)
            self._say(*refusal)
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self._say(HTTPStatus.BAD_REQUEST, "the answers did not arrive whole")
            return None
        return body

    def _drain(self, length: int) -> None:
        """Let a refused body run past, up to a bound: a connection cut while it sends shows no reason in a browser."""
        left = min(length, LARGEST_BODY)
        while left > 0 and (piece := self.rfile.read(min(left, 2**16))):
            left -= len(piece)

    def _invited(self) -> bool:
        """Whether the request was meant for this server: another site's page, or a name made to point here, was not."""
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        name = host.rpartition(":")[0] if re.search(r":[0-9]+$", host) else host
        strange = self.server.local and name.strip("[]") not in ("localhost", "127.0.0.1", "::1", self._own())
        if strange or (origin is not None and origin != f"http://{host}"):
            self._say(HTTPStatus.FORBIDDEN, "not from here")
            return False
        return True

    def _own(self) -> str:
        return str(self.server.server_address[0])

    def _say(self, status: HTTPStatus, what: str) -> None:
        self._send(status, json.dumps({"error": what}).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Content-Security-Policy", self.server.policy)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request: what was saved is told."""
