"""How much there is: patients, studies, films, questions, scene graphs; by split, view and rating."""

from typing import Any

import numpy as np

from cxrkit.analysis.counting import joint_counts, named, share
from cxrkit.analysis.rows import Rows
from cxrkit.data.index import Index
from cxrkit.vocabulary import SPLITS

VIEWS: tuple[str, ...] = ("frontal", "lateral", "other", "unknown")
RATINGS: tuple[str, ...] = ("0_U", "1_D", "2_C", "3_B", "4_A", "5_A+", "6_A++")


def measure_totals(index: Index, rows: Rows) -> dict[str, Any]:
    """Gives the sizes of the data, as a whole and by split.

    Returns:
        `totals`, `splits`, `views`, `ratings`, `unrated_share` and `shared_patients` (patients with studies
        in several splits).
    """
    by_split = _sizes_by_split(index, rows)
    totals = {name: sum(sizes[name] for sizes in by_split.values()) for name in by_split[SPLITS[0]]}
    totals["patients"] = len(np.unique(index.column("studies", "subject_id")))
    view = joint_counts(
        [rows.split_of_image, index.column("images", "view")], [len(SPLITS), len(VIEWS)]
    )  # fmt: skip
    rating = joint_counts(
        [rows.split_of_question, index.column("questions", "rating")], [len(SPLITS), len(RATINGS)]
    )
    return {
        "totals": totals,
        "splits": by_split,
        "views": {split: named(VIEWS, view[place]) for place, split in enumerate(SPLITS)},
        "ratings": {split: named(RATINGS, rating[place]) for place, split in enumerate(SPLITS)},
        "unrated_share": share(rating[:, 0].sum(), rating.sum()),
        "shared_patients": _patients_in_several_splits(index),
    }


def _sizes_by_split(index: Index, rows: Rows) -> dict[str, dict[str, int]]:
    split = index.column("studies", "split")
    subject = index.column("studies", "subject_id")
    with_graph = index.column("studies", "has_scene_graph")
    with_questions = index.column("studies", "has_questions")
    labelled = rows.study_in_view & ~np.isnan(index.column("studies", "chexpert")).all(axis=1)
    sizes = {}
    for place, name in enumerate(SPLITS):
        here = split == place
        of_split = rows.split_of_question == place
        sizes[name] = {
            "patients": len(np.unique(subject[here])),
            "studies": int(here.sum()),
            "images": int((rows.split_of_image == place).sum()),
            "images_in_view": int((rows.image_in_view & (rows.split_of_image == place)).sum()),
            "questions": int(of_split.sum()),
            "questions_kept": int((rows.question_kept & of_split).sum()),
            "scene_graphs": int((with_graph & here).sum()),
            "studies_with_questions": int((with_questions & here).sum()),
            "labelled_studies_in_view": int((labelled & here).sum()),
        }
    return sizes


def _patients_in_several_splits(index: Index) -> int:
    subject = index.column("studies", "subject_id").astype(np.int64)
    pairs = np.unique(subject * len(SPLITS) + index.column("studies", "split"))
    return len(pairs) - len(np.unique(subject))
