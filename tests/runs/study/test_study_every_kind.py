"""A study of every kind of question, of two runs, driven in a browser: what was done is what is saved."""

import json
import math

import pytest

from runs.study.drawn import strokes_drawn
from runs.study.files import read_table
from runs.study.key import read_key
from runs.study.results import read_study
from tests.runs.study.visit import DESKTOP, PHONE, Visit

pytestmark = pytest.mark.slow

PARTS = [
    {"kind": "name", "trials": 2},
    {"kind": "draw", "trials": 1},
    {"kind": "draw", "trials": 1, "shows": "word", "question": "<b>Draw</b> & 'this'"},
    {"kind": "pick", "trials": 1, "choices": 6},
    {"kind": "class", "trials": 2},
    {"kind": "rate", "trials": 2},
    {"kind": "compare", "trials": 1},
    {"kind": "compare", "trials": 1, "against": "other", "asks": "shows"},
]
HOSTILE = '<img src=x onerror="window.hacked=1">=1+1,\'"; drop \u202e\u732b\U0001f98a\ud83d'


def design(**more):
    return {"parts": PARTS, "title": "<script>window.hacked=1</script>", **more}


class Sitting:
    """Answers every question in turn: now with a choice, now that one cannot tell; remembers what it did."""

    def __init__(self, visit, study):
        self.visit, self.page = visit, visit.page
        self.study = read_study(study.path)
        self.done, self.told = {}, set()
        self.measured = []

    def start(self):
        self.page.get_by_role("button", name="I agree").wait_for()
        self.visit.shot("0-consent")
        self.measured.append(("consent", self.visit.overflow()))
        self.page.get_by_role("button", name="I agree").click()
        self.page.locator("#jspsych-instructions-next").click()
        self.page.locator("#jspsych-instructions-next").click()

    def current(self):
        """The question that stands there: found by what it shows."""
        ask = self.page.locator(".ask")
        images = ask.locator("img").evaluate_all("all => all.map(one => one.getAttribute('src'))")
        about = ask.locator(".about")
        words = about.inner_text() if about.count() else None
        choices = self.page.locator(".choice img").evaluate_all("all => all.map(one => one.getAttribute('src'))")
        for id in (*self.study["lists"][0], *self.study["catch"]):
            trial = self.study["trials"][id]
            shown = [file for file in (trial["stimulus"], trial["photo"]) if file]
            pictures = trial["choices"] if trial["kind"] in ("pick", "catch", "compare") else []
            if (shown, pictures) == (images, choices) and (trial["about"] or "").split() == (words or "").split():
                return id, trial
        raise AssertionError(f"no question shows {images}, {words}, {choices}")

    def answer(self):
        """Answer the question that stands there; parts' headings are passed."""
        self.page.locator(".ask, .page h1").first.wait_for()
        while not self.page.locator(".ask").count():
            self.page.get_by_role("button", name="Start").click()
            self.page.locator(".ask, .page h1").first.wait_for()
        id, trial = self.current()
        kind = trial["kind"]
        self.look(id, kind)
        number = sum(self.study["trials"][other]["kind"] == kind for other in self.done)
        if number % 2 == 1 and kind != "catch":
            self.page.locator(".cannot-tell").click()
            self.done[id] = None
        else:
            self.done[id] = getattr(self, kind, self.choose)(id, trial)
        self.page.wait_for_function("before => document.querySelector('.ask') !== before", arg=self.stood)

    def look(self, id, kind):
        self.stood = self.page.locator(".ask").element_handle()
        if kind not in self.told:
            self.told.add(kind)
            self.visit.shot(f"{len(self.told)}-{kind}")
        self.measured.append((kind, self.visit.overflow()))
        sizes = self.page.locator("button:visible, .line").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect()).map(box => Math.min(box.width, box.height))"
        )
        assert min(sizes) >= 44, f"{kind}: a button of {min(sizes)} px"

    def choose(self, id, trial):
        at = (len(self.done) * 7) % len(trial["choices"])
        self.page.locator(".choice").nth(at).click()
        return at

    def catch(self, id, trial):
        at = self.right[id]
        self.page.locator(".choice").nth(at).click()
        return at

    def name(self, id, trial):
        line = self.page.locator(".line")
        assert self.page.locator("#done").is_disabled()
        # What a hand types goes in by the keyboard; half a character can only be pasted.
        line.evaluate("(one, text) => { one.value = text; one.dispatchEvent(new Event('input')) }", HOSTILE)
        line.press("Enter")
        return HOSTILE.replace("\ud83d", "\ufffd")

    def draw(self, id, trial):
        box = self.page.locator(".sheet").bounding_box()
        size = self.page.viewport_size
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= size["height"], "the sheet is on the screen"
        mouse = self.page.mouse

        def to(x, y):
            mouse.move(box["x"] + (x + 1) / 2 * box["width"], box["y"] + (y + 1) / 2 * box["height"], steps=4)

        for path in [[(-0.5, -0.5), (0.5, 0.5)], [(0.5, -0.5), (-0.5, 0.5)], [(0, 0.8), (0.1, 0.8)]]:
            to(*path[0])
            mouse.down()
            to(*path[1])
            mouse.up()
        self.page.locator("#undo").click()
        self.visit.shot("drawn")
        last = self.page.locator(".cannot-tell").bounding_box()
        assert last["y"] + last["height"] <= size["height"], "all stands on one screen"
        self.page.locator("#done").click()
        return [[(-0.5, -0.5), (0.5, 0.5)], [(0.5, -0.5), (-0.5, 0.5)]]


