"""Question texts that give away the answer: how far a classifier gets that reads nothing but the text."""

import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier

from cxrkit.analysis.counting import Column, share
from cxrkit.analysis.questions import TARGET_COLUMNS
from cxrkit.analysis.rows import Rows
from cxrkit.data.index import Index
from cxrkit.metrics import counts
from cxrkit.metrics.statistics import PatientResamples, SumStatistic, patient_bootstrap
from cxrkit.vocabulary import QUESTION_TYPES, Head

# Answers beyond the commonest are one class that is never right: sets of findings have thousands.
_MOST_ANSWERS = 64
_MOST_TEXTS = 200_000
# A text asked so often in training answers for itself; the words answer for rarer ones.
_OFTEN = 10
_FEATURES = 2**14
_RESAMPLES = 500
_TRAIN = 0


def measure_question_leakage(index: Index, rows: Rows) -> dict[str, Any]:
    """Gives, for each question type, how well the question's text alone foretells the answer.

    A text that training asks ten times or more foretells its commonest training answer. For rarer ones
    answers a linear model of the text's words and pairs of words, fitted on the training questions that take
    part (each different pair of text and answer weighs as often as it occurs). Both are tested on the
    questions of the other two splits, beside the commonest training answer. The interval of the gain
    resamples patients.

    Returns:
        per type: `accuracy`, `majority_accuracy`, `gain`, `gain_interval`, `n`, `texts` (different ones in
        training), `answers`; None for a type without training or test questions.
    """
    types = index.column("questions", "question_type")
    found: dict[str, Any] = {}
    for place, entry in enumerate(QUESTION_TYPES):
        if entry.head is Head.FREE_TEXT:
            continue
        chosen = np.flatnonzero((types == place) & rows.question_kept)
        found[entry.name] = _measure_type(index, rows, entry.head, chosen)
    return found


def _measure_type(
    index: Index, rows: Rows, head: Head, chosen: npt.NDArray[np.int64]
) -> dict[str, Any] | None:
    split = rows.split_of_question[chosen]
    text = index.column("questions", "question_text")[chosen]
    target = index.column("questions", TARGET_COLUMNS[head])[chosen]
    is_train = split == _TRAIN
    if not is_train.any() or is_train.all():
        return None
    answers, answer = _common_answers(target, target[is_train])
    seen = np.unique(text)
    place = np.searchsorted(seen, text)
    # What stands for all rarer answers is none that could be given.
    is_learned = is_train & (answer < len(answers))
    majority = int(np.bincount(answer[is_learned]).argmax())
    predicted = _predictions(index, seen, place[is_learned], answer[is_learned], majority)
    tested = ~is_train
    is_known = answer[tested] < len(answers)
    right = (predicted[place[tested]] == answer[tested]) & is_known
    plain = (answer[tested] == majority) & is_known
    patients = _patients(index, chosen[tested])
    gain, interval = _gain(right, plain, patients)
    return {
        "accuracy": share(int(right.sum()), len(right)),
        "majority_accuracy": share(int(plain.sum()), len(plain)),
        "gain": gain,
        "gain_interval": interval,
        "n": len(right),
        "n_patients": len(np.unique(patients)),
        "texts": len(np.unique(text[is_train])),
        "answers": len(answers),
    }


def _common_answers(target: Column, learned: Column) -> tuple[Column, npt.NDArray[np.int64]]:
    """Gives the commonest training answers, and each question's place among them, theirs all the rest."""
    values, numbers = np.unique(learned, return_counts=True)
    kept = np.sort(values[np.argsort(-numbers, kind="stable")[:_MOST_ANSWERS]])
    place = np.searchsorted(kept, target)
    inside = np.minimum(place, len(kept) - 1)
    return kept, np.where(kept[inside] == target, inside, len(kept)).astype(np.int64)


def _predictions(
    index: Index, texts: Column, place: npt.NDArray[np.int64], answer: npt.NDArray[np.int64], majority: int
) -> npt.NDArray[np.int64]:
    """Gives the answer that each text alone suggests, `[texts]`."""
    pairs, weights = np.unique(np.stack([place, answer], axis=1), axis=0, return_counts=True)
    if len(np.unique(pairs[:, 1])) < 2:
        return np.full(len(texts), majority, np.int64)
    predicted, is_known = _by_counting(pairs, weights, len(texts), majority)
    if not is_known.all():
        predicted[~is_known] = _by_words(index, texts, pairs, weights)[~is_known]
    return predicted


def _by_counting(
    pairs: npt.NDArray[np.int64], weights: npt.NDArray[np.int64], texts: int, majority: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Gives each text's commonest answer, the first of equals, and whether it was asked often."""
    times = np.bincount(pairs[:, 0], weights, minlength=texts)
    order = np.lexsort((-pairs[:, 1], weights, pairs[:, 0]))
    predicted = np.full(texts, majority, np.int64)
    # The last of a text's answers stays: the commonest.
    predicted[pairs[order, 0]] = pairs[order, 1]
    return predicted, times >= _OFTEN


def _by_words(
    index: Index, texts: Column, pairs: npt.NDArray[np.int64], weights: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Gives the answer that a linear model of the words finds likeliest, `[texts]`."""
    if len(pairs) > _MOST_TEXTS:
        kept = np.sort(np.random.default_rng(0).choice(len(pairs), _MOST_TEXTS, replace=False))
        pairs, weights = pairs[kept], weights[kept]
    words = _words(index, texts)
    model = SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=20, tol=1e-3, average=True, random_state=0)
    with warnings.catch_warnings():
        # So many passes are enough to tell whether the text gives the answer away.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(words[pairs[:, 0]], pairs[:, 1], sample_weight=weights / weights.mean())
    parts = [model.predict(words[start : start + 50_000]) for start in range(0, len(texts), 50_000)]
    return np.concatenate(parts).astype(np.int64)


def _words(index: Index, texts: Column) -> scipy.sparse.csr_matrix:
    column = index.texts.column("text")
    vectorizer = HashingVectorizer(
        n_features=_FEATURES, ngram_range=(1, 2), binary=True, norm=None, alternate_sign=False,
        lowercase=True, token_pattern=r"(?u)\b\w+\b|[^\w\s]",
    )  # fmt: skip
    found: scipy.sparse.csr_matrix = vectorizer.transform(
        re.sub(r"\s+", " ", column[int(one)].as_py()) for one in texts
    )
    return found


def _patients(index: Index, questions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    study = index.column("questions", "study_row")[questions]
    patients: npt.NDArray[np.int64] = index.column("studies", "subject_id")[study].astype(np.int64)
    return patients


def _gain(
    right: Column, plain: Column, patients: npt.NDArray[np.int64]
) -> tuple[float, Sequence[float] | None]:
    resamples = PatientResamples.draw(patients, _RESAMPLES, np.random.default_rng(0))
    values = np.stack([right.astype(float) - plain, np.ones(len(right))], axis=1)
    statistic = SumStatistic.of_rows(values, patients, resamples, counts.ratio_of_sums)
    found = patient_bootstrap(statistic, resamples)
    interval = found.interval()
    return round(found.value, 6), None if interval is None else [round(end, 6) for end in interval]
