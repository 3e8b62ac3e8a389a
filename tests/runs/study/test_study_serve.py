"""The laboratory's server: what it gives, what it takes, and all that it does not."""

import errno
import http.client
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from raster import InputError
from runs.study import serving
from runs.study.serving import SAVE_META, StudyServer


@pytest.fixture(scope="module")
def study(world, tmp_path_factory):
    made = world.export(tmp_path_factory.mktemp("served") / "study")
    (made.path / "study-key.csv").write_text("a key that somebody put there by mistake")
    (made.path / ".hidden").write_text("hidden")
    (made.path / "stimuli" / "notes.txt").write_text("notes")
    (made.path / "stimuli" / "link.png").symlink_to(made.key)
    return made


@contextmanager
def open_server(study, answers, **options):
    lines = []
    server = StudyServer(study.path, answers, port=0, told=lines.append, **options)
    server.lines = lines
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server(study, tmp_path):
    with open_server(study, tmp_path / "answers") as server:
        yield server


def ask(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, names)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def sitting(server, participant="anna", **more):
    row = {"study": server.id, "participant": participant, "list": 1}
    return json.dumps([row | {"kind": "pick", "response": 1} | more, row | {"kind": "end"}]).encode()


def post(server, body, **headers):
    status, content, _ = ask(server, "POST", "/answers", body, **({"Content_Type": "application/json"} | headers))
    return status, json.loads(content)


def kept(server):
    return sorted(path.name for path in server.answers.iterdir())


def test_the_page_is_given_with_the_word_where_to_post(server, study):
    status, page, headers = ask(server, "GET", "/?participant=7")
    assert status == 200
    assert SAVE_META.encode() in page
    assert page.replace(SAVE_META.encode() + b"\n", b"").strip() == (study.path / "index.html").read_bytes().strip()
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    data = json.loads((study.path / "study.json").read_text())
    for trial in data["trials"].values():
        for name in (trial["stimulus"], *trial["choices"]):
            status, content, headers = ask(server, "GET", f"/{name}")
            assert (status, content) == (200, (study.path / name).read_bytes())
            assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask(server, "HEAD", "/run-main.js")[:2] == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/study-key.csv",
        "/../study-key.csv",
        "/..%2fstudy-key.csv",
        "/stimuli/../../study-key.csv",
        "//etc/passwd",
        "/.hidden",
        "/stimuli/",
        "/stimuli",
        "/stimuli/notes.txt",
        "/stimuli/link.png",
        "/README.md",
        "/trials.csv",
        "/answers",
        "/answers/",
        "/index.html/",
        "/\\..\\study-key.csv",
    ],
)
def test_nothing_else_is_given(server, path):
    status, content, _ = ask(server, "GET", path)
    assert status == 404
    assert json.loads(content) == {"error": "nothing here"}


def test_other_methods_are_not_there(server):
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE"):
        assert ask(server, method, "/answers")[0] == 501


def test_one_file_a_participant_and_a_retry_changes_nothing(server):
    body = sitting(server)
    status, first = post(server, body)
    assert status == 200
    assert post(server, body) == (200, first)
    assert kept(server) == [first["saved"]]
    assert (server.answers / first["saved"]).read_bytes() == body
    assert "anna" not in first["saved"]
    assert server.lines[0].startswith("saved: ")


def test_other_answers_of_the_same_participant_are_kept_beside_the_first(server):
    names = [post(server, sitting(server, response=number))[1]["saved"] for number in range(3)]
    assert kept(server) == names, "the first by name is the first by time, for that one is scored"
    assert post(server, sitting(server, response=1))[1]["saved"] == names[1]
    for number in range(3, serving._COPIES):
        post(server, sitting(server, response=number))
    assert post(server, sitting(server, response=99))[0] == 422
    assert len(kept(server)) == serving._COPIES


