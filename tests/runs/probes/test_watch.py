"""Probes while agents learn: when, on what, the same after a kill, and nothing of it in learning itself."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from perception import TimmTrunk
from runs import sketches
from runs.config import Config
from runs.evidence import Evidence, Finding
from runs.folder import lines, read_json
from runs.probes import probe, probes
from runs.probes._registry import _PROBES
from runs.run import Run, assemble
from runs.start import launch
from runs.watch import Watch, flat

Make = Callable[..., Config]
ASKED = {"probes": ["rate", "iconicity", "symbolicity"], "measure": {"probes_every": 2, "probes_pools": 3}}


@pytest.fixture(autouse=True)
def small_eye(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small network with random weights in the judge's place."""
    monkeypatch.setattr(sketches, "JUDGE", TimmTrunk(name="test_resnet", weights="random", size=32))


@pytest.fixture
def registry() -> Iterator[None]:
    before = probes()
    yield
    _PROBES.clear()
    _PROBES.update(before)


def asked(run: Run) -> list[dict[str, Any]]:
    return [line for line in lines(run.folder.metrics) if line["split"] == "probes"]


def test_probes_are_asked_on_a_schedule_and_the_same_after_a_kill(
    small: Make, whole_and_resumed: Callable[[Config, int], tuple[Run, Run]]
) -> None:
    whole, resumed = whole_and_resumed(small(**ASKED), 5)
    found = asked(whole)
    assert [line["step"] for line in found] == [2, 4, 6]
    assert found == asked(resumed)  # the kill came after step 5: the checkpoint of step 4 had been written
    for line in found:
        assert {"iconicity", "iconicity.low", "iconicity.baselines.untrained", "symbolicity"} <= line.keys()
        assert "rate" not in line  # validation has it
    events = EventAccumulator(str(resumed.folder.path))
    events.Reload()
    curve = events.Scalars("probes/iconicity")
    assert [(each.step, pytest.approx(each.value)) for each in curve] == [
        (line["step"], line["iconicity"]) for line in found
    ]
    weights = [run.community.state_dict() for run in (whole, resumed)]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    _learned_as_without(small, whole)


def _learned_as_without(small: Make, run: Run) -> None:
    """Agents learn what they learn when nobody asks."""
    alone = launch(small(), run.folder.path.parent / "alone", progress=False, device="cpu")
    one, other = run.community.state_dict(), alone.community.state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert not asked(alone)


@pytest.mark.usefixtures("registry")
def test_only_validation_pictures_are_asked_about_while_agents_learn(small: Make, tmp_path: Path) -> None:
    splits = []

    @probe("spy", cheap=True)
    def spy(evidence: Evidence) -> Finding:
        """Notes what it is asked of."""
        splits.append((evidence.split, evidence.game.label, len(evidence.plays)))
        return Finding(0.0, 0.0, 0.0, evidence.n, None, {})

    config = small(probes=["spy"], measure={"probes_every": 3})
    run = launch(config, tmp_path / "run", progress=False, device="cpu")
    assert splits == [("validation", "class", 2)] * 2 + [("test", "same", 2), ("test", "class", 2)]
    # The whole answers stand in a file of their own, the numbers in the summary.
    assert read_json(run.folder.probes)["spy"]["class"]["n"] == 10
    assert read_json(run.folder.summary)["probes"]["spy"]["chance"] is None


@pytest.mark.usefixtures("registry")
def test_a_dear_probe_waits_for_the_end_and_so_do_all_where_the_config_says_so(small: Make, tmp_path: Path) -> None:
    probe("dear")(lambda evidence: Finding(0.0, 0.0, 0.0, evidence.n, None, {}))
    config = small(probes=["dear", "iconicity"])
    run = assemble(config, tmp_path, torch.device("cpu"))
    assert [each.name for each in Watch(run).probes] == ["iconicity"]
    never = config.model_copy(update={"measure": config.measure.model_copy(update={"probes_every": None})})
    run.config = never
    assert not Watch(run).due(500, True)


@pytest.mark.usefixtures("registry")
def test_a_probe_that_a_split_cannot_answer_is_left_out_with_a_line_and_learning_goes_on(
    small: Make, tmp_path: Path
) -> None:
    probe("wanting", needs=["groups"], cheap=True)(lambda evidence: Finding(0.0, 0.0, 0.0, 1, None, {}))
    run = assemble(small(probes=["wanting"]), tmp_path, torch.device("cpu"))
    watch = Watch(run)
    (line,) = watch.left_out
    assert not watch.probes and "there are none" in line and line.endswith("asked at the end, not while agents learn")


def test_what_comes_again_is_looked_at_once(small: Make, tmp_path: Path) -> None:
    run = assemble(small(**ASKED), tmp_path, torch.device("cpu"))
    watch = Watch(run)
    trunk = run.trunks[sketches.JUDGE]
    first = watch.ask()
    once = trunk.passes
    again = watch.ask()
    assert trunk.passes == once and again == first
    run.step = 1
    with torch.no_grad():
        for each in run.sender.parameters():
            each.add_(0.1)
    watch.ask()
    assert once < trunk.passes < 2 * once  # photos and what untrained senders draw are the same
    assert all(len(places) for places, _ in watch.memo.values())


def test_numbers_that_are_none_are_left_out_of_a_line() -> None:
    found = flat("one", Finding(0.5, float("nan"), 0.6, 3, None, {"blank": 0.1}, {"p": 0.2, "rho": float("nan")}))
    assert found == {"one": 0.5, "one.high": 0.6, "one.baselines.blank": 0.1, "one.parts.p": 0.2}
