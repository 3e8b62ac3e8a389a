"""A study driven in a browser by real clicks, to the end, and scored."""

import json
import re
from functools import partial

import pytest

from runs.study import score
from runs.study.files import read_table
from tests.runs.study.visit import DESKTOP, PHONE, Visit, scored

pytestmark = pytest.mark.slow


def plan_answers(study):
    """What to click at each question: now the target, now another, now nothing told; every check is passed."""
    data = json.loads((study.path / "study.json").read_text())
    key = {row["trial"]: row for row in read_table(study.key)}
    plan = {}
    for i, (id, trial) in enumerate(sorted(data["trials"].items())):
        target, many = int(key[id]["target"]), len(trial["choices"])
        plan[trial["stimulus"]] = id, target
        if trial["kind"] == "pick":
            plan[trial["stimulus"]] = id, (target, (target + 1) % many, None)[i % 3]
    return plan


def sit(visit, study, stop=None):
    """Answer by the plan until nothing is asked (or ``stop`` answers); returns the file and what was clicked."""
    plan, clicked = plan_answers(study), {}
    many = len(plan)
    saved = None
    for i in range(stop if stop is not None else many):
        id, number = plan[visit.asked()]
        clicked[id] = number
        if i == many - 1:
            saved = visit.save(partial(visit.answer, number))
        else:
            visit.answer(number)
    return saved, clicked


@pytest.mark.parametrize(("size", "shown"), [(DESKTOP, "raster"), (PHONE, "vector")], ids=["desktop", "phone"])
def test_what_was_clicked_is_what_is_scored(chromium, world, bundle, tmp_path, size, shown):
    study = world.export(tmp_path / "study", shown=shown, parts=bundle)
    visit = Visit(chromium, study, size, tmp_path)
    visit.page.get_by_role("button", name="I agree").wait_for()
    visit.shot("1-consent")
    assert "<b>You</b>" in visit.page.locator(".consent").inner_text()
    visit.agree_and_read()
    visit.asked()
    visit.shot("2-question")
    assert visit.overflow() <= 0
    sizes = visit.page.locator(".tile, .cannot-tell").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(box => Math.min(box.width, box.height))"
    )
    assert len(sizes) == 11
    assert min(sizes) >= 44
    saved, clicked = sit(visit, study)
    visit.shot("3-end")
    code = visit.page.locator(".code").inner_text()
    assert re.fullmatch("[0-9A-F]{8}", code)
    assert code in saved.name
    assert visit.outside == []
    assert visit.complaints == []
    found = score(study.path, [saved])
    assert found.refused == ()
    assert not found.excluded
    key = {row["trial"]: row for row in read_table(study.key)}
    rows = scored(found, saved)
    assert rows.keys() == clicked.keys()
    for id, number in clicked.items():
        assert rows[id]["cannot_tell"] == str(int(number is None))
        assert rows[id]["correct"] == str(int(number == int(key[id]["target"])))
        assert int(rows[id]["rt"]) > 0


def test_a_closed_tab_loses_nothing(chromium, world, bundle, tmp_path):
    study = world.export(tmp_path / "study", parts=bundle)
    visit = Visit(chromium, study, DESKTOP, tmp_path)
    visit.agree_and_read()
    _, before = sit(visit, study, stop=3)
    visit.page.close()
    again = Visit(chromium, study, DESKTOP, tmp_path, context=visit.context)
    again.page.get_by_text("You have answered 3 of 8 questions").wait_for()
    again.shot("welcome-back")
    again.page.locator("#go-on").click()
    plan, after = plan_answers(study), {}
    for i in range(5):
        id, number = plan[again.asked()]
        after[id] = number
        if i < 4:
            again.answer(number)
    first = again.save(partial(again.answer, number))
    assert before.keys().isdisjoint(after.keys())
    assert len(before | after) == 8
    # Opened once more, the finished study still has the file, the same to the last answer.
    again.page.close()
    last = Visit(chromium, study, DESKTOP, tmp_path, context=visit.context)
    last.page.locator(".code").wait_for()
    second = last.save(lambda: last.page.locator("#again").click())
    answers = [[row.get("response") for row in json.loads(path.read_text())] for path in (first, second)]
    assert answers[0] == answers[1]
    assert again.complaints == last.complaints == []
    assert len(scored(score(study.path, [second]), second)) == 8


