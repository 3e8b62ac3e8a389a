"""A person at a laboratory's machine: the page comes from the server, the answers go to it, and they are scored."""

import errno

import pytest

from runs.study import score, serving
from tests.runs.study.rooms import open_server
from tests.runs.study.visit import DESKTOP, Visit

pytestmark = pytest.mark.slow


def test_a_person_answers_at_the_laboratory_and_is_scored(chromium, world, bundle, tmp_path, monkeypatch):
    design = {"parts": [{"kind": "name", "trials": 2}], "catch": 0}
    study = world.export(tmp_path / "study", design=design, parts=bundle)

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with open_server(study, tmp_path / "answers") as server:
        visit = Visit(chromium, study, DESKTOP, tmp_path, url=server.url, query="?participant=anna")
        visit.agree_and_read()
        visit.page.locator(".line").fill("=cat()")
        first = visit.page.locator(".line").element_handle()
        visit.page.locator("#done").click()
        visit.page.wait_for_function("before => document.querySelector('.line') !== before", arg=first)
        visit.page.locator(".line").fill("a cat")
        with monkeypatch.context() as patch:
            patch.setattr(serving.os, "fsync", full)
            visit.page.locator("#done").click()
            visit.page.get_by_text("That did not work. Trying again").wait_for()
            assert list(server.answers.iterdir()) == []
            assert "NOT SAVED: the disk is full" in server.lines[0]
        visit.page.get_by_text("your answers are saved").wait_for()
        visit.shot("saved")
        assert all(url.startswith(server.url) for url in visit.outside), "nothing is asked of anybody else"
        refused = [line for line in visit.complaints if "507" not in line]
        assert refused == [], "the page keeps to what the server's policy allows"
        (file,) = server.answers.iterdir()
    found = score(study.path, [server.answers])
    assert found.refused == ()
    assert found.everyone.questions["name"].answers == 2
    assert "'=cat()" in (found.folder / "responses.csv").read_text()
    assert "anna" not in file.name
