"""One axis at a time: what a split has that is new, what stands beside it, and how much is lost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from games import Pictionary, Referential
from games.pictures import Album, Gallery, SplitConfig
from perception import TimmTrunk, Trunks
from raster import InputError
from runs.config import Config
from runs.evidence import Evidence, gather
from runs.probes import generalisation as module
from runs.probes import probes
from runs.probes._elsewhere import EVERYTHING, changed, largest, most_candidates, playable, taken_to
from runs.probes.generalisation import above, gap, generalisation, new_in
from runs.probing import pictures_named
from runs.run import Run, assemble

Make = Callable[..., Config]
DIGITS = {"kind": "digits", "size": 16}


@pytest.fixture(autouse=True)
def _a_small_eye(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of the trunk that says which distractors are near."""
    monkeypatch.setattr(module, "TRUNK", TimmTrunk(name="test_resnet", weights="random", size=32))
    monkeypatch.setattr(module, "LEVEL", 2)


@pytest.fixture(scope="module")
def untrained(small: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = small(measure={"elsewhere": {"kind": "digits"}})
    return assemble(config, tmp_path_factory.mktemp("untrained"), torch.device("cpu"))


@pytest.fixture(scope="module")
def evidence(untrained: Run) -> Evidence:
    return gather(untrained, untrained.game.parts[0], "test", 3)


# Gaps


def test_a_gap_by_hand() -> None:
    # 9 of 10 right among 2, so 0.8 above chance; 6 of 10 among 5, so 0.5.
    beside, asked = torch.arange(10) < 9, torch.arange(10) < 6
    value, low, high = gap([beside] * 4, [asked] * 4, (0.5, 0.2))
    assert value == pytest.approx(0.3) == low == high  # pools that are all alike
    assert above(0.6, 0.2) == pytest.approx(0.5)


def test_the_interval_of_a_gap_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), 0
    for seed in range(100):
        sides = []
        for rate in (0.7, 0.5):
            rates = rng.beta(10 * rate, 10 * (1 - rate), 20)
            sides.append([torch.from_numpy(rng.random(12) < each) for each in rates])
        _, low, high = gap(sides[0], sides[1], (0.1, 0.1), seed)
        held += low <= 0.2 / 0.9 <= high
    assert held >= 87  # 95 expected; 87 is four deviations away


@given(st.integers(2, 60), st.integers(2, 60), st.integers(0, 70))
def test_the_largest_that_fits_is_found(low: int, more: int, limit: int) -> None:
    high = low + more
    expected = min(limit, high) if limit >= low else None
    assert largest(lambda k: k <= limit, low, high) == expected


# What is new


def gallery(by: tuple[str, ...]) -> Gallery:
    """Twelve things by six artists, three pictures of each by each."""
    label, artist = (each.flatten() for each in np.meshgrid(np.arange(12), np.repeat(np.arange(6), 3), indexing="ij"))
    noise = np.random.default_rng(0).integers(0, 255, (len(label), 3, 8, 8)).astype(np.uint8)
    names = tuple(f"thing {number}" for number in range(12))
    artists = tuple(f"artist {number}" for number in range(6))
    album = Album(noise, label.astype(np.int64), artist.astype(np.int64), names, ("",) * 12, "made up", artists)
    split: Any = {"by": by, "validation": 0.2, "test": 0.2}
    return Gallery(album, SplitConfig.model_validate(split), Trunks())


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (("picture",), {"test": "pictures", "train": "nothing"}),
        (("class",), {"test": "things"}),
        (("artist",), {"test": "hands"}),
        (
            ("class", "artist"),
            {"test": "things and hands", "test/unseen-artist": "hands", "test/unseen-class": "things"},
        ),
        (("picture", "artist"), {"test": "hands", "test/unseen-artist": "hands"}),
        (("picture", "artist"), {"test/unseen-picture": "pictures"}),
    ],
)
def test_a_split_says_what_nobody_learned_from(by: tuple[str, ...], expected: dict[str, str]) -> None:
    made = gallery(by)
    assert {name: new_in(made, name) for name in expected} == expected


# The probe


def test_every_axis_is_a_row_with_its_gap(evidence: Evidence) -> None:
    found = probes()["generalisation"](evidence)
    assert found.table is not None and found.parts is not None
    assert list(found.table) == [
        "unseen pictures",
        "10 candidates",
        "50% nearest distractors",
        "100% nearest distractors",
        "elsewhere: digits",
    ]
    for name, row in found.table.items():
        assert row["gap, low"] <= row["gap"] <= row["gap, high"], name
        assert row["low"] <= row["rate"] <= row["high"] and row["n"] > 0, name
        assert row["gap"] == pytest.approx(above(row["beside"], 0.2) - above(row["rate"], row["chance"])), name
        assert row["ceiling"] >= row["blank"] == pytest.approx(row["chance"])
    assert found.table["10 candidates"]["chance"] == 0.1
    first = found.table["unseen pictures"]
    assert first["rate"] == evidence.rate() and found.value == first["gap"] == found.parts["unseen pictures"]
    familiar = gather(evidence.run, evidence.game, "train", 3)
    assert first["beside"] == familiar.rate()
    assert found.baselines["shuffled"] == pytest.approx(
        above(familiar.controls()["shuffled"], 0.2) - above(evidence.controls()["shuffled"], 0.2)
    )
    assert set(found.baselines) == {"blank", "shuffled", "untrained", "random", "ceiling"}


