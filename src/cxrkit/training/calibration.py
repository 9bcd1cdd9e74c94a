"""Fits what a kept model says about its probabilities, on the validation predictions of its very weights."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.score_groups import score_groups
from cxrkit.metrics.temperature import fit_distribution_temperature, fit_temperature
from cxrkit.metrics.thresholds import best_f1_threshold
from cxrkit.models.calibration import CLASSIFIER, ClassCalibration, ModelCalibration, ScoreGroup
from cxrkit.models.decisions import SET_THRESHOLD
from cxrkit.vocabulary import CLASSES_OF_HEAD, FINDINGS, MULTI_LABEL_HEADS, Head

SPLIT = "validate"


def calibrate_findings(
    probabilities: FloatArray, study_of_film: npt.NDArray[np.integer], labels_of_film: FloatArray
) -> ModelCalibration:
    """Gives thresholds, temperatures and score groups of the 14 findings.

    Evaluation scores studies, whose probability is the mean over their films; so does this. Labels that are
    blank or -1 count as 0, as they do there.

    Args:
        probabilities: `[N, 14]` of the validation films.
        study_of_film: `[N]` row of each film's study.
        labels_of_film: `[N, 14]` CheXpert labels of that study: 1, 0, -1, NaN.
    """
    _, first, place = np.unique(study_of_film, return_index=True, return_inverse=True)
    films = np.bincount(place).astype(float)
    sums = np.stack([np.bincount(place, column) for column in probabilities.T.astype(np.float64)], axis=1)
    # Rounded to the precision that evaluation stores.
    of_study = (sums / films[:, None]).astype(np.float32).astype(np.float64)
    labels = labels_of_film[first] == 1
    classes = {
        finding: _of_class(
            labels[:, column],
            of_study[:, column],
            _defined(best_f1_threshold(labels[:, column], of_study[:, column])),
        )
        for column, finding in enumerate(FINDINGS)
    }
    return ModelCalibration(SPLIT, "studies", {CLASSIFIER: classes}, {})


def calibrate_answers(
    answers: Mapping[Head, tuple[npt.NDArray[np.generic], FloatArray]],
) -> ModelCalibration:
    """Gives temperatures and score groups of the answer heads.

    Args:
        answers: of the validation questions by head: targets (`[N]` classes, or `[N, C]` sets) and
            probabilities `[N, C]`; heads without questions are left out.
    """
    heads: dict[str, dict[str, ClassCalibration]] = {}
    temperatures: dict[str, float | None] = {}
    for head, (target, probabilities) in answers.items():
        stated = probabilities.astype(np.float64)
        names = CLASSES_OF_HEAD[head]
        if head in MULTI_LABEL_HEADS:
            sets = target > 0  # type: ignore[operator]
            threshold: float | None = SET_THRESHOLD
        else:
            sets = target[:, None] == np.arange(len(names))
            # The most probable class is taken: no probability decides alone.
            threshold = SET_THRESHOLD if head is Head.BINARY else None
            temperatures[head.value] = _defined(fit_distribution_temperature(target.astype(np.int64), stated))
        heads[head.value] = {
            name: _of_class(sets[:, column], stated[:, column], threshold)
            for column, name in enumerate(names)
        }
    return ModelCalibration(SPLIT, "questions", heads, temperatures)


def _of_class(
    labels: npt.NDArray[np.bool_], probabilities: FloatArray, threshold: float | None
) -> ClassCalibration:
    groups = tuple(ScoreGroup(*group) for group in score_groups(labels, probabilities))
    temperature = _defined(fit_temperature(labels, probabilities)) if len(labels) else None
    return ClassCalibration(threshold, temperature, len(labels), int(labels.sum()), groups)


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