@pytest.mark.parametrize(("size", "shown"), [(DESKTOP, "raster"), (PHONE, "vector")], ids=["desktop", "phone"])
def test_every_kind_of_question_saves_what_was_done(chromium, world, bundle, tmp_path, size, shown):
    study = world.export(tmp_path / "study", design=design(shown=shown), runs=["one", "two"], parts=bundle)
    visit = Visit(chromium, study, size, tmp_path, query="?list=1")
    sitting = Sitting(visit, study)
    sitting.right = {row["trial"]: int(row["target"]) for row in read_table(study.key) if row["kind"] == "catch"}
    sitting.start()
    many = len(sitting.study["lists"][0]) + len(sitting.study["catch"])
    for _ in range(many - 1):
        sitting.answer()
    saved = visit.save(sitting.answer)
    visit.shot("end")
    assert visit.outside == []
    assert visit.complaints == []
    assert visit.page.evaluate("window.hacked") is None
    assert {kind for kind, over in sitting.measured if over > 0} == set(), "something is wider than the screen"
    rows = json.loads(saved.read_text(encoding="utf-8"))
    answers = {row["trial"]: row for row in rows if row["kind"] in (*sitting.told,)}
    assert answers.keys() == sitting.done.keys()
    assert [row["position"] for row in answers.values()] == list(range(1, many + 1))
    key = read_key(study.key, sitting.study)
    for id, row in answers.items():
        holds(row, sitting.done[id], sitting.study["trials"][id], key[id])
    kinds = [answers[id]["kind"] for id in answers]
    first = kinds.index("pick")
    assert "name" not in kinds[first:]
    assert not {"catch", "pick", "class"} & set(kinds[: kinds.index("draw")])
    assert rows[-1]["kind"] == "end"
    assert rows[-1]["answers"] == many


def holds(row, done, trial, key):
    """The saved row says what was done."""
    assert row["kind"] == trial["kind"] == key.kind
    assert row["rt"] > 0
    many = len(trial["choices"])
    free = row["kind"] in ("name", "draw")
    if done is None:
        assert row["choice"] == "cannot-tell"
        assert row["response"] == (None if free else many)
    elif row["kind"] == "name":
        assert (row["response"], row["choice"]) == (done, "named")
    elif row["kind"] == "draw":
        assert row["choice"] == "drawn"
        strokes = strokes_drawn(row["response"])
        assert strokes.count == len(done)
        for drawn, (start, end) in zip(strokes.points.tolist(), done, strict=True):
            assert math.dist(drawn[0], start) < 0.03
            assert math.dist(drawn[-1], end) < 0.03
        times = [t for stroke in row["response"] for _, _, t in stroke]
        assert times == sorted(times)
    else:
        chosen = trial["choices"][done]
        files = row["kind"] in ("pick", "catch", "compare")
        assert row["response"] == done
        assert row["choice"] == (chosen.split("/")[1] if files else chosen)


def test_a_drawing_is_made_by_keys_alone(chromium, world, bundle, tmp_path):
    study = world.export(
        tmp_path / "study", design={"parts": [{"kind": "draw", "trials": 1}], "catch": 0}, parts=bundle
    )
    visit = Visit(chromium, study, DESKTOP, tmp_path)
    keys = visit.page.keyboard
    visit.page.get_by_role("button", name="I agree").focus()
    keys.press("Enter")
    for _ in range(2):
        visit.page.locator("#jspsych-instructions-next").focus()
        keys.press("Enter")
    visit.page.locator(".sheet").wait_for()
    while visit.page.evaluate("document.activeElement.className") != "sheet":
        keys.press("Tab")
    for key in ["ArrowLeft", "ArrowUp", " ", "ArrowRight", "ArrowRight", " ", "ArrowDown", " ", "ArrowLeft"]:
        keys.press(key)
    visit.shot("keys")
    visit.page.locator("#done").focus()
    saved = visit.save(lambda: keys.press("Enter"))
    (row,) = [row for row in json.loads(saved.read_text()) if row["kind"] == "draw"]
    points = [[[x, y] for x, y, _ in stroke] for stroke in row["response"]]
    assert points == [[[-100, -100], [0, -100], [100, -100]], [[100, 0], [0, 0]]]
    assert visit.complaints == []