def test_who_does_not_agree_leaves_nothing(chromium, world, bundle, tmp_path):
    study = world.export(tmp_path / "study", parts=bundle, consent=None)
    visit = Visit(chromium, study, PHONE, tmp_path)
    no = visit.page.get_by_role("button", name="I do not agree")
    no.wait_for()
    visit.shot("placeholder")
    assert "NO CONSENT TEXT" in visit.page.locator(".placeholder").inner_text()
    no.click()
    visit.page.get_by_text("nothing is kept").wait_for()
    assert visit.page.evaluate("Object.keys(localStorage).length") == 0
    assert visit.complaints == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_sixty_four_candidates_can_be_seen_and_reached_by_keys(chromium, worlds, bundle, tmp_path, size):
    many = worlds(classes=tuple(f"thing {i}" for i in range(64)), candidates=64, pools=1)
    study = many.export(tmp_path / "study", parts=bundle, trials=2)
    visit = Visit(chromium, study, size, tmp_path, query="?participant=P1&list=1")
    visit.agree_and_read()
    visit.asked()
    visit.shot("sixty-four")
    assert visit.overflow() <= 0
    boxes = visit.page.locator(".tile").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(b => [b.left, b.right, b.top, b.bottom, b.width])"
    )
    assert len(boxes) == 64
    assert min(width for *_, width in boxes) >= 44
    assert all(left >= 0 and right <= size["width"] for left, right, *_ in boxes)
    assert max(bottom for _, _, _, bottom, _ in boxes) <= size["height"], "all candidates stand on one screen"
    last = visit.page.locator(".cannot-tell").bounding_box()
    assert last["y"] + last["height"] <= size["height"]
    columns = sum(top == boxes[0][2] for _, _, top, _, _ in boxes)
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        visit.page.keyboard.press(key)
    assert visit.page.evaluate("document.activeElement.ariaLabel") == f"Picture {columns + 2} of 64"
    before = visit.asked()
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_function("b => document.querySelector('.ask img').getAttribute('src') !== b", arg=before)
    kept = visit.page.evaluate("Object.values(localStorage).map(text => JSON.parse(text))")
    answered = [row for row in kept[0]["rows"] if row["kind"] in ("pick", "catch")]
    assert [row["response"] for row in answered] == [columns + 1]
    assert kept[0]["participant"] == "P1"
    assert visit.complaints == []


@pytest.mark.parametrize("mode", ["data-only", "visual"])
def test_a_simulated_run_answers_as_told_and_is_no_data(chromium, world, bundle, tmp_path, mode):
    study = world.export(tmp_path / "study", parts=bundle, trials=2)
    told = {id: 10 if number is None else number for id, number in plan_answers(study).values()}
    query = f"?simulate={mode}&answers=" + ",".join(f"{id}:{number}" for id, number in told.items())
    visit = Visit(chromium, study, DESKTOP, tmp_path, query="?participant=other")
    with visit.page.expect_download(timeout=60_000) as download:
        visit.page.goto((study.path / "index.html").as_uri() + query)
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert "DEBUG" in visit.page.locator(".debug").inner_text()
    rows = json.loads(saved.read_text())
    assert {row["trial"]: row["response"] for row in rows if row["kind"] in ("pick", "catch")} == told
    assert visit.page.evaluate("Object.keys(localStorage).length") == 0
    visit.shot("simulated")
    with pytest.raises(ValueError, match="a simulated run, not data"):
        score(study.path, [saved])
    assert score(study.path, [saved], simulated=True).simulated
    assert visit.complaints == []