def test_near_distractors_are_nearer(evidence: Evidence) -> None:
    near = {"kind": "nearest", "trunk": module.TRUNK, "level": 2, "about": "pool"}
    games = [evidence.game, changed(evidence.game, distractors=near)]
    vectors = evidence.run.gallery.embeddings(module.TRUNK, 2)
    alike = []
    for game in games:
        assert game is not None
        pools = [vectors[play.round.pool[0]] for play in gather(evidence.run, game, "test", 8).plays]
        alike.append(float(torch.stack([(each @ each.T).mean() for each in pools]).mean()))
    assert alike[1] > alike[0]


def test_a_row_that_there_is_no_room_for_is_not_there(small: Make, tmp_path: Path) -> None:
    game = {"kind": "referential", "candidates": 10, "distractors": {"kind": "nearest", "about": "pool",
            "trunk": {"kind": "timm", "name": "test_resnet", "weights": "random", "size": 32}, "level": 2}}  # fmt: skip
    run = assemble(small(game=game), tmp_path, torch.device("cpu"))
    found = generalisation(gather(run, run.game, "test", 2))
    assert found.table is not None and list(found.table) == ["unseen pictures"]  # there are ten classes of digits


def test_a_game_of_turns_has_no_distractors_to_choose(small: Make, tmp_path: Path) -> None:
    run = assemble(
        small(game={"kind": "pictionary", "candidates": 5, "turns": 2, "strokes": 2}), tmp_path, torch.device("cpu")
    )
    found = generalisation(gather(run, run.game, "test", 2))
    assert found.table is not None and list(found.table) == ["unseen pictures", "10 candidates"]


# Elsewhere


def saved(folder: Path, classes: int, each: int) -> dict[str, Any]:
    """Pictures in a folder, a sub-folder a class."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(classes):
        (folder / f"class {number}").mkdir(parents=True)
        for place in range(each):
            pixels = rng.integers(0, 255, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"class {number}" / f"{place}.png")
    return {"kind": "folder", "path": str(folder)}


def test_the_same_agents_play_with_other_pictures_none_of_which_they_know(
    small: Make, untrained: Run, tmp_path: Path
) -> None:
    config = small(measure={"elsewhere": saved(tmp_path / "photos", 4, 12)})
    assert config.measure.elsewhere is not None
    other = taken_to(untrained, config.measure.elsewhere)
    assert other.community is untrained.community and other.gallery is not untrained.gallery
    assert other.gallery.size == untrained.gallery.size
    assert len(other.gallery) == 40 and bool(other.gallery.splits[EVERYTHING].shown.all())  # ten of a class at most
    run = replace(untrained, config=config)
    played = replace(gather(untrained, untrained.game.parts[0], "test", 2), run=run)
    found = generalisation(played)
    assert found.table is not None
    row = found.table["elsewhere: folder"]
    assert row["chance"] == 0.25  # four classes, so four candidates, and as many of digits beside them


def test_pictures_without_a_second_of_their_class_are_played_as_they_are(small: Make, tmp_path: Path) -> None:
    config = small(measure={"elsewhere": saved(tmp_path / "photos", 6, 1)})
    run = assemble(config, tmp_path / "run", torch.device("cpu"))
    found = generalisation(gather(run, run.game.parts[1], "test", 2))  # another picture of the class
    assert found.table is not None and list(found.table)[-1] == "elsewhere: folder, view same"


def test_too_few_pictures_elsewhere_are_told_in_a_line(small: Make, tmp_path: Path) -> None:
    config = small(measure={"elsewhere": saved(tmp_path / "photos", 1, 4)})
    run = assemble(config, tmp_path / "run", torch.device("cpu"))
    with pytest.raises(InputError, match="no game can be played with the pictures elsewhere") as caught:
        generalisation(gather(run, run.game.parts[0], "test", 2))
    assert "\n" not in str(caught.value)


def test_a_changed_game_keeps_all_else_and_is_none_where_it_cannot_be(evidence: Evidence) -> None:
    game = Referential(candidates=5, hands="one", pool="photos")
    assert changed(game, candidates=9) == Referential(candidates=9, hands="one", pool="photos")
    assert changed(game, candidates=1) is None and changed(Pictionary(), distractors={"kind": "random"}) is None
    gallery = evidence.run.gallery
    assert playable(Referential(candidates=10), gallery, "test")
    assert not playable(Referential(candidates=11), gallery, "test")
    assert most_candidates(Referential(candidates=5), gallery, "test", 80) == Referential(candidates=10)
    assert most_candidates(Referential(candidates=5, hands="one"), gallery, "test", 7) == Referential(
        candidates=7, hands="one"
    )


def test_pictures_are_named_by_their_folder_or_their_kind(tmp_path: Path) -> None:
    assert pictures_named(str(tmp_path)).kind == "folder" and pictures_named("digits").kind == "digits"
    for word in ("photos", "npz", ""):
        with pytest.raises(InputError, match=r"no pictures '.*' \(--elsewhere\): give a folder"):
            pictures_named(word)
