"""From a run to its study, from the study to networks' scores of its drawings, and from these to people's answers."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from perception import TimmTrunk
from raster import InputError
from runs.cli import app
from runs.config import Config
from runs.run import Run
from runs.start import launch
from runs.study import export
from runs.study.config import StudyConfig
from runs.study.eyes import PHOTOS_ALONE, EncoderEye, ReceiverEye, eye_of
from runs.study.files import read_table
from runs.study.intervals import crossed
from runs.study.key import read_key
from runs.study.relations import correlate, stand_ins_beside
from runs.study.results import read_study
from runs.study.simulating import how_sure
from runs.study.stand_ins import drawings_of, stand_in_scores
from tests.cli.telling import refused
from tests.runs.study.rooms import Room

ASKED = [
    {"kind": "name", "trials": 2},
    {"kind": "pick", "trials": 40},
    {"kind": "class", "trials": 4},
    {"kind": "rate", "trials": 3},
    {"kind": "compare", "trials": 2, "against": "other"},
    {"kind": "draw", "trials": 1},
]


@pytest.fixture(scope="module")
def run(small: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Digits that a receiver has learned a little of. Look, do not write."""
    one = {"kind": "referential", "view": "same", "candidates": 10}
    config = small(game=one, train={"steps": 12}, measure={"test_pools": 12})
    return launch(config, tmp_path_factory.mktemp("seen") / "run", progress=False, device="cpu")


@pytest.fixture
def made(run: Run, tmp_path, monkeypatch: pytest.MonkeyPatch):
    """A study of that run, with a small network in the place of the judge."""
    monkeypatch.setitem(PHOTOS_ALONE, "judge", TimmTrunk(name="test_resnet", weights="random", size=32))
    return export(
        run.folder.path, tmp_path / "study", design=StudyConfig.model_validate({"parts": ASKED}), offline=False
    )


def test_a_receiver_is_as_sure_of_its_own_drawings_as_the_key_says(run: Run, made: SimpleNamespace) -> None:
    study = read_study(made.path)
    key = read_key(made.key, study)
    found = how_sure(study, made.path, ReceiverEye(run), {id: row.target for id, row in key.items()})
    kinds = {id: row.kind for id, row in key.items()}
    assert {kinds[id] for id in found} == {"pick", "class", "rate", "compare"}
    assert all(0 <= each <= 1 for each in found.values())
    for id, row in key.items():
        if row.kind == "pick":
            assert found[id] == pytest.approx(row.agent_probability, abs=0.02)  # people's raster has 8 bits


def test_who_reads_no_words_says_nothing_of_classes(made: SimpleNamespace) -> None:
    study = read_study(made.path)
    key = read_key(made.key, study)
    eye = eye_of("judge", drawings=drawings_of(study, made.path))
    found = how_sure(study, made.path, eye, {id: row.target for id, row in key.items()})
    assert {key[id].kind for id in found} == {"pick", "rate", "compare"}


def test_drawings_are_seen_beside_their_mean_and_pictures_beside_theirs(made: SimpleNamespace) -> None:
    study = read_study(made.path)
    drawings = drawings_of(study, made.path)
    eye = eye_of("judge", drawings=drawings)
    assert isinstance(eye, EncoderEye)
    # What all drawings have in common, however large, changes nothing.
    photos = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before = eye.alike(drawings[:2], photos)
    plain = eye.drawn
    eye.drawn = lambda some: plain(some) + 100.0  # type: ignore[method-assign]
    assert eye.middle is not None
    eye.middle = eye.middle + 100.0
    torch.testing.assert_close(eye.alike(drawings[:2], photos), before, rtol=1e-2, atol=1e-2)


def test_people_who_see_as_a_network_does_are_predicted_by_it_and_by_no_other(
    run: Run, made: SimpleNamespace, tmp_path
) -> None:
    path = stand_in_scores(made.path, ["judge", str(run.folder.path)])
    assert path == stand_ins_beside(made.path) and path.name == "study-stand-ins.csv"
    seen = {row["sketch"]: float(row["judge"]) for row in read_table(path) if row["judge"]}
    room = Room(made, tmp_path)
    rng = np.random.default_rng(0)
    picks = [id for id, trial in room.data["trials"].items() if trial["kind"] == "pick"]
    easy = {id: (place + 0.5) / len(picks) for place, id in enumerate(sorted(picks, key=lambda id: seen[id]))}

    def person(id: str, target: int | None, many: int) -> int | str | list | None:
        kind = room.data["trials"][id]["kind"]
        if kind in ("name", "draw"):
            return None
        if kind != "pick" or rng.random() < easy[id]:
            return target or 0
        return ((target or 0) + 1) % many

    files = [room.file(f"p{number}", person) for number in range(30)]
    found = room.score(*files).everyone.questions["pick"]
    judge, noise = (found.correlations[name] for name in ("judge", str(run.folder.path)))
    assert judge.n == 40 and judge.rho > 0.85 and judge.interval[0] > 0.6 and judge.p < 0.01
    assert found.ceiling > 0.9 and judge.of_ceiling == pytest.approx(judge.rho / found.ceiling)
    assert 0.85 < judge.of_ceiling < 1.1
    assert abs(noise.rho) < judge.rho - 0.3
    assert "goes with judge" in room.printed and "ceiling" in room.printed
    assert "of the ceiling" in (tmp_path / "study-scores" / "report.html").read_text()


def test_what_was_said_of_another_export_is_refused(made: SimpleNamespace, tmp_path) -> None:
    path = stand_in_scores(made.path, ["judge"])
    path.write_text(path.read_text().replace(made.id, "f" * 16))
    room = Room(made, tmp_path)
    with pytest.raises(InputError, match="saw another study"):
        room.score(room.file("anna", lambda id, target, many: target or 0 if many else None))


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Of studies with other people and other drawings each, in which a score tells how readable a drawing is."""
    rng = np.random.default_rng(0)

    def study(people: int, drawings: int) -> tuple[np.ndarray, np.ndarray]:
        easy = rng.uniform(0.1, 0.9, drawings)
        score = easy + rng.normal(0, 0.2, drawings)
        return rng.random((people, drawings)) < easy, score

    right, score = study(12, 200_00)
    truth = np.corrcoef(right.mean(0).argsort().argsort(), score.argsort().argsort())[0, 1]
    held = 0
    for _ in range(60):
        right, score = study(12, 40)
        names = [f"t{number:03d}" for number in range(40)]
        rows = [(f"p{who}", names[at], float(each)) for (who, at), each in np.ndenumerate(right)]
        found = correlate(crossed(*zip(*rows, strict=True)), score.tolist())
        held += found.interval[0] <= truth <= found.interval[1]
    assert held >= 50


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (["--with", "judge", "--with", "judge"], "a stand-in is named twice"),
        (["--with", "nobody"], "nobody"),
    ],
)
def test_nobody_to_look_is_told_in_a_line(made: SimpleNamespace, who: list[str], why: str) -> None:
    result = CliRunner().invoke(app, ["study", "stand-ins", str(made.path), *who])
    assert why in refused(result)
    assert not stand_ins_beside(made.path).exists()


def test_a_study_without_pictures_is_none_for_who_reads_no_words(run: Run, tmp_path) -> None:
    design = StudyConfig.model_validate({"parts": [{"kind": "name", "trials": 3}]})
    made = export(run.folder.path, tmp_path / "study", design=design, offline=False)
    with pytest.raises(InputError, match="knows nothing of any drawing"):
        stand_in_scores(made.path, [str(run.folder.path)])
