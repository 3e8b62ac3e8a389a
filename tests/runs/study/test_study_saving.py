"""How answers come home: sent until they have arrived, and nobody is sent on before."""

import json
import mimetypes
import zipfile

import pytest

from tests.runs.study.visit import PHONE, Visit

pytestmark = pytest.mark.slow

SITE = "http://study.test/"
PROLIFIC = "?PROLIFIC_PID=p1&STUDY_ID=s1&SESSION_ID=x1&secret=no"
ONWARD = "https://app.prolific.test/submissions/complete?cc=C0DE"


class Host:
    """A web server of a study's folder that exists in the browser alone; its answers to posts are given beforehand."""

    def __init__(self, chromium, study, posts=(), meta="", before=""):
        self.study, self.posts, self.got, self.left = study, list(posts), [], []
        self.meta, self.before = meta, before
        self.context = chromium.new_context(viewport=PHONE, accept_downloads=True)
        self.context.route("**/*", self.serve)

    def serve(self, route):
        request = route.request
        if request.method == "POST":
            self.got.append((request.url, request.post_data, request.headers["content-type"]))
            status = self.posts.pop(0) if self.posts else 200
            route.abort() if status is None else route.fulfill(status=status, body="{}")
        elif request.url.startswith(SITE):
            name = request.url.removeprefix(SITE).partition("?")[0] or "index.html"
            if name == "jatos.js" and self.before:
                route.fulfill(body=self.before, content_type="text/javascript")
                return
            body = (self.study.path / name).read_bytes()
            if name == "index.html":
                body = body.replace(b"<head>", b"<head>" + self.meta.encode())
            route.fulfill(body=body, content_type=mimetypes.guess_type(name)[0] or "text/plain")
        else:
            self.left.append(request.url)
            route.fulfill(body="<p>elsewhere</p>", content_type="text/html")

    def visit(self, folder, query=PROLIFIC):
        return Visit(None, self.study, PHONE, folder, query=query, context=self.context, url=SITE)


def answered(visit):
    """Sit the two questions of a study, up to the end."""
    visit.agree_and_read()
    for _ in range(2):
        visit.page.locator(".line").fill("a cat")
        stood = visit.page.locator(".line").element_handle()
        visit.page.locator("#done").click()
        visit.page.wait_for_function("before => document.querySelector('.line') !== before", arg=stood)


def study_of(world, bundle, folder, save, **complete):
    design = {"parts": [{"kind": "name", "trials": 2}], "catch": 0, "save": save, "complete": complete}
    return world.export(folder / "study", design=design, parts=bundle)


def test_who_comes_from_prolific_goes_back_when_the_answers_have_arrived_and_not_before(
    chromium, world, bundle, tmp_path
):
    study = study_of(world, bundle, tmp_path, {"kind": "server", "url": "https://lab.test/save"}, url=ONWARD)
    host = Host(chromium, study, posts=[503, None])
    visit = host.visit(tmp_path)
    answered(visit)
    visit.page.get_by_text("Trying again (2 of 5)").wait_for()
    visit.shot("retry")
    assert host.left == []
    visit.page.get_by_text("your answers are saved").wait_for()
    assert len(host.got) == 3
    assert len({body for _, body, _ in host.got}) == 1
    url, body, kind = host.got[-1]
    assert (url, kind) == ("https://lab.test/save", "application/json")
    rows = json.loads(body)
    assert [row["response"] for row in rows if row["kind"] == "name"] == ["a cat"] * 2
    assert rows[-1]["participant"] == "p1"
    assert rows[-1]["query"] == {"PROLIFIC_PID": "p1", "STUDY_ID": "s1", "SESSION_ID": "x1"}
    visit.page.wait_for_url(ONWARD)
    # Whoever comes back to the page is not asked again, and nothing is sent twice.
    again = host.visit(tmp_path)
    again.page.get_by_text("your answers are saved").wait_for()
    assert len(host.got) == 3


