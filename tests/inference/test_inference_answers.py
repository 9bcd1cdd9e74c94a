"""Composer, decisions and controls."""

import numpy as np
import pytest

from cxrkit.data.batches.selection import Filters, select_questions
from cxrkit.data.index import Index
from cxrkit.inference.composer import compose_answer
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
