"""Probes by their word: which there are, what they need, and what is said of a word or a run that does not fit."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from agents.entry_points import origins
from raster import InputError
from runs.config import Config
from runs.evidence import Evidence, Finding, gather
from runs.loading import load
from runs.probes import GROUP, NEEDS, ask_all, probe, probes, probes_of
from runs.probes._registry import _PROBES, Probe
from runs.run import Run

Make = Callable[..., Config]


@pytest.fixture
def registry() -> Iterator[None]:
    """The registered probes, put back as they were afterwards."""
    before = probes()
    yield
    _PROBES.clear()
    _PROBES.update(before)


@pytest.fixture(scope="module")
def evidence(untrained: Run) -> Evidence:
    return gather(untrained, untrained.game.parts[0], "test", 3)


def found(evidence: Evidence) -> Finding:
    return Finding(0.5, 0.4, 0.6, evidence.n, 0.5, {"blank": 0.5})


# Words


def test_every_probe_has_a_word_a_line_about_it_and_a_file_of_its_name() -> None:
    for name, each in probes().items():
        assert name == each.name and each.about and "\n" not in each.about
        if each.of == "choices":
            assert each.ask.__module__ == f"runs.probes.{name.replace('-', '_')}"


def test_configs_know_every_probe_of_their_game_and_no_other(small: Make) -> None:
    for name in probes_of(small().game):
        assert small(probes=[name]).probes == (name,)
    with pytest.raises(ValidationError, match="readable cannot be asked of a game of kind mixture: say probes"):
        small(probes=["rate", "readable"])


def test_a_word_that_is_near_a_probe_s_is_told_with_its_place() -> None:
    with pytest.raises(InputError, match=r"probes\.1: .*got 'iconicty' \(--set.*\): did you mean 'iconicity'\?"):
        load(Config, "tiny", ["probes=[rate, iconicty]"])


@pytest.mark.usefixtures("registry")
def test_a_function_of_one_s_own_is_a_probe(evidence: Evidence, small: Make) -> None:
    probe("leaning", needs=["classes"], cheap=True)(found)
    assert probes()["leaning"].cheap and small(probes=["leaning"]).probes == ("leaning",)
    assert ask_all(["leaning"], evidence)["leaning"].n == evidence.n
    assert found(evidence).n == evidence.n  # it stays the function that it was


@pytest.mark.usefixtures("registry")
def test_two_probes_of_one_name_are_refused_but_the_same_may_be_imported_twice() -> None:
    probe("leaning")(found)
    probe("leaning")(found)
    with pytest.raises(InputError, match=r"two probes are called 'leaning'.*rename one"):
        probe("leaning")(lambda evidence: found(evidence))


def test_a_need_that_nobody_knows_is_refused_at_once() -> None:
    with pytest.raises(InputError, match=r"nobody knows the need 'sound'.*there are classes"):
        probe("loud", needs=["sound"])


# What runs lack


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("need", "told"),
    [
        ("groups", "it compares groups of classes, and there are none"),
        ("artists", "it compares artists, and there are none"),
        ("scenes", "nobody knows what is in its pictures"),
    ],
)
def test_a_run_that_has_not_what_a_probe_needs_is_told_in_a_line(evidence: Evidence, need: str, told: str) -> None:
    probe("wanting", needs=[need])(found)
    with pytest.raises(InputError, match=f"probe wanting: {told}.*split 'test'") as caught:
        probes()["wanting"](evidence)
    assert "\n" not in str(caught.value)


def test_needs_hold_where_the_run_has_what_they_name(untrained: Run) -> None:
    part = untrained.game.parts[0]
    for need in ("classes", "several of a class", "one target", "strokes"):
        assert NEEDS[need](untrained, part, "test") is None


def test_needs_fail_where_it_is_missing(untrained: Run) -> None:
    gallery = SimpleNamespace(
        label=torch.tensor([0, 0, 0]),
        groups=["", ""],
        artist=torch.zeros(3, dtype=torch.long),
        artists=["one"],
        sets=None,
        splits={"test": SimpleNamespace(shown=torch.ones(3, dtype=torch.bool))},
    )
    one = SimpleNamespace(
        sender=SimpleNamespace(strokes=SimpleNamespace(count=1)), measure=SimpleNamespace(word_vectors=None)
    )
    run: Any = SimpleNamespace(gallery=gallery, config=one)
    part: Any = SimpleNamespace(targets=SimpleNamespace(kind="several"))
    for need, lack in NEEDS.items():
        told = lack(run, part, "test")
        assert told is not None and all(told), need


# Of other packages


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def mine(evidence): ...\n", r"registers no probe 'mine'.*say @probe\(\"mine\"\)"),
        ("", r"the probe 'mine' of another package fails: AttributeError"),
        ("import no_such_module_at_all\n", r"fails: ModuleNotFoundError: .*no_such_module_at_all"),
    ],
)
def test_an_entry_point_that_leads_to_no_probe_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    install(tmp_path, "odd_of_test", text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=told) as caught:
        probes()
    assert "\n" not in str(caught.value)
    sys.modules.pop("odd_of_test", None)


@pytest.mark.usefixtures("registry")
def test_a_package_s_probe_is_found_by_its_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from runs.probes import probe\n\n@probe('mine')\ndef mine(evidence):\n    '''Asks.'''\n"
    install(tmp_path, "mine_of_test", text)
    monkeypatch.syspath_prepend(tmp_path)
    assert probes()["mine"].about == "Asks."
    assert origins(GROUP) == {"mine": "odd-probe 1.0"}
    sys.modules.pop("mine_of_test")


def install(folder: Path, module: str, text: str) -> None:
    """What pip leaves of a package with a probe ``mine``: its module, and metadata with the entry point."""
    (folder / f"{module}.py").write_text(text, encoding="utf-8")
    info = folder / "odd_probe-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-probe\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[lascaux.probes]\nmine = {module}:mine\n", encoding="utf-8")


def test_a_probe_is_asked_with_one_thread_of_numpy_s_blas(evidence: Evidence) -> None:
    """Its idle threads spin: on a busy machine two of them take many times as long as one."""
    from threadpoolctl import threadpool_info

    def blas() -> set[int]:
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    before, seen = blas(), []

    def look(asked: Evidence) -> Finding:
        seen.append(blas())
        return Finding(0.0, 0.0, 0.0, asked.n, None, {})

    Probe("look", look, "choices", (), False, "")(evidence)
    assert seen == [{1}] and blas() == before
