"""Strokes, listening, contents, reuse: what each says of codes and receivers whose answer is known, and of a run."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from games import Referential
from perception import TimmTrunk
from raster import InputError, Strokes
from runs import sketches
from runs.config import Config
from runs.evidence import Evidence, gather
from runs.probes import _asking, probes
from runs.probes._asking import log_probability, some_games
from runs.probes._attributes import (
    GREYS,
    HUES,
    Attribute,
    attributes,
    bootstrap_by_picture,
    colour_names,
    different_drawings,
    things,
)
from runs.probes._cues import cues
from runs.probes._symbols import features, quantised
from runs.probes.contents import control_task, linear_probe, read
from runs.probes.listening import influence, on_ink
from runs.probes.reuse import held_out_error, matched_distances, reconstruction_error
from runs.probes.strokes import carried
from runs.run import Run, assemble

Make = Callable[..., Config]


@pytest.fixture(autouse=True)
def _small_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketches, "JUDGE", TimmTrunk(name="test_resnet", weights="random", size=32))


@pytest.fixture
def evidence(untrained: Run) -> Evidence:
    return gather(untrained, untrained.game.parts[0], "test", 12)


# Receivers asked again


def test_all_strokes_are_worth_what_the_receiver_said_and_none_what_it_says_of_a_blank_canvas(
    evidence: Evidence,
) -> None:
    some = some_games(evidence, 30)
    assert len(some) == 30 and some.sizes == [3] * 6 + [2] * 6
    both = torch.tensor([[False] * 4, [True] * 4]).expand(30, -1, -1)
    found = some.worth(both)
    blank = evidence.scores()["blank"]
    for number, rows, where in some.parts():
        play = evidence.plays[number]
        for side, scores in ((0, blank[number]), (1, play.scores)):
            wanted = scores.log_softmax(-1)[rows, play.round.target[rows]].double()
            torch.testing.assert_close(found[where, side], wanted, atol=1e-4, rtol=0)
    assert torch.equal(some.shown, torch.cat([evidence.plays[n].round.shown[rows] for n, rows, _ in some.parts()]))


def test_what_canvases_are_worth_does_not_depend_on_how_many_are_drawn_together(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = some_games(evidence, 12)
    sets = torch.rand(12, 5, 4, generator=torch.Generator().manual_seed(0)) > 0.5
    whole = some.worth(sets, "random")
    monkeypatch.setattr(_asking, "CHUNK", 3)
    torch.testing.assert_close(some.worth(sets, "random"), whole, atol=1e-5, rtol=0)


def test_one_target_is_a_softmax_and_several_are_judgements() -> None:
    scores, meant = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([[True, False, True]])
    one = log_probability(scores, torch.tensor([[False, True, False]]), several=False)
    assert one.item() == pytest.approx(-math.log(1 + math.e**2 + math.e**-1))
    right = 1 / (1 + math.e**-2) * 0.5 * (1 / (1 + math.e))
    assert log_probability(scores, meant, several=True).item() == pytest.approx(math.log(right))


# Strokes


def test_the_effective_number_is_n_where_all_carry_alike_and_one_where_one_carries_all(evidence: Evidence) -> None:
    found = carried(evidence)
    alike, one = torch.full((1, 7, 4), 0.5), torch.tensor([0.0, 2.0, 0.0, 0.0]).expand(1, 7, 4)
    whole = torch.tensor([0.0, 2.0]).expand(7, 2)
    for values, number in ((alike, 4.0), (one, 1.0)):
        assert replace(found, estimates=values.double(), whole=whole.double()).number() == pytest.approx(number)
    luck = torch.randn(1, 4000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = torch.stack([torch.zeros(4000, dtype=torch.float64), luck[0].sum(1)], dim=1)
    assert replace(found, estimates=luck, whole=noise).number() == pytest.approx(1, abs=0.1)


def test_what_strokes_carry_adds_up_to_what_their_drawing_does(evidence: Evidence) -> None:
    found = carried(evidence)
    torch.testing.assert_close(found.values.sum(1), found.gain, atol=1e-9, rtol=0)


def test_the_probe_of_strokes_tells_curves_controls_and_drawings(evidence: Evidence) -> None:
    found = probes()["strokes"](evidence)
    assert set(found.baselines) == {"untrained", "shuffled", "random", "ceiling"} and found.baselines["ceiling"] == 4
    assert found.low <= found.value <= found.high and found.chance == 1 and found.n == 60
    ends = {(curve.y[0], curve.y[-1]) for curve in found.curves.values()}
    assert len(found.curves) == 3 and np.ptp(np.array(list(ends)), axis=0).max() < 1e-5  # all begin and end alike
    assert found.parts is not None
    first, luck, last = (found.parts[f"{name} (area)"] for name in found.curves)
    assert first > luck > last
    assert found.table is not None and sum(row["n"] for name, row in found.table.items() if "ink" in name) == 60
    assert all(len(each.weights or ()) == 4 and each.photo is not None for each in found.pictures)
    assert probes()["strokes"](evidence) == found


# Listening


@given(st.integers(2, 6), st.integers(0, 50))
def test_influence_is_nought_where_messages_change_nothing_and_one_where_each_decides(k: int, seed: int) -> None:
    scores = torch.randn(1, k, generator=torch.Generator().manual_seed(seed))
    assert influence(scores.expand(5, k)) == pytest.approx(0, abs=1e-6)
    assert influence(200 * torch.eye(k)) == pytest.approx(1)
    assert influence(scores.expand(5, k), several=True) == pytest.approx(0, abs=1e-6)
    flips = 200 * torch.tensor([[1.0], [-1.0]]).expand(2, k)
    assert influence(flips, several=True) == pytest.approx(1)


def test_influence_is_the_mutual_information_of_message_and_choice() -> None:
    chances = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]], dtype=torch.float64)
    joint = chances / 2
    wanted = (joint * (joint / (joint.sum(0) * joint.sum(1, keepdim=True))).log()).sum() / math.log(2)  # two messages
    assert influence(chances.log()) == pytest.approx(float(wanted))


def test_saliency_on_ink_is_one_where_it_is_spread_evenly_and_large_where_it_keeps_to_the_ink() -> None:
    ink = torch.zeros(1, 4, 4)
    ink[0, 0, :2] = 1
    assert on_ink(torch.ones(1, 4, 4), ink) == pytest.approx(1)
    assert on_ink(ink, ink) == pytest.approx(8)
    assert math.isnan(on_ink(ink, torch.zeros(1, 4, 4)))


def test_the_probe_of_listening_tells_every_message(evidence: Evidence) -> None:
    found = probes()["listening"](evidence)
    assert found.table is not None and found.table["drawing"]["rate"] == pytest.approx(evidence.rate())
    rates = evidence.controls()
    for name in ("blank", "shuffled", "untrained", "random", "ceiling"):
        assert found.table[name]["rate"] == pytest.approx(rates[name]), name
    assert found.curves["rate"].y[0] == pytest.approx(evidence.rate())
    assert 0 <= found.low <= found.value <= found.high <= 1 and found.baselines["blank"] == 0
    heat = found.pictures[0].heat
    assert heat is not None and len(heat) == len(heat[0]) == 16 and max(map(max, heat)) == 1


def test_receivers_whose_games_have_candidates_of_their_own_are_asked_with_others_drawings(
    untrained: Run, evidence: Evidence
) -> None:
    play = evidence.plays[0]
    own = play.round.pool[play.round.pool_of]  # the same candidates, but a pool for each game
    apart = replace(play.round, pool=own, pool_of=torch.arange(5))
    each = replace(evidence, plays=[replace(play, round=apart)], pairs=evidence.pairs[:1])
    together = replace(evidence, plays=[play], pairs=evidence.pairs[:1])
    one, other = (probes()["listening"](some) for some in (each, together))
    assert one.value == pytest.approx(other.value, abs=1e-5) and "ceiling" not in one.baselines


# Contents


def test_a_value_that_stands_in_the_features_is_read_and_selective() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 3, 120)
    seen = np.eye(3)[values] + 0.05 * rng.standard_normal((120, 3))
    found = read(seen, Attribute("x", values, ("a", "b", "c")), np.arange(120), np.arange(120) % 4)
    assert found.right.mean() == 1 and found.selectivity.mean() > 0.4


def test_selectivity_of_noise_is_nought() -> None:
    rng = np.random.default_rng(1)
    found = [
        read(
            rng.standard_normal((120, 8)),
            Attribute("x", rng.integers(0, 3, 120), ("a", "b", "c")),
            np.arange(120),
            np.arange(120) % 4,
        ).selectivity.mean()
        for _ in range(8)
    ]
    assert abs(np.mean(found)) < 4 * np.std(found, ddof=1) / 8**0.5 + 1e-9


def test_what_was_learned_by_heart_is_as_good_on_the_control_task() -> None:
    # Types stand in the features, and each type recurs in every fold: any labelling of types can be learned.
    types = np.arange(120) % 10
    values = types % 2
    found = read(np.eye(10)[types], Attribute("x", values, ("a", "b")), types, np.arange(120) // 10 % 4)
    assert found.right.mean() == 1 and found.control.mean() > 0.95


def test_a_control_task_keeps_types_together_and_values_as_common_as_they_were() -> None:
    types, values = np.repeat(np.arange(12), 5), np.repeat(np.arange(12) % 3, 5)
    values[:5] = -1
    dealt = control_task(values, types, np.random.default_rng(0))
    assert (dealt[:5] == -1).all() and all(len(set(dealt[types == each])) == 1 for each in range(12))
    assert sorted(dealt) == sorted(values) and (dealt != values).any()


def test_a_value_that_only_the_held_out_part_has_is_not_found() -> None:
    right = linear_probe(np.arange(8.0)[:, None], np.array([0, 0, 0, 0, 0, 0, 1, -1]), np.repeat([0, 1], 4))
    assert right[:6].tolist() == [0, 0, 0, 0, 1, 1] or right[4:6].tolist() == [1, 1]
    assert right[6] == 0 and math.isnan(right[7])


def test_colours_have_the_names_that_people_give_them() -> None:
    rgb = torch.tensor(
        [[0.9, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.9], [0.9, 0.9, 0.1], [0.0, 0.0, 0.05], [1, 1, 1]]
    )
    names = [(*GREYS, *HUES)[each] for each in colour_names(rgb.float()).tolist()]
    assert names == ["red", "green", "blue", "yellow", "dark", "light"]


def test_the_thing_is_what_differs_from_the_border() -> None:
    picture = torch.full((1, 3, 8, 8), 0.9)
    picture[0, 0, 2:4, 5:7] = 0.2
    assert things(picture).nonzero()[:, 1:].tolist() == [[2, 5], [2, 6], [3, 5], [3, 6]]


def test_attributes_are_those_that_enough_pictures_have(evidence: Evidence) -> None:
    gallery = evidence.run.gallery
    shown = torch.arange(200).repeat(2)
    found = {each.name: each for each in attributes(gallery, shown)}
    assert {"class", "size", "x", "y"} <= set(found) and "group" not in found and "artist" not in found
    assert [found["class"].names[each] for each in found["class"].values] == [
        gallery.classes[each] for each in gallery.label[shown].tolist()
    ]
    assert (found["size"].values[:200] == found["size"].values[200:]).all()
    few = {each.name for each in attributes(gallery, torch.arange(3).repeat(9))}
    assert not few  # three pictures, however often


def test_a_picture_that_is_drawn_again_counts_once(evidence: Evidence) -> None:
    chosen = different_drawings(evidence)
    shown = evidence.sketches.shown
    assert len(chosen) == len(shown.unique()) < len(shown) and len(shown[chosen].unique()) == len(chosen)


def test_intervals_resample_pictures_with_all_their_drawings() -> None:
    shown = torch.tensor([7, 3, 7, 3, 7])
    seen: set[tuple[int, ...]] = set()

    def watch(index: np.ndarray) -> float:
        seen.add(tuple(sorted(index.tolist())))
        return float(len(index))

    assert bootstrap_by_picture(watch, shown) == (4.0, 6.0)
    assert seen == {(0, 1, 2, 3, 4), (0, 0, 2, 2, 4, 4), (1, 1, 3, 3)}


def test_the_probe_of_contents_tells_each_attribute(evidence: Evidence) -> None:
    found = probes()["contents"](evidence)
    assert set(found.baselines) == {"untrained", "shuffled", "random", "ceiling", "blank"}
    assert found.parts is not None and found.table is not None and set(found.parts) == set(found.table)
    row = found.table["size"]
    assert row["accuracy"] - row["control"] == pytest.approx(found.parts["size"]) and row["of"] <= math.log2(3) + 0.1
    assert found.low <= found.value <= found.high and found.n == len(different_drawings(evidence))


def test_pictures_that_do_not_differ_are_refused_in_a_line(evidence: Evidence) -> None:
    one = replace(evidence, plays=evidence.plays[:1], pairs=evidence.pairs[:1])
    with pytest.raises(InputError, match=r"probe contents: the pictures do not differ .*that 4 pictures have"):
        probes()["contents"](one)


# Reuse


def additive_code(rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
    meanings = [rng.integers(0, 4, 80), rng.integers(0, 3, 80)]
    vectors = [rng.standard_normal((4, 6)), rng.standard_normal((3, 6))]
    return sum(each[value] for each, value in zip(vectors, meanings, strict=True)), meanings


@given(st.integers(0, 30))
def test_a_code_that_adds_up_has_no_tree_reconstruction_error(seed: int) -> None:
    code, meanings = additive_code(np.random.default_rng(seed))
    assert reconstruction_error(code, meanings).max() < 1e-18
    fold = np.arange(80) % 4
    left, total = held_out_error(code, meanings, fold), held_out_error(code, [], fold)
    assert left.sum() < 1e-3 * total.sum()


def test_a_holistic_code_does_not_add_up_and_noise_explains_nothing() -> None:
    rng = np.random.default_rng(0)
    shape, colour = rng.integers(0, 2, 80), rng.integers(0, 2, 80)
    code = np.eye(1)[[0] * 80] * np.where(shape == colour, 1.0, -1.0)[:, None]  # exclusive or
    fold = np.arange(80) % 4
    assert held_out_error(code, [shape, colour], fold).sum() > 0.8 * held_out_error(code, [], fold).sum()
    noise = rng.standard_normal((80, 5))
    explained = 1 - held_out_error(noise, [shape, colour], fold).sum() / held_out_error(noise, [], fold).sum()
    assert -0.15 < explained < 0.05


def test_reconstruction_by_hand() -> None:
    # Two values, two messages each: the best vectors are their means, and 1 is left on each side of both.
    code, meaning = np.array([[0.0], [2.0], [10.0], [12.0]]), [np.array([0, 0, 1, 1])]
    assert reconstruction_error(code, meaning).tolist() == pytest.approx([1, 1, 1, 1])


def test_a_stroke_is_itself_whichever_end_it_was_begun_at() -> None:
    points = torch.rand(3, 5, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    for kind, count in (("line", 2), ("cubic", 4), ("polyline", 3)):
        some = points[:, :, :count]
        torch.testing.assert_close(features(Strokes(some, kind)), features(Strokes(some.flip(2), kind)))
    line = features(Strokes(torch.tensor([[[0.0, 0.0], [0.0, 0.6]]])))[0]  # upright: the doubled angle points back
    assert line.tolist() == pytest.approx([0, 0.3, -0.6, 0, 0.6, 0, 0], abs=1e-6)


def test_strokes_of_a_few_kinds_are_found_to_be_these() -> None:
    generator = torch.Generator().manual_seed(0)
    kinds = torch.rand(3, 2, 2, generator=generator) * 2 - 1
    of = torch.randint(3, (20, 6), generator=generator)
    presence = (torch.rand(20, 6, generator=generator) > 0.2).float()
    found = quantised(Strokes(kinds[of] + 0.01 * torch.randn(20, 6, 2, 2, generator=generator), presence=presence), 3)
    there = presence > 0
    assert found.types == 3 and (found.of[~there] == -1).all()
    pairs = {(a, b) for a, b in zip(of[there].tolist(), found.of[there].tolist(), strict=True)}
    assert len(pairs) == 3  # one to one
    assert torch.equal(found.bags().sum(1), there.sum(1).double())
    assert [int(found.of[a, b]) for a, b in found.typical.tolist()] == [0, 1, 2]


def test_drawings_are_as_far_apart_as_their_best_matching_whatever_their_order() -> None:
    what = torch.rand(2, 5, 3, generator=torch.Generator().manual_seed(0))
    shuffled = torch.stack([what[0], what[0, torch.tensor([3, 1, 4, 0, 2])], what[1]])
    found = matched_distances(shuffled)
    assert found[0, 1] == 0 and found[0, 2] == pytest.approx(found[1, 2]) and found[0, 2] > 0
    assert (found == found.T).all()


def test_independent_cues_add_up_and_redundant_ones_say_the_same(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(worth: Callable[[torch.Tensor], torch.Tensor]) -> float:
        with monkeypatch.context() as patch:
            patch.setattr(_asking.Some, "worth", lambda _, sets, control="drawings": worth(sets.double()))
            return cues(evidence)["more than its halves"]

    assert told(lambda sets: sets.sum(-1) - 9) == pytest.approx(0)  # log-probabilities that add up
    assert told(lambda sets: (sets.sum(-1) >= 2).double() - 2) == pytest.approx(-1)  # any half says all
    assert told(lambda sets: (sets.sum(-1) == 4).double() - 2) == pytest.approx(1)  # only the whole says anything


def test_the_probe_of_reuse_tells_every_measure_beside_its_controls_and_the_types_of_strokes(
    evidence: Evidence,
) -> None:
    found = probes()["reuse"](evidence)
    assert found.table is not None and found.parts is not None
    assert set(found.baselines) == {"untrained", "shuffled", "random", "ceiling"} and found.low <= found.value
    rows = set(found.table)
    assert {"tree reconstruction error", "context independence", "shared strokes", "cues: half"} <= rows
    assert "positional disentanglement" not in rows  # its hand draws all strokes at once: their order means nothing
    assert sum(name.startswith("topographic similarity") for name in rows) == 4
    assert all(each.weights and each.weights[-1] == 1 and "of strokes, in" in each.caption for each in found.pictures)


def test_games_of_several_targets_and_an_ordered_hand_can_be_asked(
    small: Make, tmp_path_factory: pytest.TempPathFactory
) -> None:
    several = {"kind": "referential", "candidates": 6, "targets": {"kind": "several", "most": 3}}
    head = {"kind": "recurrent", "width": 8, "heads": 2, "channels": [4]}
    config = small(game=several, receiver={"threshold": True}, sender={"head": head})
    run = assemble(config, tmp_path_factory.mktemp("several"), torch.device("cpu"))
    assert isinstance(run.game, Referential)
    evidence = gather(run, run.game, "test", 8)
    for name in ("strokes", "listening", "contents", "reuse"):
        found = probes()[name](evidence)
        assert found.low <= found.value <= found.high, name
        if name == "reuse":
            assert found.table is not None and "positional disentanglement" in found.table
