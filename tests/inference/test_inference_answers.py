"""Composer, decisions and controls."""

import numpy as np
import pytest

from cxrkit.data.batches.selection import Filters, select_questions
from cxrkit.data.index import Index
from cxrkit.inference.composer import compose, compose_answer
from cxrkit.inference.controls import answer_shares
from cxrkit.models.decisions import choose_classes
from cxrkit.vocabulary import CLASSES_OF_HEAD, FINDING_INDEX, NO_FINDING, QUESTION_TYPES, Head


@pytest.mark.parametrize("kind", [kind for kind in QUESTION_TYPES if kind.head is not Head.FREE_TEXT])
def test_every_answerable_type_has_a_sentence_for_every_class(kind):
    classes = CLASSES_OF_HEAD[kind.head]
    sentences = [compose_answer(kind, [index]) for index in range(len(classes))]
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in sentences)
    assert len(set(sentences)) == len(classes)
    if kind.head in (Head.CATEGORY, Head.REGION):
        assert compose_answer(kind, [])


@pytest.mark.parametrize("kind", QUESTION_TYPES, ids=lambda kind: kind.name)
def test_each_of_the_27_types_gets_sentence_boxes_and_probabilities_or_says_that_it_cannot(kind):
    scores, boxes = np.zeros(26), np.tile([10.0, 20.0, 30.0, 40.0], (26, 1))
    scores[[9, 19]] = 0.6, 0.9
    classes = CLASSES_OF_HEAD.get(kind.head, ())
    probabilities = np.linspace(0.1, 0.9, max(1, len(classes)))
    answer = compose(kind, probabilities, scores, boxes, scores / 2)
    assert answer.question_type == kind.name
    assert answer.is_supported is (kind.head is not Head.FREE_TEXT)
    if not answer.is_supported:
        assert (answer.text, answer.probabilities, answer.boxes) == (None, {}, ())
        return
    assert answer.text == compose_answer(kind, choose_classes(kind.head, probabilities), [19, 9])
    assert list(answer.probabilities) == list(classes)
    assert list(answer.probabilities.values()) == pytest.approx(probabilities.tolist())
    assert [(box.region, box.score) for box in answer.boxes] == [
        ("right lower lung zone", 0.9),
        ("left lower lung zone", 0.6),
    ]
    assert answer.boxes[0].corners_xyxy_px == (10.0, 20.0, 30.0, 40.0)
    assert answer.attended["right lower lung zone"] == 0.45
    assert compose(kind, probabilities, scores, boxes).attended == {}
    assert compose(kind, probabilities, np.zeros(26), boxes).boxes == ()


def test_free_text_types_are_the_three_that_no_head_answers():
    free = [kind.name for kind in QUESTION_TYPES if kind.head is Head.FREE_TEXT]
    assert free == ["A_indication", "B14_describe_acquisition", "B15_describe_imaging_artifacts"]
    assert len(QUESTION_TYPES) == 27


def test_a_place_is_named_where_something_is_there_and_only_there():
    by_name = {kind.name: kind for kind in QUESTION_TYPES}
    finding, normal = by_name["D02_has_finding"], by_name["C04_is_normal_region"]
    assert compose_answer(finding, [1], [9]) == "Yes, it is seen in the left lower lung zone."
    assert compose_answer(finding, [0], [9]) == "No, it is not seen."
    assert compose_answer(normal, [1], [9]) == "Yes, nothing abnormal is seen."
    assert compose_answer(normal, [0], [9]) == "No, there is an abnormality in the left lower lung zone."
    assert compose_answer(finding, [1], [0, 1, 2, 3, 4]).count("the ") == 3


def test_yes_to_a_question_about_normality_says_normal():
    by_name = {kind.name: kind for kind in QUESTION_TYPES}
    assert compose_answer(by_name["B04_is_normal"], [1]) == "Yes, nothing abnormal is seen."
    assert compose_answer(by_name["B03_is_abnormal"], [0]) == "No, nothing abnormal is seen."


def test_no_finding_stands_only_alone():
    probabilities = np.zeros(14)
    probabilities[NO_FINDING] = 0.9
    assert choose_classes(Head.CATEGORY, probabilities) == [NO_FINDING]
    probabilities[FINDING_INDEX["Edema"]] = 0.6
    assert choose_classes(Head.CATEGORY, probabilities) == [FINDING_INDEX["Edema"]]
    assert choose_classes(Head.REGION, np.zeros(26)) == []
    assert choose_classes(Head.BINARY, np.array([0.4, 0.6])) == [1]


def test_shares_equal_plain_counting(workspace):
    index = Index.open(workspace)
    rows = np.concatenate(
        list(
            select_questions(index, "train", Filters(minimum_rating=3), one_film_per_study=False).parts(index)
        )
    )
    shares = answer_shares(index, [rows[:100], rows[100:]])
    kind = next(i for i, entry in enumerate(QUESTION_TYPES) if entry.name == "D02_has_finding")
    own = [row for row in rows.tolist() if index.column("questions", "question_type")[row] == kind]
    answers = [int(index.column("questions", "binary_target")[row]) for row in own]
    assert shares.by_type[kind][1] == pytest.approx(sum(answers) / len(answers))
    text = int(index.column("questions", "question_text")[own[0]])
    texts = index.column("questions", "question_text")[own]
    same = [answer for own_text, answer in zip(texts, answers, strict=True) if own_text == text]
    expected = (sum(same) + 2 * shares.by_type[kind][1]) / (len(same) + 2)
    assert shares.by_text[kind, text][1] == pytest.approx(expected)
    assert shares.of_text(kind, -1, 2).tolist() == shares.by_type[kind].tolist()
