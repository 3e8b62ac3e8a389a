"""Every topology is what its name says, leaves nobody out by rounding, and a wrong one is told in a line."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from agents.meetings import Sampler
from agents.topologies import Topology
from raster import InputError

KINDS: list[dict[str, Any]] = [
    {"kind": "full"},
    {"kind": "pair"},
    {"kind": "ring"},
    {"kind": "small_world", "rewire": 0.5},
    {"kind": "blocks"},
    {"kind": "islands", "leak": 0.1},
    {"kind": "bipartite"},
    {"kind": "scale_free"},
    {"kind": "grid"},
    {"kind": "star"},
]
SIZES = st.integers(2, 12)


def topology(**keys: Any) -> Any:
    return TypeAdapter(Topology).validate_python(keys)


def weights(senders: int, receivers: int, **keys: Any) -> torch.Tensor:
    return topology(**keys).matrix(senders, receivers)


def links(matrix: torch.Tensor) -> list[list[int]]:
    return [row.nonzero()[:, 0].tolist() for row in matrix]


@pytest.mark.parametrize("keys", KINDS, ids=lambda keys: keys["kind"])
@settings(max_examples=20)
@given(senders=SIZES, receivers=SIZES)
def test_everybody_can_meet_somebody(keys: dict[str, Any], senders: int, receivers: int) -> None:
    matrix = weights(senders, receivers, **keys)
    assert matrix.shape == (senders, receivers)
    assert (matrix >= 0).all() and matrix.isfinite().all()
    assert (matrix.sum(dim=1) > 0).all() and (matrix.sum(dim=0) > 0).all()
    assert torch.equal(matrix, weights(senders, receivers, **keys))  # the same each time, without a global seed


def test_small_ones_by_hand() -> None:
    assert links(weights(3, 3, kind="pair")) == [[0], [1], [2]]
    assert links(weights(2, 4, kind="pair")) == [[0, 1], [2, 3]]
    assert links(weights(5, 5, kind="ring")) == [[0, 1, 4], [0, 1, 2], [1, 2, 3], [2, 3, 4], [0, 3, 4]]
    assert links(weights(4, 4, kind="blocks")) == [[0, 1], [0, 1], [2, 3], [2, 3]]
    assert links(weights(4, 4, kind="bipartite")) == [[2, 3], [2, 3], [0, 1], [0, 1]]
    assert links(weights(3, 3, kind="star", hub=1)) == [[1], [0, 1, 2], [1]]
    # 0 1
    # 2 3
    assert links(weights(4, 4, kind="grid")) == [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]
    assert links(weights(4, 4, kind="grid", columns=4)) == [[0, 1], [0, 1, 2], [1, 2, 3], [2, 3]]
    assert weights(2, 2, kind="islands", leak=0.25).tolist() == [[1, 0.25], [0.25, 1]]


@settings(max_examples=30)
@given(count=st.integers(6, 16), seed=st.integers(0, 99), rewire=st.sampled_from([0.0, 0.3, 1.0]))
def test_a_small_world_keeps_its_links_and_its_pairs(count: int, seed: int, rewire: float) -> None:
    ring = weights(count, count, kind="ring", neighbours=2)
    world = weights(count, count, kind="small_world", neighbours=2, rewire=rewire, seed=seed)
    assert torch.equal(world.sum(dim=1), ring.sum(dim=1)) and (world.diagonal() == 1).all()
    assert torch.equal(world, ring) == (rewire == 0.0) or rewire == 0.3


@settings(max_examples=30)
@given(count=st.integers(8, 30), seed=st.integers(0, 20))
def test_a_scale_free_graph_has_hubs(count: int, seed: int) -> None:
    graph = weights(count, count, kind="scale_free", links=2, seed=seed)
    assert torch.equal(graph, graph.T) and (graph.diagonal() == 1).all()
    assert int(graph.sum()) == count + 2 * (1 + 2 * (count - 2))  # 1 link of the second place, 2 of each further one


def test_a_scale_free_graph_is_less_even_than_a_ring() -> None:
    degrees = weights(200, 200, kind="scale_free", links=2).sum(dim=1)
    assert degrees.max() > 5 * degrees.median()  # a ring's are all alike, and so are a random graph's, nearly


def test_islands_are_told_apart() -> None:
    assert topology(kind="islands", count=2).islands(4, 4).tolist() == [0, 0, 1, 1]
    assert topology(kind="blocks", count=2).islands(6, 3).tolist() == [0, 0, 0, 0, 1, 1]
    assert topology(kind="ring").islands(3, 3).tolist() == [0, 0, 0]


def test_a_file_gives_any_weights(tmp_path: Path) -> None:
    path = tmp_path / "meetings.json"
    path.write_text("[[1, 0, 2.5], [0, 0, 1]]")
    assert weights(2, 3, kind="file", path=str(path)).tolist() == [[1, 0, 2.5], [0, 0, 1]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[1, 0]", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("{}", "write 2 rows of 2"),
        ("[[1, 0]]", "write 2 rows of 2"),
        ("[[1, 0], [1]]", "write 2 rows of 2"),
        ("[[1, -0.5], [0, 1]]", r"row 0, column 1 is -0.5"),
        ("[[1, NaN], [0, 1]]", r"row 0, column 1 is nan"),
        ('[[1, "2"], [0, 1]]', r"row 0, column 1 is '2'"),
        ("[[1, true], [0, 1]]", r"row 0, column 1 is True"),
        ("[[0, 0], [0, 0]]", "nobody meets anybody"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_file_is_told_in_a_line(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "meetings.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        weights(2, 2, kind="file", path=str(path))
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    "keys", [{"kind": "blocks", "count": 4}, {"kind": "star", "hub": 3}, {"kind": "islands", "count": 9}]
)
def test_more_blocks_than_places_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"community\.topology"):
        weights(3, 5, **keys)


# Meetings


def matrices() -> st.SearchStrategy[torch.Tensor]:
    cell = st.sampled_from([0.0, 0.0, 0.5, 1.0, 7.0])
    shapes = st.tuples(st.integers(1, 6), st.integers(1, 6))
    drawn = shapes.flatmap(
        lambda s: st.lists(st.lists(cell, min_size=s[1], max_size=s[1]), min_size=s[0], max_size=s[0])
    )
    return drawn.map(lambda rows: torch.tensor(rows, dtype=torch.float64)).filter(lambda m: bool((m > 0).any()))


@settings(max_examples=50)
@given(matrix=matrices(), seed=st.integers(0, 999))
def test_a_matching_pairs_nobody_twice_and_leaves_no_pair_over(matrix: torch.Tensor, seed: int) -> None:
    met = Sampler(matrix).matching(None, torch.Generator().manual_seed(seed))
    senders, receivers = [s for s, _ in met], [r for _, r in met]
    assert len(set(senders)) == len(senders) and len(set(receivers)) == len(receivers)
    assert all(matrix[pair] > 0 for pair in met)
    left = matrix.clone()
    left[senders] = 0
    left[:, receivers] = 0
    assert not (left > 0).any()
    assert met == sorted(met)


@settings(max_examples=50)
@given(matrix=matrices(), seed=st.integers(0, 999), count=st.integers(1, 9))
def test_independent_meetings_keep_to_the_support(matrix: torch.Tensor, seed: int, count: int) -> None:
    met = Sampler(matrix).independent(count, torch.Generator().manual_seed(seed))
    assert len(met) == count and all(matrix[pair] > 0 for pair in met)


def test_a_matching_of_all_with_all_is_a_fair_permutation() -> None:
    sampler, generator = Sampler(torch.ones(4, 4)), torch.Generator().manual_seed(0)
    counts = torch.zeros(4, 4)
    for _ in range(4000):
        met = sampler.matching(None, generator)
        assert [s for s, _ in met] == [0, 1, 2, 3]
        for pair in met:
            counts[pair] += 1
    assert (counts / 4000 - 0.25).abs().max() < 0.035  # five standard deviations


def test_a_matching_follows_the_weights_of_a_row_and_stops_at_its_count() -> None:
    sampler, generator = Sampler(torch.tensor([[3.0, 1.0, 0.0]])), torch.Generator().manual_seed(0)
    first = sum(sampler.matching(None, generator) == [(0, 0)] for _ in range(4000)) / 4000
    assert abs(first - 0.75) < 0.035
    assert len(Sampler(torch.ones(5, 5)).matching(2, generator)) == 2


def test_the_file_of_a_matrix_is_what_the_sampler_draws_from(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps([[0, 1], [0, 0]]))
    met = Sampler(weights(2, 2, kind="file", path=str(path))).independent(20, torch.Generator().manual_seed(0))
    assert set(met) == {(0, 1)}
