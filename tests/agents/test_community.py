"""Who meets whom, and who must never be among them."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from agents import Community, CommunityConfig, ReceiverConfig, SenderConfig
from games.pictures import Gallery
from perception import ConvnetTrunk
from raster import CanvasConfig, InputError
from runs.config import Config

EYE = ConvnetTrunk(channels=(4,))


def community(gallery: Gallery, seed: int = 0, **keys: Any) -> Community:
    sender = SenderConfig.model_validate({"trunk": EYE, "hidden": 4, "strokes": {"count": 2}})
    receiver = ReceiverConfig.model_validate(
        {"trunk": EYE, "hidden": 4, "dims": 4, "reader": {"kind": "convnet", "channels": (4,)}}
    )
    return Community(CommunityConfig(**keys), sender, receiver, gallery, CanvasConfig(size=16), gallery.trunks, seed)


def test_pairs_are_drawn_as_the_matrix_says(gallery: Gallery) -> None:
    one = community(gallery, senders=3, receivers=2, meetings=6000)
    one.matrix = torch.tensor([[1.0, 0.0], [3.0, 2.0], [0.0, 0.0]])
    pairs = one.sample(torch.Generator().manual_seed(0))
    assert len(pairs) == 6000
    counts = {pair: pairs.count(pair) for pair in set(pairs)}
    assert counts.keys() == {(0, 0), (1, 0), (1, 1)}
    for pair, share in {(0, 0): 1 / 6, (1, 0): 1 / 2, (1, 1): 1 / 3}.items():
        assert abs(counts[pair] / 6000 - share) < 0.03  # five standard deviations


def test_everybody_meets_everybody_and_as_many_pairs_play_as_agents(gallery: Gallery) -> None:
    one, generator = community(gallery, senders=2, receivers=3), torch.Generator().manual_seed(0)
    met = [one.sample(generator) for _ in range(60)]
    assert {len(pairs) for pairs in met} == {3}
    assert {pair for pairs in met for pair in pairs} == {(s, r) for s in range(2) for r in range(3)}


def test_meetings_hang_on_their_generator_alone(gallery: Gallery) -> None:
    one = community(gallery, senders=3, receivers=3, meetings=20)
    first, second = (one.sample(torch.Generator().manual_seed(4)) for _ in range(2))
    assert first == second != one.sample(torch.Generator().manual_seed(5))


def test_a_seed_makes_the_same_agents_and_no_two_alike(gallery: Gallery) -> None:
    one, same, other = (community(gallery, seed, senders=2, receivers=1) for seed in (1, 1, 2))
    weights = [[each.head.weight for each in these.senders] for these in (one, same, other)]
    assert torch.equal(weights[0][0], weights[1][0])
    assert not torch.equal(weights[0][0], weights[0][1])
    assert not torch.equal(weights[0][0], weights[2][0])


JUDGE = {"kind": "timm", "name": "judge"}


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        ("sender.trunk", {"sender": {"trunk": JUDGE}}),
        ("receiver.trunk", {"receiver": {"trunk": JUDGE}}),
        ("receiver.reader.trunk", {"receiver": {"reader": {"kind": "trunk", "trunk": JUDGE}}}),
        ("biases.1.trunk", {"biases": [{"kind": "ink"}, {"kind": "likeness", "trunk": JUDGE}]}),
        ("sender.trunk", {"sender": {"trunk": {"kind": "timm", "name": "tf_efficientnet_lite2"}}}),
    ],
)
def test_the_judge_is_refused_to_agents_and_losses(place: str, keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=rf"{place} is the judge, which only probes may use"):
        Config.model_validate({"pictures": {"kind": "digits"}, **keys})


def test_the_matrix_changes_on_schedule(gallery: Gallery) -> None:
    keys = {"topology": {"kind": "pair"}, "schedule": [{"at": 3, "topology": {"kind": "full"}}]}
    one = community(gallery, senders=2, receivers=2, **keys)
    found = []
    for step in range(5):
        one.arrange(step)
        found.append(int((one.matrix > 0).sum()))
    assert found == [2, 2, 2, 4, 4]
    with pytest.raises(ValidationError, match="steps must rise"):
        CommunityConfig.model_validate({"schedule": [{"at": 3, "topology": {"kind": "full"}}] * 2})


def test_who_is_not_there_meets_nobody(gallery: Gallery) -> None:
    one = community(gallery, senders=3, receivers=3)
    there = torch.tensor([True, False, True])
    one.arrange(0, there, ~there)
    assert one.sitting_out() == ([1], [0, 2])
    generator = torch.Generator().manual_seed(1)
    assert {pair for _ in range(20) for pair in one.sample(generator)} == {(0, 1), (2, 1)}
    with pytest.raises(InputError, match="nobody meets anybody"):
        one.arrange(0, there & False, there)


def test_a_step_as_a_matching_plays_everybody_once(gallery: Gallery) -> None:
    one, generator = community(gallery, senders=4, receivers=4, draw="matching"), torch.Generator().manual_seed(0)
    for _ in range(10):
        met = one.sample(generator)
        assert [s for s, _ in met] == sorted(r for _, r in met) == [0, 1, 2, 3]
