"""Box metrics against scipy, torchvision and pycocotools, by hand, and their written edge cases."""

import contextlib
import doctest
import importlib
import io
import itertools
import pkgutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.optimize import linear_sum_assignment
from torchvision.ops import box_iou

import cxrkit.metrics.explanations
import cxrkit.metrics.spatial
from cxrkit.metrics.spatial import QuestionBoxes, score_boxes, without_degenerate
from cxrkit.metrics.spatial.areas import area_shares, covered_areas
from cxrkit.metrics.spatial.detection import DetectionStatistic
from cxrkit.metrics.spatial.matching import iou_matrix, matched_mean_iou
from cxrkit.metrics.spatial.pointing import centre_in_reference, points_at_reference
from cxrkit.metrics.spatial.regions import multi_region_f1

CORNER = st.integers(0, 12)
BOX = st.tuples(CORNER, CORNER, st.integers(1, 12), st.integers(1, 12)).map(
    lambda box: [float(box[0]), float(box[1]), float(box[0] + box[2]), float(box[1] + box[3])]
)
# Few different scores: ties are the rule.
SCORE = st.sampled_from([0.125, 0.5, 0.5, 0.75, 1.0])
QUESTION = st.tuples(st.lists(BOX, max_size=5), st.lists(st.tuples(BOX, SCORE), max_size=6))
QUESTIONS = st.lists(QUESTION, min_size=1, max_size=6)


def _boxes(generator, count):
    corner = generator.random((count, 2)) * 50
    return np.concatenate([corner, corner + 5 + generator.random((count, 2)) * 40], axis=1)


def _starts(lists):
    return np.cumsum([0, *map(len, lists)])


def _questions(cases):
    """Gives `QuestionBoxes` of [(reference boxes, [(predicted box, score)])]."""
    reference = [box for boxes, _ in cases for box in boxes]
    predicted = [box for _, boxes in cases for box, _ in boxes]
    return QuestionBoxes(
        np.array(reference, float).reshape(-1, 4),
        _starts([boxes for boxes, _ in cases]),
        np.array(predicted, float).reshape(-1, 4),
        _starts([boxes for _, boxes in cases]),
        np.array([score for _, boxes in cases for _, score in boxes], float),
    )


def _detection(cases, threshold_column, weights=None):
    questions = _questions(cases)
    scores = score_boxes(questions)
    question = np.repeat(np.arange(len(cases)), np.diff(questions.predicted_starts))[scores.counted]
    statistic = DetectionStatistic.of_boxes(
        questions.scores[scores.counted],
        scores.true_positives[scores.counted, threshold_column],
        question,
        np.diff(questions.reference_starts).astype(float),
    )
    weights = np.ones((1, len(cases))) if weights is None else weights
    return statistic.under(weights)


