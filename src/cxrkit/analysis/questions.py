"""What is asked and answered: types, heads, polarity, the filter, and how far the commonest answer gets."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cxrkit.analysis.counting import Column, joint_counts, named, share
from cxrkit.analysis.rows import Rows
from cxrkit.data.index import Index
from cxrkit.vocabulary import (
    ANSWER_HEADS,
    CLASSES_OF_HEAD,
    MULTI_LABEL_HEADS,
    QUESTION_TYPE_NAMES,
    QUESTION_TYPES,
    SPLITS,
    Head,
)

POLARITIES: tuple[str, ...] = ("unknown", "negative", "positive")
TARGET_COLUMNS: dict[Head, str] = {
    Head.BINARY: "binary_target",
    Head.CATEGORY: "category_target",
    Head.REGION: "region_target",
    Head.SEVERITY: "severity_target",
}
_LONGEST_SET = 4


def measure_questions(index: Index, rows: Rows) -> dict[str, Any]:
    """Gives the distribution of questions and answers.

    Returns:
        `selection`, `question_types`, `heads` and `polarity`.
    """
    types = index.column("questions", "question_type")
    cube = joint_counts(
        [rows.split_of_question, types, rows.question_graded, rows.question_in_view, rows.question_usable],
        [len(SPLITS), len(QUESTION_TYPE_NAMES), 2, 2, 2],
    )
    by_type = _measure_types(index, rows, types, cube)
    return {
        "selection": _measure_selection(cube),
        "question_types": by_type,
        "heads": _measure_heads(index, rows, by_type),
        "polarity": _measure_polarity(index, rows),
    }


def _measure_selection(cube: Column) -> dict[str, int | float | None]:
    """Gives how many questions each step of the filter leaves, from all to those that take part."""
    free = [place for place, entry in enumerate(QUESTION_TYPES) if entry.head is Head.FREE_TEXT]
    passed = cube[:, :, 1, 1, :]
    kept = int(passed[:, :, 1].sum())
    masked = int(passed[:, :, 0].sum() - passed[:, free, 0].sum())
    return {
        "questions": int(cube.sum()),
        "after_grade": int(cube[:, :, 1].sum()),
        "after_grade_and_view": int(passed.sum()),
        "free_text": int(passed[:, free].sum()),
        "masked": masked,
        "kept": kept,
        "masked_share": share(masked, masked + kept),
    }


def _measure_types(index: Index, rows: Rows, types: Column, cube: Column) -> dict[str, Any]:
    kept = cube[:, :, 1, 1, 1]
    result = {}
    for place, entry in enumerate(QUESTION_TYPES):
        counts = cube[:, place].sum(axis=(1, 2, 3))
        result[entry.name] = {
            "head": str(entry.head),
            "questions": {**named(SPLITS, counts), "total": int(counts.sum())},
            "kept": {**named(SPLITS, kept[:, place]), "total": int(kept[:, place].sum())},
            "share_of_kept": share(kept[:, place].sum(), kept.sum()),
            "majority": _measure_majority(index, rows, entry.head, types == place),
        }
    return result


def _measure_heads(index: Index, rows: Rows, by_type: dict[str, Any]) -> dict[str, Any]:
    head_of_question = index.column("questions", "head")
    all_kept = sum(entry["kept"]["total"] for entry in by_type.values())
    result: dict[str, Any] = {}
    for place, head in enumerate(ANSWER_HEADS):
        of_head = [entry for entry in by_type.values() if entry["head"] == head]
        kept = _add_up(of_head, "kept")
        result[str(head)] = {
            "questions": _add_up(of_head, "questions"),
            "kept": kept,
            "share_of_kept": share(kept["total"], all_kept),
            "majority": _measure_majority(index, rows, head, head_of_question == place),
        }
    free = [entry for entry in by_type.values() if entry["head"] == Head.FREE_TEXT]
    result[str(Head.FREE_TEXT)] = {"questions": _add_up(free, "questions")}
    return result


def _add_up(entries: Sequence[dict[str, Any]], key: str) -> dict[str, int]:
    return {name: sum(entry[key][name] for entry in entries) for name in (*SPLITS, "total")}


def _measure_majority(index: Index, rows: Rows, head: Head, chosen: Column) -> dict[str, Any] | None:
    """Gives the commonest answer of the training questions and the share it gets right in each split.

    A set of several findings or regions counts as right when it is the very same set.
    """
    places = np.flatnonzero(chosen & rows.question_kept)
    if head is Head.FREE_TEXT or not len(places):
        return None
    split = rows.split_of_question[places]
    target = index.column("questions", TARGET_COLUMNS[head])[places]
    learned = target[split == 0] if (split == 0).any() else target
    values, counts = np.unique(learned, return_counts=True)
    commonest = int(values[np.argmax(counts)])
    right = joint_counts([split, target == commonest], [len(SPLITS), 2])
    return {
        "answer": answer_text(head, commonest),
        "different_answers": len(values),
        "accuracy": {name: share(right[place, 1], right[place].sum()) for place, name in enumerate(SPLITS)},
    }


def answer_text(head: Head, target: int) -> str:
    """Gives the words for a stored target.

    >>> answer_text(Head.BINARY, 1), answer_text(Head.CATEGORY, 0b11), answer_text(Head.REGION, 0)
    ('yes', 'Atelectasis, Cardiomegaly', 'none')
    """
    classes: Sequence[str] = CLASSES_OF_HEAD[head]
    if head not in MULTI_LABEL_HEADS:
        return classes[target]
    names = [name for place, name in enumerate(classes) if target >> place & 1]
    more = f" and {len(names) - _LONGEST_SET} more" if len(names) > _LONGEST_SET else ""
    return ", ".join(names[:_LONGEST_SET]) + more if names else "none"


def _measure_polarity(index: Index, rows: Rows) -> dict[str, Any]:
    polarity = index.column("questions", "polarity")
    cube = joint_counts([rows.split_of_question, polarity + 1, rows.question_kept], [len(SPLITS), 3, 2])
    return {
        split: {
            "all": named(POLARITIES, cube[place].sum(axis=1)),
            "kept": named(POLARITIES, cube[place, :, 1]),
        }
        for place, split in enumerate(SPLITS)
    }
