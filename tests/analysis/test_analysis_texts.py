"""Texts, the answers that questions give away, and contradicting labels, against plain counting."""

import re
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest

from cxrkit.analysis.conflicts import measure_conflicts
from cxrkit.analysis.question_leakage import measure_question_leakage
from cxrkit.analysis.rows import read_rows
from cxrkit.analysis.texts import measure_texts
from cxrkit.vocabulary import FINDINGS, QUESTION_TYPE_NAMES

HAS_FINDING = QUESTION_TYPE_NAMES.index("D02_has_finding")


def asked(index, column="question_text") -> list[str]:
    texts = index.texts["text"].to_pylist()
    return [texts[row] for row in index.column("questions", column)]


def with_texts(index, questions: list[str]):
    """Puts these texts into the place of the questions' own."""
    old = index.texts["text"].to_pylist()
    different = sorted(set(questions))
    index.texts = pa.table({"text": pa.array([*old, *different], pa.large_string())})
    place = {text: len(old) + row for row, text in enumerate(different)}
    return index.replace("questions", question_text=[place[text] for text in questions])


@pytest.mark.parametrize("name", ["questions", "answers"])
def test_lengths_and_vocabulary_equal_a_plain_count(make_index, name):
    index = make_index(studies=30, questions=10)
    texts = asked(index, "question_text" if name == "questions" else "answer_text")
    words = [re.findall(r"[a-z0-9]+", text.lower()) for text in texts]
    found = measure_texts(index)[name]
    assert found["texts"] == len(texts) == 300
    assert found["different"] == len(set(texts))
    assert found["different_share"] == pytest.approx(len(set(texts)) / 300, abs=1e-6)
    counted = Counter(word for line in words for word in line)
    assert found["vocabulary"] == len(counted)
    assert all(counted[word] == times for word, times in found["frequent_words"].items())
    assert list(found["frequent_words"].values()) == sorted(counted.values(), reverse=True)[:30]
    lengths = [len(line) for line in words]
    assert found["histogram"] == [lengths.count(length) for length in range(61)]
    assert (found["words"]["min"], found["words"]["max"]) == (min(lengths), max(lengths))
    assert found["words"]["median"] == np.median(lengths)


def test_long_texts_are_counted_in_the_last_place(make_index):
    index = make_index(studies=3, questions=1)
    found = measure_texts(with_texts(index, ["word " * 99, "one two", "it's X-ray"]))["questions"]
    assert found["histogram"][60] == 1
    assert found["histogram"][2] == 2
    assert found["words"]["max"] == 99
    assert {"it's", "x-ray"} <= set(found["frequent_words"])


def test_an_index_without_questions_has_no_texts(make_index):
    index = make_index(studies=3, questions=1)
    index.questions = index.questions.slice(0, 0)
    found = measure_texts(index)["questions"]
    assert (found["texts"], found["different"], found["vocabulary"]) == (0, 0, 0)
    assert found["different_share"] is None
    assert found["words"]["median"] is None


@pytest.fixture
def finding_index(make_index):
    """An index of has-finding questions only, all of which take part; each text is asked often."""
    index = make_index(studies=60, questions=40, seed=5)
    count = len(index.questions)
    draw = np.random.default_rng(2)
    index.replace(
        "questions",
        question_type=np.full(count, HAS_FINDING),
        head=np.zeros(count),
        rating=np.full(count, 6),
        binary_target=draw.integers(0, 2, count),
    )
    return with_texts(index, [f"Is there sign {place}?" for place in draw.integers(0, 12, count)])


def question_only(index) -> dict:
    found = measure_question_leakage(index, read_rows(index, "A", "frontal_only"))
    assert [name for name, entry in found.items() if entry is not None] == ["D02_has_finding"]
    return found["D02_has_finding"]


def plain_accuracies(index) -> tuple[float, float]:
    """Counts in dicts: each text's commonest training answer, and the commonest training answer of all."""
    texts = asked(index)
    target = index.column("questions", "binary_target").tolist()
    split = index.column("studies", "split")[index.column("questions", "study_row")].tolist()
    by_text: dict[str, Counter] = defaultdict(Counter)
    overall: Counter = Counter()
    for text, answer, part in zip(texts, target, split, strict=True):
        if part == 0:
            by_text[text][answer] += 1
            overall[answer] += 1
    best = {text: min(n, key=lambda one: (-n[one], one)) for text, n in by_text.items()}
    commonest = min(overall, key=lambda one: (-overall[one], one))
    tested = [row for row, part in enumerate(split) if part != 0]
    right = [best[texts[row]] == target[row] for row in tested]
    return float(np.mean(right)), float(np.mean([target[row] == commonest for row in tested]))


