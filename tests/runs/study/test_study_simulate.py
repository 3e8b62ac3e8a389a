"""Agents sit a study: from a run to a study, through a browser, to files of answers and numbers."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from raster import InputError
from runs.config import Config
from runs.run import Run
from runs.start import launch, load
from runs.study import export, score
from runs.study.config import StudyConfig
from runs.study.drawn import strokes_drawn
from runs.study.eyes import EncoderEye, ReceiverEye, eye_of
from runs.study.key import read_key
from runs.study.results import read_study
from runs.study.simulating import answers_of, simulate

EVERY = [
    {"kind": "name", "trials": 2},
    {"kind": "pick", "trials": 4},
    {"kind": "class", "trials": 4},
    {"kind": "rate", "trials": 2},
    {"kind": "compare", "trials": 2, "against": "other"},
    {"kind": "compare", "trials": 2, "against": "other", "asks": "shows"},
    {"kind": "draw", "trials": 1},
    {"kind": "draw", "trials": 1, "shows": "word"},
]


@pytest.fixture(scope="module")
def run(small: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Digits that a receiver has learned a little of. Look, do not write."""
    one = {"kind": "referential", "view": "same", "candidates": 10}
    config = small(game=one, train={"steps": 12}, measure={"test_pools": 12})
    return launch(config, tmp_path_factory.mktemp("sat") / "run", progress=False, device="cpu")


@pytest.fixture(scope="module", params=["raster", "vector"])
def sat(request, run, tmp_path_factory):
    """A study of that run of every kind, and what its own receiver answers."""
    design = StudyConfig.model_validate({"parts": EVERY, "shown": request.param})
    made = export(run.folder.path, tmp_path_factory.mktemp("study") / "study", design=design, offline=False)
    study = read_study(made.path)
    return made, study, answers_of(study, made.path, 1, ReceiverEye(run))


def test_its_own_receiver_answers_as_the_key_says(sat):
    made, study, answers = sat
    key = read_key(made.key, study)
    same = [answers[id] == row.agent_choice for id, row in key.items() if row.kind == "pick"]
    # What people see of a raster has 8 bits, and of either four decimals: a tie may fall otherwise.
    assert sum(same) >= len(same) - 1
    assert all(answers[id] == row.target for id, row in key.items() if row.kind == "catch")


def test_every_kind_of_question_has_an_answer_that_a_person_could_give(sat):
    _, study, answers = sat
    assert answers.keys() == study["trials"].keys()
    for id, given in answers.items():
        trial = study["trials"][id]
        if trial["kind"] == "name":
            assert given in {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
        elif trial["kind"] == "draw":
            strokes = strokes_drawn(given)
            assert strokes.count == 4
            assert strokes.points.abs().max() <= 2
        else:
            assert 0 <= given < len(trial["choices"])


def test_a_warm_participant_draws_its_choices_by_their_probabilities(run, sat):
    made, study, cold = sat
    eye = ReceiverEye(run)
    warm = [answers_of(study, made.path, 1, eye, temperature=1.0, seed=seed) for seed in range(3)]
    assert answers_of(study, made.path, 1, eye, temperature=1.0, seed=1) == warm[1]
    assert len({json.dumps(each) for each in (*warm, cold)}) > 1


class Colours:
    """A stand-in for CLIP: it embeds pictures by their grey rows, and words by their number."""

    def pictures(self, rgb):
        return torch.nn.functional.adaptive_avg_pool2d(rgb.mean(1, keepdim=True), (10, 1)).flatten(1)

    def words(self, texts):
        assert all(text.startswith("a drawing of a ") for text in texts)
        return torch.eye(10)[[int(text[-1]) for text in texts]]


def test_an_encoder_of_pictures_and_words_can_sit_it_too(sat):
    made, study, _ = sat
    colours = Colours()
    eye = EncoderEye(colours.pictures, colours.words, [str(digit) for digit in range(10)])
    answers = answers_of(study, made.path, 1, eye)
    by_kind = {}
    for id, given in answers.items():
        by_kind.setdefault(study["trials"][id]["kind"], []).append(given)
    assert by_kind["draw"] == [None, None]
    assert all(name in eye.vocabulary for name in by_kind["name"])
    # Without words it cannot tell what needs them, and says so.
    blind = answers_of(study, made.path, 1, EncoderEye(colours.pictures))
    for id, given in blind.items():
        trial = study["trials"][id]
        if trial["kind"] == "class":
            assert given == len(trial["choices"])
        if trial["kind"] == "name":
            assert given is None


@pytest.mark.slow
def test_from_a_run_through_the_browser_to_scores(chromium, run, bundle, tmp_path):
    design = StudyConfig.model_validate({"parts": [{"kind": "pick", "trials": 6}], "lists": 2})
    made = export(run.folder.path, tmp_path / "study", design=design, offline=True)
    done = simulate(made.path, ReceiverEye(load(run.folder.path)))
    assert [path.parent for path in done.files] == [tmp_path / "study-simulated"] * 2
    found = score(made.path, list(done.files), simulated=True)
    assert found.refused == ()
    assert not found.excluded
    with (found.folder / "responses.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "pick"]
    assert len({row["participant"] for row in rows}) == 2
    assert len(rows) == 12
    # The receiver's own answers come out as its own, but for a tie.
    assert sum(row["correct"] == row["agent_correct"] for row in rows) >= 11
    with pytest.raises(InputError, match="there are files already"):
        simulate(made.path, ReceiverEye(run))


@pytest.mark.slow
def test_every_kind_of_answer_goes_through_the_page_unchanged(chromium, run, bundle, tmp_path):
    design = StudyConfig.model_validate({"parts": EVERY})
    made = export(run.folder.path, tmp_path / "study", design=design, offline=True)
    (file,) = simulate(made.path, ReceiverEye(run), name="<b>agent</b> & co", seed=3).files
    rows = [row for row in json.loads(file.read_text(encoding="utf-8")) if row.get("trial")]
    study = read_study(made.path)
    assert {row["trial"]: row["response"] for row in rows} == answers_of(study, made.path, 1, ReceiverEye(run), seed=3)
    assert {row["participant"] for row in rows} == {"<b>agent</b> & co-1"}
    assert all(row["simulated"] for row in rows)


def test_what_cannot_sit_is_told_in_a_line(run, sat, tmp_path, monkeypatch):
    made, _, _ = sat
    with pytest.raises(InputError, match=r"jsPsych is not in the study's folder.*--offline"):
        simulate(made.path, ReceiverEye(run), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="no study here"):
        simulate(tmp_path, ReceiverEye(run))
    with pytest.raises(InputError, match="no sender 0 or no receiver 7"):
        ReceiverEye(run, receiver=7)
    with pytest.raises(InputError, match="no run here"):
        eye_of(str(tmp_path))
    with pytest.raises(InputError, match="leave --words out"):
        eye_of(str(tmp_path), words=Path("words.txt"))
    monkeypatch.setenv("LASCAUX_CHROMIUM", str(tmp_path / "none"))
    from runs.study.browser import browser

    pytest.importorskip("playwright")
    with pytest.raises(InputError, match="no browser at"), browser():
        pass