def test_where_nothing_arrives_there_are_a_file_and_a_code_and_another_try(chromium, world, bundle, tmp_path):
    study = study_of(world, bundle, tmp_path, {"kind": "server", "url": "answers"}, url=ONWARD, code="FALLBACK1")
    host = Host(chromium, study, posts=[500] * 5)
    visit = host.visit(tmp_path)
    visit.page.clock.install()
    answered(visit)
    for _ in range(4):
        visit.page.wait_for_timeout(100)
        visit.page.clock.run_for(8100)
    visit.page.get_by_text("could not be sent").wait_for()
    visit.shot("failed")
    assert visit.page.locator(".code").inner_text() == "FALLBACK1"
    assert host.left == []
    file = visit.save(lambda: visit.page.locator("#again").click())
    assert len(host.got) == 5
    visit.page.locator("#try-again").click()
    visit.page.get_by_text("your answers are saved").wait_for()
    assert file.read_text(encoding="utf-8") == host.got[-1][1]
    assert host.got[-1][0] == SITE + "answers"


def test_a_server_that_gives_out_the_page_may_say_that_answers_come_to_it(chromium, world, bundle, tmp_path):
    study = study_of(world, bundle, tmp_path, {"kind": "file"})
    host = Host(chromium, study, meta='<meta name="lascaux-save" content="answers">')
    visit = host.visit(tmp_path, query="")
    answered(visit)
    visit.page.get_by_text("your answers are saved").wait_for()
    ((url, body, _),) = host.got
    assert url == SITE + "answers"
    assert json.loads(body)[-1]["kind"] == "end"
    assert visit.page.locator("#next-person").is_visible()


def test_datapipe_gets_its_own_form(chromium, world, bundle, tmp_path):
    study = study_of(world, bundle, tmp_path, {"kind": "datapipe", "experiment": "AbC123"})
    host = Host(chromium, study)
    visit = host.visit(tmp_path)
    answered(visit)
    visit.page.get_by_text("your answers are saved").wait_for()
    ((url, body, _),) = host.got
    sent = json.loads(body)
    assert url == "https://pipe.jspsych.org/api/data/"
    assert sent["experimentID"] == "AbC123"
    assert sent["filename"].endswith(".json")
    assert json.loads(sent["data"])[-1]["participant"] == "p1"


def test_jatos_is_waited_for_and_ends_the_study_itself(chromium, world, bundle, tmp_path):
    study = study_of(world, bundle, tmp_path, {"kind": "jatos"}, url=ONWARD)
    stub = """
      window.jatos = {urlQueryParameters: {PROLIFIC_PID: "from-jatos"}, kept: [], ends: [], tries: 0,
        onLoad(start) { setTimeout(start, 50); },
        submitResultData(text, done, failed) { this.tries++ ? (this.kept.push(text), done()) : failed("busy"); },
        endStudyAndRedirect(url) { this.ends.push([url, this.kept.length]); }};"""
    host = Host(chromium, study, before=stub)
    visit = host.visit(tmp_path, query="")
    answered(visit)
    visit.page.wait_for_function("window.jatos.ends.length")
    assert visit.page.evaluate("window.jatos.ends") == [[ONWARD, 1]]
    rows = json.loads(visit.page.evaluate("window.jatos.kept[0]"))
    assert rows[-1]["participant"] == "from-jatos"
    assert host.got == []


def test_the_jzip_is_the_folder_and_its_description(world, tmp_path, bundle):
    study = study_of(world, bundle, tmp_path, {"kind": "jatos"})
    with zipfile.ZipFile(study.jzip) as archive:
        names = archive.namelist()
        (described,) = [name for name in names if name.endswith(".jas")]
        told = json.loads(archive.read(described))
        folder = told["data"]["dirName"]
        files = {str(path.relative_to(study.path)) for path in study.path.rglob("*") if path.is_file()}
        assert {name.removeprefix(folder + "/") for name in names if name != described} == files
        assert archive.read(f"{folder}/study.json") == (study.path / "study.json").read_bytes()
    assert told["version"] == "3"
    (part,) = told["data"]["componentList"]
    assert (study.path / part["htmlFilePath"]).is_file()
    assert "key" not in "".join(names)


def test_a_simulated_run_sends_nothing_and_goes_nowhere(chromium, world, bundle, tmp_path):
    study = study_of(world, bundle, tmp_path, {"kind": "server", "url": "https://lab.test/save"}, url=ONWARD)
    host = Host(chromium, study)
    visit = Visit(None, study, PHONE, tmp_path, context=host.context, url=SITE)
    with visit.page.expect_download() as download:
        visit.page.goto(SITE + PROLIFIC + "&simulate=data-only")
    assert json.loads(download.value.path().read_text())[-1]["simulated"]
    visit.page.wait_for_timeout(300)
    assert host.got == host.left == []