def test_many_at_once_are_all_kept(server):
    bodies = [sitting(server, f"p{i}", response=i) for i in range(40)] * 2
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda body: post(server, body)[0], bodies))
    assert found == [200] * 80
    assert len(kept(server)) == 40
    assert {path.read_bytes() for path in server.answers.iterdir()} == set(bodies)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda server: b"", "whole"),
        (lambda server: b"{", "whole"),
        (lambda server: b"\xff\xfe", "whole"),
        (lambda server: b"[" * 100_000, "whole"),
        (lambda server: b"[]", "no answers"),
        (lambda server: b'{"a": 1}', "no answers"),
        (lambda server: b'["<script>"]', "no answers"),
        (lambda server: sitting(server).replace(server.id.encode(), b"f" * 16), "another study"),
        (lambda server: json.dumps(json.loads(sitting(server))[:-1]).encode(), "not finished"),
        (lambda server: sitting(server, ""), "not finished"),
    ],
)
def test_what_is_no_finished_sitting_of_this_study_is_refused(server, spoil, why):
    status, answer = post(server, spoil(server))
    assert status == 422
    assert why in answer["error"]
    assert kept(server) == []


def test_hostile_participants_name_no_files(server):
    for name in ("../../etc/passwd", "a/b", "\0", "con", "x" * 100_000, "\ud800", "=1+1", "猫"):
        status, answer = post(server, sitting(server, name))
        assert status == 200
        assert (server.answers / answer["saved"]).parent == server.answers
        assert answer["saved"].startswith("answers-")
    assert len(kept(server)) == 8


def test_bodies_are_bounded(server, monkeypatch):
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    connection.putrequest("POST", "/answers")
    connection.putheader("Content-Type", "application/json")
    connection.endheaders()
    assert connection.getresponse().status == 411
    connection.close()
    monkeypatch.setattr(serving, "LARGEST_BODY", 1000)
    status, answer = post(server, sitting(server, note="x" * 5000))
    assert (status, "too large" in answer["error"]) == (413, True)
    assert kept(server) == []


def test_a_connection_that_breaks_off_leaves_nothing(server):
    with socket.create_connection(server.server_address[:2]) as line:
        line.sendall(b"POST /answers HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        line.sendall(b"Content-Length: 500\r\n\r\n[{")
        line.shutdown(socket.SHUT_WR)
        assert b"400" in line.recv(100)
    assert kept(server) == []


def test_a_silent_connection_is_let_go(study, tmp_path, monkeypatch):
    monkeypatch.setattr(serving._Handler, "timeout", 0.1)
    with open_server(study, tmp_path / "answers") as server:
        with socket.create_connection(server.server_address[:2]) as line:
            assert line.recv(100) == b""
        assert post(server, sitting(server))[0] == 200


def test_other_sites_pages_can_neither_post_nor_read(server):
    body = sitting(server)
    assert post(server, body, Origin="http://evil.example")[0] == 403
    assert post(server, body, Host="evil.example")[0] == 403
    assert post(server, body, Content_Type="text/plain")[0] == 415
    assert ask(server, "GET", "/", Host="evil.example:80")[0] == 403
    host, port = server.server_address[:2]
    assert post(server, body, Origin=f"http://{host}:{port}")[0] == 200
    assert post(server, body, Host=f"localhost:{port}")[0] == 200


@pytest.mark.parametrize(
    ("number", "status", "why"), [(errno.ENOSPC, 507, "full"), (errno.EIO, 500, "cannot be written")]
)
def test_a_full_disk_is_told_and_leaves_nothing_half_written(server, monkeypatch, number, status, why):
    first = post(server, sitting(server))[1]["saved"]

    def full(handle):
        raise OSError(number, "no")

    with monkeypatch.context() as patch:
        patch.setattr(serving.os, "fsync", full)
        found, answer = post(server, sitting(server, "ben"))
    assert found == status
    assert why in answer["error"]
    assert kept(server) == [first], "no file, and no draft of one"
    assert "NOT SAVED" in server.lines[-1]
    assert post(server, sitting(server, "ben"))[0] == 200, "the page tries again, and it is saved"


def test_answers_never_lie_in_the_folder_that_is_served(study, tmp_path):
    with pytest.raises(InputError, match="inside the folder"):
        StudyServer(study.path, study.path / "answers", port=0)
    with pytest.raises(InputError, match="no study here"):
        StudyServer(tmp_path / "none", port=0)
    assert serving.answers_beside(Path("a/study")).name == "study-answers"


def test_a_port_that_is_taken_is_told(server, study, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=r"cannot serve at 127\.0\.0\.1"):
            StudyServer(study.path, tmp_path / "a", port=taken.getsockname()[1])
    with pytest.raises(InputError, match="cannot serve"):
        StudyServer(study.path, tmp_path / "a", port=99999)
    assert server.local
    assert server.url == f"http://127.0.0.1:{server.server_address[1]}/"