@pytest.mark.parametrize("biased", [False, True])
def test_question_only_accuracy_equals_a_count_in_dicts(finding_index, biased):
    if biased:
        # Every other sign is mostly there.
        number = np.array([int(re.findall(r"\d+", text)[0]) for text in asked(finding_index)])
        usual = number % 2
        target = np.where(np.random.default_rng(3).random(len(number)) < 0.1, 1 - usual, usual)
        finding_index.replace("questions", binary_target=target)
    found = question_only(finding_index)
    accuracy, majority = plain_accuracies(finding_index)
    assert found["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert found["majority_accuracy"] == pytest.approx(majority, abs=1e-6)
    assert found["gain"] == pytest.approx(accuracy - majority, abs=2e-6)
    low, high = found["gain_interval"]
    assert low <= found["gain"] <= high
    assert (low > 0.2) == biased
    assert found["n"] == 24 * 40
    assert (found["n_patients"], found["texts"], found["answers"]) == (24, 12, 2)


def test_a_telling_word_is_found_though_every_text_is_asked_only_once(finding_index):
    target = finding_index.column("questions", "binary_target")
    texts = [f"Sign {row} seen{' again' if answer else ''}?" for row, answer in enumerate(target)]
    assert question_only(with_texts(finding_index, texts))["accuracy"] > 0.95


def test_a_type_without_test_questions_says_nothing(finding_index):
    split = np.zeros(len(finding_index.studies))
    finding_index.replace("studies", split=split)
    found = measure_question_leakage(finding_index, read_rows(finding_index, "A", "frontal_only"))
    assert set(found.values()) == {None}


def test_conflicts_equal_a_plain_count(make_index):
    index = make_index(studies=80, questions=27, seed=9)
    labels = index.column("studies", "chexpert")
    stated: dict[tuple[int, int], bool] = {}
    observed = index.observations.to_pylist()
    for finding in range(14):
        for entry in observed:
            key = entry["study_row"], finding
            if entry["finding_bits"] >> finding & 1 and entry["positiveness"] != -1:
                stated[key] = stated.get(key, False) or entry["positiveness"] == 1
    found = measure_conflicts(index)
    for finding, name in enumerate(FINDINGS):
        if name == "No Finding":
            continue
        pairs = [
            (is_present, labels[study, place])
            for (study, place), is_present in stated.items()
            if place == finding and labels[study, place] in (0, 1)
        ]
        entry = found["by_finding"][name]
        assert entry["compared"] == len(pairs) > 0
        assert entry["present_but_label_0"] == sum(is_present and label == 0 for is_present, label in pairs)
        assert entry["absent_but_label_1"] == sum(
            not is_present and label == 1 for is_present, label in pairs
        )
    assert found["compared"] == sum(entry["compared"] for entry in found["by_finding"].values())


def test_no_finding_is_compared_with_the_answers_about_the_whole_film(make_index):
    index = make_index(studies=5, questions=1)
    labels = np.full((5, 14), np.nan)
    labels[:, FINDINGS.index("No Finding")] = [1, 1, 0, -1, np.nan]
    place = index.studies.schema.get_field_index("chexpert")
    column = pa.FixedSizeListArray.from_arrays(pa.array(labels.astype(np.float32).ravel()), 14)
    index.studies = index.studies.set_column(place, "chexpert", column)
    index.observations = index.observations.slice(0, 0)
    kinds = ["B04_is_normal", "B03_is_abnormal", "B04_is_normal", "B04_is_normal", "B04_is_normal"]
    index.replace(
        "questions",
        question_type=[QUESTION_TYPE_NAMES.index(kind) for kind in kinds],
        binary_target=[1, 1, 1, 0, 0],
    )
    entry = measure_conflicts(index)["by_finding"]["No Finding"]
    # Normal and labelled so; abnormal though labelled; normal though not labelled; uncertain; blank.
    assert (entry["compared"], entry["absent_but_label_1"], entry["present_but_label_0"]) == (3, 1, 1)
    assert entry["examples"] == [50_000_001, 50_000_002]
