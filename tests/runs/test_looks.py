"""Each picture that differs is looked at once, and what is said of it is what a look at it alone gives."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from runs.looks import CHUNK, Kept, different, look_at, recalled


@given(st.lists(st.integers(0, 60), min_size=1, max_size=150), st.integers(1, 40), st.sets(st.integers(0, 60)))
def test_what_is_seen_is_what_each_picture_alone_shows_and_none_is_looked_at_twice(
    numbers: list[int], part: int, before: set[int]
) -> None:
    pictures = torch.rand(61, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    looked: list[int] = []

    def look(rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        looked.append(len(rgb))
        return rgb.flatten(1), rgb.mean(dim=(1, 2, 3))

    old = Kept()
    if before:
        look_at([pictures[sorted(before)]], look, old)
        assert sum(looked) == len(before)
    looked.clear()
    kept = Kept()
    keys = look_at(pictures[numbers].split(part), look, kept, old)
    assert sum(looked) == len(set(numbers) - before) and max(looked, default=0) <= CHUNK
    assert len(kept) == len(set(numbers))  # what nobody asked for again is left behind
    flat, mean = recalled(keys, kept)
    assert torch.equal(flat, pictures[numbers].flatten(1))
    assert torch.equal(mean, pictures[numbers].mean(dim=(1, 2, 3)))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_rows_are_alike_where_they_are_in_every_tensor(pairs: list[tuple[int, int]]) -> None:
    one, other = torch.tensor(pairs).double().T
    first, place = different(one[:, None], other)
    assert [pairs[row] for row in first[place].tolist()] == pairs
    assert len(first) == len(set(pairs)) and first.tolist() == sorted(pairs.index(each) for each in set(pairs))
