"""Where the question data and the CheXpert labels of a study say opposite things."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrkit.analysis.counting import Column, share, slices
from cxrkit.data.index import Index
from cxrkit.vocabulary import FINDINGS, NO_FINDING, QUESTION_TYPE_NAMES

_EXAMPLES = 10
_ABSENT, _PRESENT = 0, 1
# Yes/no questions about the whole film, and the answer that says that something is abnormal.
_WHOLE_FILM = {"B03_is_abnormal": 1, "B04_is_normal": 0}


def measure_conflicts(index: Index) -> dict[str, Any]:
    """Compares, study by study, QBA's observations and answers with the CheXpert labels.

    A finding is present in the question data when a positive observation of the study names it, absent when
    only negative ones do; what is not mentioned is not compared. A conflict is present against label 0, or
    absent against label 1; -1 and blank are never one. "No Finding" is compared with the answers to the
    yes/no questions about the whole film.

    Returns:
        `by_finding` with `compared`, `present_but_label_0`, `absent_but_label_1`, `conflict_share` and
        `examples` (study ids); and `compared`, `conflicts`, `conflict_share` over all findings.
    """
    labels = index.column("studies", "chexpert")
    study_id = index.column("studies", "study_id")
    stated = _observed(index, len(labels))
    stated[:, NO_FINDING] = _said_normal(index, len(labels))
    by_finding = {
        finding: _compare(stated[:, place], labels[:, place], study_id)
        for place, finding in enumerate(FINDINGS)
    }
    compared = sum(entry["compared"] for entry in by_finding.values())
    conflicts = sum(
        entry["present_but_label_0"] + entry["absent_but_label_1"] for entry in by_finding.values()
    )
    return {
        "by_finding": by_finding,
        "compared": compared,
        "conflicts": conflicts,
        "conflict_share": share(conflicts, compared),
    }


def _compare(stated: npt.NDArray[np.int8], labels: Column, study_id: Column) -> dict[str, Any]:
    extra = (stated == _PRESENT) & (labels == 0)
    missed = (stated == _ABSENT) & (labels == 1)
    compared = int(((stated >= 0) & ((labels == 0) | (labels == 1))).sum())
    both = np.flatnonzero(extra | missed)
    return {
        "compared": compared,
        "present_but_label_0": int(extra.sum()),
        "absent_but_label_1": int(missed.sum()),
        "conflict_share": share(len(both), compared),
        "examples": [int(one) for one in study_id[both[:_EXAMPLES]]],
    }


def _observed(index: Index, studies: int) -> npt.NDArray[np.int8]:
    """Gives 1 where a finding is present, 0 where only absent, -1 where not mentioned: `[studies, 14]`."""
    stated = np.full((studies, len(FINDINGS)), -1, np.int8)
    for negative in (True, False):
        for study, bits in _observations(index, positive=not negative):
            for place in range(len(FINDINGS)):
                stated[study[(bits >> place) & 1 == 1], place] = _ABSENT if negative else _PRESENT
    return stated


def _observations(index: Index, *, positive: bool) -> Iterator[tuple[Column, Column]]:
    wanted = 1 if positive else 0
    columns = [index.column("observations", name) for name in ("study_row", "finding_bits", "positiveness")]
    for piece in slices(len(columns[0])):
        study, bits, positiveness = (np.asarray(column[piece]) for column in columns)
        chosen = positiveness == wanted
        yield study[chosen], bits[chosen]


def _said_normal(index: Index, studies: int) -> npt.NDArray[np.int8]:
    """Gives 1 where the answers say that nothing is abnormal, 0 that something is, -1 where not asked."""
    stated = np.full(studies, -1, np.int8)
    types, targets, rows = (
        index.column("questions", name) for name in ("question_type", "binary_target", "study_row")
    )
    for name, abnormal in _WHOLE_FILM.items():
        code = QUESTION_TYPE_NAMES.index(name)
        for piece in slices(len(types)):
            kind, target = np.asarray(types[piece]), np.asarray(targets[piece])
            study = np.asarray(rows[piece])
            asked = (kind == code) & (target >= 0)
            stated[study[asked]] = np.where(target[asked] == abnormal, _ABSENT, _PRESENT)
    return stated
