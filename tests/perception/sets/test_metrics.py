"""Average precision: what would have caught the two published mistakes, and cases worked by hand."""

import itertools
import math
from typing import Any, Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from perception.sets import AveragePrecision, Fields, average_precision, box_iou
from raster.errors import InputError

FIELDS = Fields(2, (2, 3))
seeds = st.integers(0, 9999)


def scene(images: int, slots: int, seed: int, twins: bool = False) -> tuple[Tensor, Tensor]:
    """Predictions and truth of 2 numbers, attributes of 2 and 3 values: any number of objects, some of them twins."""
    generator = torch.Generator().manual_seed(seed)
    kinds = [F.one_hot(torch.randint(k, (images, slots), generator=generator), k) for k in (2, 3)]
    numbers = torch.rand(images, slots, 2, generator=generator) * 2
    truth = torch.cat([numbers, *kinds, torch.ones(images, slots, 1)], -1)
    if twins and slots > 1:
        truth[:, 1] = truth[:, 0]
    there = torch.rand(images, slots, generator=generator) < 0.7
    there[0, 0] = True
    truth = (truth * there[..., None]).double()
    said = truth + 0.4 * torch.randn(truth.shape, generator=generator).double()
    return said, truth


def boxes(images: int, slots: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(images, slots, 2, generator=generator)
    size = torch.rand(images, slots, 2, generator=generator) * 0.3 + 0.05
    truth = torch.cat([corner, corner + size, torch.ones(images, slots, 1)], -1).double()
    return truth + 0.05 * torch.randn(truth.shape, generator=generator), truth


def both_ways(images: int, slots: int, seed: int) -> list[tuple[Tensor, Tensor, dict[str, Any]]]:
    return [
        (*scene(images, slots, seed, seed % 2 == 0), {"fields": FIELDS}),
        (*boxes(images, slots, seed), {"by": "iou"}),
    ]


def slow(said: Tensor, truth: Tensor, threshold: float) -> float:
    """One detection after another, one object after another; precision at each recall by looking at all later ones."""
    detections = sorted(
        ((float(d[-1]), b, d) for b, image in enumerate(said) for d in image), key=lambda each: -each[0]
    )
    taken: set[tuple[int, int]] = set()
    objects = [(b, j) for b, image in enumerate(truth) for j, o in enumerate(image) if o[-1] > 0.5]
    hits, curve = 0, []
    for seen, (_, b, d) in enumerate(detections, 1):
        near = [
            (float((d[:2] - truth[b, j, :2]).norm()), (b, j))
            for i, j in objects
            if i == b and all(d[w].argmax() == truth[b, j][w].argmax() for w in FIELDS.attributes)
        ]
        if near:
            best = min(near)[0]
            free = [o for distance, o in near if distance == best and o not in taken]
            if best <= threshold and free:
                taken.add(free[0])
                hits += 1
        curve.append((hits / len(objects), hits / seen))
    recalls = sorted({recall for recall, _ in curve} - {0.0})
    area, before = 0.0, 0.0
    for recall in recalls:
        area += (recall - before) * max(p for r, p in curve if r >= recall)
        before = recall
    return 100 * area


@settings(max_examples=40)
@given(images=st.integers(1, 4), slots=st.integers(1, 5), twins=st.booleans(), seed=seeds)
def test_it_is_what_one_gets_by_going_through_the_detections_one_by_one(
    images: int, slots: int, twins: bool, seed: int
) -> None:
    said, truth = scene(images, slots, seed, twins)
    for threshold, percent in average_precision(said, truth, FIELDS).items():
        assert percent == pytest.approx(slow(said, truth, threshold))


@settings(max_examples=30)
@given(images=st.integers(1, 4), slots=st.integers(1, 5), seed=seeds)
def test_a_perfect_answer_has_100_duplicates_and_empty_slots_or_not(images: int, slots: int, seed: int) -> None:
    for _, truth, how in both_ways(images, slots, seed):
        turned = truth[:, torch.randperm(slots, generator=torch.Generator().manual_seed(seed))]
        answer = average_precision(turned, truth, **how)
        assert answer == pytest.approx(dict.fromkeys(answer, 100.0))
        assert average_precision(turned, truth, per_image=True, **how) == pytest.approx(answer)


@settings(max_examples=30)
@given(images=st.integers(1, 4), slots=st.integers(1, 5), ties=st.booleans(), seed=seeds)
def test_no_order_matters_of_slots_objects_or_images(images: int, slots: int, ties: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for said, truth, how in both_ways(images, slots, seed):
        if ties:  # equal confidences, and positions on a grid so that distances are equal too
            said[..., -1] = (said[..., -1] > 0.5).double()
            said[..., :2], truth[..., :2] = said[..., :2].round(), truth[..., :2].round()
        one, other = (torch.randperm(slots, generator=generator) for _ in range(2))
        image = torch.randperm(images, generator=generator)
        turned = average_precision(said[image][:, one], truth[image][:, other], **how)
        assert turned == pytest.approx(average_precision(said, truth, **how))


@settings(max_examples=30)
@given(images=st.integers(1, 6), slots=st.integers(1, 4), batch=st.integers(1, 6), seed=seeds)
def test_the_size_of_batches_does_not_matter(images: int, slots: int, batch: int, seed: int) -> None:
    for said, truth, how in both_ways(images, slots, seed):
        measure = AveragePrecision(**how)
        for start in range(0, images, batch):
            measure.add(said[start : start + batch], truth[start : start + batch])
        assert measure.compute() == pytest.approx(average_precision(said, truth, **how))


@settings(max_examples=40)
@given(images=st.integers(1, 4), slots=st.integers(1, 6), ties=st.booleans(), seed=seeds)
def test_a_looser_threshold_is_never_worse(images: int, slots: int, ties: bool, seed: int) -> None:
    for said, truth, how in both_ways(images, slots, seed):
        if ties:
            said[..., -1] = (said[..., -1] > 0.5).double()
        answer = average_precision(said, truth, **how)
        tight_last = sorted(answer.items(), reverse="fields" in how)
        assert all(a[1] >= b[1] - 1e-9 for a, b in itertools.pairwise(tight_last))
        assert all(0 <= percent <= 100 + 1e-9 for percent in answer.values())


@settings(max_examples=20)
@given(images=st.integers(2, 4), seed=seeds)
def test_every_image_counts(images: int, seed: int) -> None:
    """A published evaluator looked at the first image of each batch only."""
    _, truth = scene(images, 3, seed)
    for index in range(images):
        assume(bool((truth[index, :, -1] > 0.5).any()))
        said = truth.clone()
        said[index, :, 0] += 50.0
        assert average_precision(said, truth, FIELDS, thresholds=[1.0])[1.0] < 100


def test_finding_one_object_twice_counts_once() -> None:
    truth = torch.tensor([[[0.0, 1.0], [5.0, 1.0]]])
    said = torch.tensor([[[0.0, 0.9], [0.0, 0.8]]])
    assert average_precision(said, truth, thresholds=[1.0]) == {1.0: 50.0}
    twins = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    assert average_precision(said, twins, thresholds=[1.0]) == {1.0: 100.0}


def test_a_case_worked_by_hand() -> None:
    # Three objects at 0, 10 and 20. By confidence: right, wrong, right, wrong (its object is taken), wrong.
    truth = torch.tensor([[[0.0, 1.0], [10.0, 1.0], [20.0, 1.0], [0.0, 0.0], [0.0, 0.0]]])
    said = torch.tensor([[[0.1, 0.9], [13.0, 0.8], [20.4, 0.7], [0.2, 0.6], [50.0, 0.5]]])
    # Recall 1/3 at precision 1/1, 2/3 at 2/3; the third object is never found within 1.
    wanted = 100 * (1 / 3 * 1 + 1 / 3 * 2 / 3)
    assert average_precision(said, truth, thresholds=[1.0])[1.0] == pytest.approx(wanted)
    # Within 3 the second is right as well: three of three found by the first three detections.
    assert average_precision(said, truth, thresholds=[3.0])[3.0] == pytest.approx(100)
    # Within 0.25 only the first: recall 1/3 at precision 1.
    assert average_precision(said, truth, thresholds=[0.25])[0.25] == pytest.approx(100 / 3)


def test_a_wrong_detection_takes_no_object_away() -> None:
    truth = torch.tensor([[[0.0, 1.0]]])
    said = torch.tensor([[[3.0, 0.9], [0.1, 0.8]]])
    assert average_precision(said, truth, thresholds=[1.0])[1.0] == pytest.approx(50.0)


def test_confidence_decides_and_precision_is_interpolated_at_every_point() -> None:
    # Wrong, right, right: precision 0, 1/2, 2/3; at recall 1/2 the best of what follows is 2/3.
    truth = torch.tensor([[[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]])
    said = torch.tensor([[[9.0, 0.9], [0.0, 0.8], [1.0, 0.7]]])
    assert average_precision(said, truth, thresholds=[0.5])[0.5] == pytest.approx(100 * 2 / 3)
    said[0, 0, 1] = 0.1
    assert average_precision(said, truth, thresholds=[0.5])[0.5] == pytest.approx(100)


def test_a_wrong_attribute_is_wrong_at_any_distance() -> None:
    _, truth = scene(1, 1, 3)
    said = truth.clone()
    said[0, 0, 4:7] = truth[0, 0, 4:7].roll(1)
    assert average_precision(said, truth, FIELDS, thresholds=[math.inf])[math.inf] == 0
    assert average_precision(said, truth, FIELDS)[0.0625] == 0


def test_distance_is_scaled_and_the_threshold_belongs_to_it() -> None:
    truth = torch.tensor([[[0.0, 1.0]]])
    said = torch.tensor([[[0.25, 1.0]]])
    assert average_precision(said, truth, thresholds=[0.25])[0.25] == 100
    assert average_precision(said, truth, thresholds=[0.5], scale=3.0)[0.5] == 0
    assert average_precision(said, truth, thresholds=[0.75], scale=3.0)[0.75] == 100


def test_per_image_is_the_mean_over_images_that_hold_something() -> None:
    truth = torch.tensor([[[0.0, 1.0], [5.0, 1.0]], [[0.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    said = truth.clone()
    said[0, 1, 0] = 9.0
    answer = average_precision(said, truth, thresholds=[1.0], per_image=True)
    alone = [average_precision(said[i : i + 1], truth[i : i + 1], thresholds=[1.0])[1.0] for i in range(2)]
    assert answer[1.0] == pytest.approx(sum(alone) / 2)


@pytest.mark.parametrize("by", ["distance", "iou"])
def test_no_object_at_all_gives_a_finite_answer(by: Literal["distance", "iou"]) -> None:
    said, truth = boxes(2, 3, 0)
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    for per_image in (False, True):
        answer = average_precision(said, truth, by=by, target_mask=nothing, per_image=per_image)
        assert set(answer.values()) == {0.0}
    assert set(average_precision(said, truth[:, :0], by=by).values()) == {0.0}
    some = average_precision(said, truth, by=by, target_mask=torch.tensor([[False] * 3, [True] * 3]))
    assert all(0 <= percent <= 100 for percent in some.values())


def test_overlap_is_the_share_of_cells_that_two_boxes_have_in_common() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.randint(0, 9, (200, 2, 2), generator=generator)
    whole = torch.cat([corners, corners + torch.randint(0, 7, (200, 2, 2), generator=generator)], -1)
    cells = torch.arange(20)
    for one, other in whole.tolist():
        inside = [
            ((cells >= b[0]) & (cells < b[2]))[:, None] & ((cells >= b[1]) & (cells < b[3]))[None] for b in (one, other)
        ]
        union = int((inside[0] | inside[1]).sum())
        wanted = int((inside[0] & inside[1]).sum()) / union if union else 0.0
        # In any unit: normalised coordinates must not change it, as the published "+ 1 pixel" did.
        for unit in (1.0, 1 / 20):
            got = box_iou(torch.tensor(one) * unit, torch.tensor(other) * unit)
            assert float(got) == pytest.approx(wanted)


@pytest.mark.parametrize(("shift", "iou"), [(0.005, 0.905), (0.01, 0.818), (0.02, 0.667), (0.05, 0.333), (0.1, 0.0)])
def test_a_shifted_tenth_has_its_true_overlap(shift: float, iou: float) -> None:
    box = torch.tensor([0.3, 0.3, 0.4, 0.4], dtype=torch.float64)
    moved = box + torch.tensor([shift, 0.0, shift, 0.0])
    assert float(box_iou(box, moved)) == pytest.approx(iou, abs=6e-4)
    one = torch.ones(1, dtype=torch.float64)
    said, truth = torch.cat([moved, one])[None, None], torch.cat([box, one])[None, None]
    for threshold, percent in average_precision(said, truth, by="iou").items():
        assert percent == (100 if iou >= threshold else 0)


def test_a_box_turned_inside_out_overlaps_nothing() -> None:
    inside_out = torch.tensor([0.4, 0.4, 0.3, 0.3])
    assert float(box_iou(inside_out, inside_out)) == 0
    assert float(box_iou(inside_out, torch.tensor([0.3, 0.3, 0.4, 0.4]))) == 0


def test_bad_input_is_one_clear_line() -> None:
    said, truth = scene(2, 3, 0)
    for wrong, name in ((truth.clone(), "target"), (said.clone(), "prediction")):
        wrong[1, 0, 0] = math.nan
        pair = (said, wrong) if name == "target" else (wrong, truth)
        with pytest.raises(InputError, match=rf"^NaN or infinity in a {name} \(set 1 of the batch\)$"):
            average_precision(*pair, FIELDS)
    with pytest.raises(InputError, match="8 with presence"):
        average_precision(said[..., 1:], truth[..., 1:], FIELDS)
    with pytest.raises(InputError, match="predictions of 7 channels, targets of 8"):
        average_precision(said[..., 1:], truth)
    with pytest.raises(InputError, match="a box and its presence"):
        average_precision(said[..., :4], truth[..., :4], by="iou")
    with pytest.raises(InputError, match="thresholds"):
        average_precision(said, truth, thresholds=[0.0])
    with pytest.raises(InputError, match="scale"):
        average_precision(said, truth, scale=0.0)
    with pytest.raises(InputError, match="nothing to measure"):
        AveragePrecision().compute()


@given(seeds, st.integers(1, 6), st.booleans())
@settings(max_examples=20)
def test_the_interval_is_that_of_pictures_drawn_anew(seed: int, slots: int, per_image: bool) -> None:
    """Against the slow way: repeat and leave out whole pictures, and measure all of them again."""
    said, truth = scene(8, slots, seed)
    measure = AveragePrecision(FIELDS, thresholds=[0.5], per_image=per_image)
    measure.add(said[:3], truth[:3])
    measure.add(said[3:], truth[3:])
    (low, high) = measure.interval(samples=40, seed=3)[0.5]
    noise = np.random.default_rng(3)
    pictures = np.flatnonzero((truth[..., -1] > 0.5).any(1)) if per_image else np.arange(8)
    found = []
    for times in noise.multinomial(len(pictures), np.full(len(pictures), 1 / len(pictures)), 40):
        drawn = np.repeat(pictures, times)
        found.append(average_precision(said[drawn], truth[drawn], FIELDS, thresholds=[0.5], per_image=per_image)[0.5])
    assert (low, high) == pytest.approx(tuple(np.quantile(found, [0.025, 0.975])))


def test_the_interval_of_a_perfect_answer_is_a_point_and_of_nothing_an_error() -> None:
    _, truth = scene(6, 4, 0)
    measure = AveragePrecision(FIELDS)
    measure.add(truth, truth)
    assert set(measure.interval(samples=20).values()) == {(100.0, 100.0)}
    with pytest.raises(InputError, match="nothing to measure"):
        AveragePrecision(FIELDS).interval()