def _coco_average_precisions(cases):
    """Gives pycocotools' average precision at 0.5 and 0.75; -1 without reference boxes."""
    annotations, results = [], []
    for image, (reference, predicted) in enumerate(cases, start=1):
        for x1, y1, x2, y2 in reference:
            box = [x1, y1, x2 - x1, y2 - y1]
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image, "category_id": 1, "bbox": box,
                    "area": box[2] * box[3], "iscrowd": 0,
                }
            )  # fmt: skip
        for (x1, y1, x2, y2), score in predicted:
            box = [x1, y1, x2 - x1, y2 - y1]
            results.append({"image_id": image, "category_id": 1, "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        images = [{"id": image} for image in range(1, len(cases) + 1)]
        truth.dataset = {"images": images, "annotations": annotations, "categories": [{"id": 1}]}
        truth.createIndex()
        if not results:
            return [0.0 if annotations else -1.0] * 2
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.params.iouThrs = np.array([0.5, 0.75])
        evaluation.evaluate()
        evaluation.accumulate()
    # [thresholds, recalls, classes, areas, maxDets]; the first area is `all`, the last maxDets 100.
    precision = evaluation.eval["precision"][:, :, 0, 0, -1]
    return [row.mean() if (row > -1).all() else -1.0 for row in precision]


@pytest.mark.parametrize("package", [cxrkit.metrics.spatial, cxrkit.metrics.explanations])
def test_examples_in_docstrings_hold(package):
    found = 0
    for module in pkgutil.iter_modules(package.__path__):
        result = doctest.testmod(importlib.import_module(f"{package.__name__}.{module.name}"))
        assert result.failed == 0, module.name
        found += result.attempted
    assert found > 5


def test_iou_equals_torchvision():
    generator = np.random.default_rng(0)
    first, second = _boxes(generator, 7), _boxes(generator, 5)
    expected = box_iou(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    np.testing.assert_allclose(iou_matrix(first, second), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_matching_is_the_best_of_all_permutations(seed):
    generator = np.random.default_rng(seed)
    reference, predicted = _boxes(generator, 1 + seed % 4), _boxes(generator, 1 + seed % 3)
    few, many = sorted((reference, predicted), key=len)
    overlaps = iou_matrix(few, many)
    best = max(
        overlaps[range(len(few)), list(chosen)].sum()
        for chosen in itertools.permutations(range(len(many)), len(few))
    )
    found = matched_mean_iou(iou_matrix(reference, predicted)[None])[0]
    assert found == pytest.approx(best / len(many), abs=1e-12)


@given(st.integers(0, 7), st.integers(0, 7), st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_matching_of_many_questions_is_scipys_of_each(n, m, seed):
    # Few different values, many zeros: ties, and boxes that overlap with nothing.
    overlaps = np.random.default_rng(seed).choice([0.0, 0.0, 0.25, 0.5, 1.0], size=(3, n, m))
    for matrix, found in zip(overlaps, matched_mean_iou(overlaps), strict=True):
        rows, columns = linear_sum_assignment(matrix, maximize=True)
        expected = matrix[rows, columns].sum() / max(n, m) if max(n, m) else 1.0
        assert found == pytest.approx(expected, abs=1e-12)


def test_matching_does_not_depend_on_order_where_greedy_would():
    reference = np.array([[0.0, 0, 10, 10], [0, 0, 10, 6]])
    predicted = np.array([[0.0, 0, 10, 8], [0, 0, 10, 10]])
    first, turned = (matched_mean_iou(iou_matrix(boxes, predicted)[None])[0]
                     for boxes in (reference, reference[::-1]))  # fmt: skip
    assert first == pytest.approx(turned)
    assert first == pytest.approx((1.0 + 6 / 8) / 2)


def test_empty_box_sets_have_written_values():
    none, one = np.empty((1, 0, 4)), np.array([[[0.0, 0, 2, 2]]])
    assert matched_mean_iou(iou_matrix(none, none)).tolist() == [1.0]
    assert matched_mean_iou(iou_matrix(one, none)).tolist() == [0.0]
    assert matched_mean_iou(iou_matrix(none, one)).tolist() == [0.0]
    assert not points_at_reference(iou_matrix(one, none), np.empty((1, 0))).any()
    assert not centre_in_reference(one, none, np.empty((1, 0))).any()
    np.testing.assert_array_equal(area_shares(one, none), [[np.nan, 0.0]])
    np.testing.assert_array_equal(area_shares(none, one), [[0.0, np.nan]])
    nothing = score_boxes(_questions([([], []), ([], [])]))
    assert nothing.mean_iou.tolist() == [1.0, 1.0]
    assert np.isnan(nothing.area_shares).all()
    empty = QuestionBoxes(none[0], np.zeros(1, int), none[0], np.zeros(1, int), np.empty(0))
    assert len(score_boxes(empty).mean_iou) == 0


@given(st.lists(BOX, max_size=6), st.lists(BOX, max_size=6))
@settings(max_examples=60, deadline=None)
def test_covered_areas_are_those_of_painted_pixels(first, second):
    painted = np.zeros((2, 24, 24), bool)
    for canvas, boxes in zip(painted, (first, second), strict=True):
        for x1, y1, x2, y2 in boxes:
            canvas[int(y1) : int(y2), int(x1) : int(x2)] = True
    arrays = [np.array(boxes, float).reshape(1, -1, 4) for boxes in (first, second)]
    expected = [painted[0].sum(), painted[1].sum(), (painted[0] & painted[1]).sum()]
    assert covered_areas(*arrays)[0].tolist() == pytest.approx(expected)


def test_areas_by_hand_count_overlapping_boxes_once():
    target = [[0.0, 0.0, 10.0, 10.0]]
    # Twice the same half of the target, and as much outside of it.
    predicted = [([0.0, 0.0, 5.0, 10.0], 0.9), ([0.0, 0.0, 5.0, 10.0], 0.8), ([10.0, 0.0, 15.0, 10.0], 0.7)]
    shares = score_boxes(_questions([(target, predicted)])).area_shares
    assert shares.tolist() == [[0.5, 0.5]]
    # An anatomical box that is far too large holds all of the target, and little else of it is right.
    large = score_boxes(_questions([(target, [([0.0, 0.0, 100.0, 10.0], 0.9)])])).area_shares
    assert large.tolist() == [[0.1, 1.0]]


def test_pointing_takes_the_box_with_the_highest_score():
    reference = np.array([[[0.0, 0, 10, 10]]])
    overlaps = iou_matrix(reference, np.array([[[0.0, 0, 10, 10], [20, 20, 30, 30]]]))
    assert points_at_reference(overlaps, np.array([[0.9, 0.2]])).all()
    assert not points_at_reference(overlaps, np.array([[0.2, 0.9]])).any()
    assert points_at_reference(overlaps, np.array([[0.9, 0.9]])).all(), "the first box wins a tie"
    half = iou_matrix(reference, np.array([[[0.0, 0, 10, 5]]]))
    assert not points_at_reference(half, np.array([[1.0]])).any(), "IoU of exactly 0.5 is not above 0.5"


def test_the_pointing_game_asks_for_the_centre_only():
    reference = np.array([[[0.0, 0, 10, 10]]])
    large, beside = [-90.0, -90.0, 100.0, 100.0], [11.0, 0.0, 21.0, 10.0]
    boxes = np.array([[large, beside]])
    assert centre_in_reference(reference, boxes, np.array([[0.9, 0.1]])).all()
    assert not centre_in_reference(reference, boxes, np.array([[0.1, 0.9]])).any()
    on_edge = np.array([[[5.0, 0.0, 15.0, 10.0]]])
    assert centre_in_reference(reference, on_edge, np.array([[0.5]])).all()


@pytest.mark.parametrize(
    "broken",
    [
        [1.0, 1.0, 1.0, 9.0],
        [9.0, 9.0, 1.0, 1.0],
        [9.0, 0.0, 1.0, 8.0],
        [np.nan, 0.0, 5.0, 5.0],
        [0.0, 0.0, np.inf, 5.0],
    ],
)  # fmt: skip
def test_degenerate_boxes_count_and_hit_nothing(broken):
    assert without_degenerate(np.array([broken]))[1].all()
    sound = [0.0, 0.0, 10.0, 10.0]
    as_prediction = score_boxes(_questions([([sound], [(broken, 0.9), (sound, 0.8)])]))
    assert as_prediction.mean_iou.tolist() == [0.5], "it is a box without partner"
    assert as_prediction.area_shares.tolist() == [[1.0, 1.0]]
    assert as_prediction.hits.tolist() == [False, True]
    assert not as_prediction.points.any()
    assert not as_prediction.centre_inside.any()
    as_reference = score_boxes(_questions([([broken], [(sound, 0.9)])]))
    assert as_reference.mean_iou.tolist() == [0.0]
    assert as_reference.area_shares[0, 0] == 0.0
    assert np.isnan(as_reference.area_shares[0, 1]), "nothing to find"
    assert not as_reference.centre_inside.any()
    case = [([sound], [(broken, 0.9), (sound, 0.8)])]
    assert _detection(case, 0).tolist() == pytest.approx([0.5]), "a false positive before the true one"
    assert _detection([([sound, broken], [(sound, 0.8)])], 0)[0] == pytest.approx(51 / 101), "a miss"


@given(QUESTIONS)
@settings(max_examples=100, deadline=None)
def test_average_precision_equals_pycocotools(cases):
    for column, expected in enumerate(_coco_average_precisions(cases)):
        found = _detection(cases, column)[0]
        assert np.isnan(found) if expected < 0 else found == pytest.approx(expected, abs=1e-9), expected


def test_average_precision_equals_pycocotools_with_more_boxes_than_count():
    generator = np.random.default_rng(4)
    cases = []
    for _ in range(4):
        reference = generator.integers(0, 40, (8, 2)).astype(float)
        near = reference[generator.integers(0, 8, 130)] + generator.integers(-2, 3, (130, 2))
        predicted = [
            ([x, y, x + 10, y + 10], s) for (x, y), s in zip(near, generator.random(130), strict=True)
        ]
        cases.append(([[x, y, x + 10, y + 10] for x, y in reference], predicted))
    for column, expected in enumerate(_coco_average_precisions(cases)):
        assert 0 < expected < 1
        assert _detection(cases, column)[0] == pytest.approx(expected, abs=1e-9)


def test_weights_are_questions_counted_again():
    generator = np.random.default_rng(6)
    cases = []
    for _ in range(12):
        reference = generator.integers(0, 30, (generator.integers(0, 4), 2)).astype(float)
        predicted = generator.integers(0, 30, (generator.integers(0, 4), 2)).astype(float)
        predicted[: len(reference)] = reference[: len(predicted)] + generator.integers(-3, 4, 2)
        cases.append(
            (
                [[x, y, x + 12, y + 12] for x, y in reference],
                [([x, y, x + 12, y + 12], float(generator.random())) for x, y in predicted],
            )
        )
    weights = generator.integers(0, 4, (5, 12)).astype(float)
    weights[4] = 0
    found = _detection(cases, 0, weights)
    for line, value in zip(weights[:4], found[:4], strict=True):
        repeated = [case for case, count in zip(cases, line, strict=True) for _ in range(int(count))]
        assert value == pytest.approx(_coco_average_precisions(repeated)[0], abs=1e-9)
    assert np.isnan(found[4]), "no question drawn, nothing to find"


@given(QUESTIONS, st.permutations(range(6)))
@settings(max_examples=40, deadline=None)
def test_every_question_scores_as_if_it_were_alone(cases, order):
    order = [place for place in order if place < len(cases)]
    together = score_boxes(_questions([cases[place] for place in order]))
    start = 0
    for row, place in enumerate(order):
        alone = score_boxes(_questions([cases[place]]))
        end = start + len(cases[place][1])
        assert together.mean_iou[row] == alone.mean_iou[0]
        np.testing.assert_array_equal(together.area_shares[row], alone.area_shares[0])
        assert together.points[row] == alone.points[0]
        assert together.centre_inside[row] == alone.centre_inside[0]
        np.testing.assert_array_equal(together.hits[start:end], alone.hits)
        np.testing.assert_array_equal(together.true_positives[start:end], alone.true_positives)
        start = end


def test_multi_region_f1_by_hand():
    reference = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]], bool)
    named = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]], bool)
    found = multi_region_f1(reference, named)
    assert found[:2].tolist() == pytest.approx([2 * 2 / 6, 0.0])
    assert np.isnan(found[2:]).all(), "fewer than two supporting regions"
