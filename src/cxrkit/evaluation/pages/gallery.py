"""The page's section of example films; only where the settings allow films in a report."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cxrkit.evaluation.films import FilmLookup
from cxrkit.evaluation.pages.examples import question_examples, study_examples
from cxrkit.reporting import Page

_CHOICE = {
    "vqa": "Of each head a right, a wrong and the least confident answer, those with reference boxes first.",
    "classify": "Studies decided right in every finding, those with the most wrong decisions, and those "
    "whose probabilities lie nearest to the thresholds.",
}
_NO_ATTENTION = {
    "vqa": "No attention is drawn: it was not stored (cxrkit evaluate --compute_attention).",
    "classify": "No boxes and no attention are drawn: a classifier gives neither.",
}


def add_gallery(page: Page, report: Mapping[str, Any], predictions: pa.Table, films: FilmLookup) -> None:
    """Adds films of right, wrong and uncertain answers.

    Args:
        page: takes them.
        report: the content of `evaluation_report.json`.
        predictions: the table it was computed from.
        films: where the films come from.
    """
    task = report["task"]
    page.section("Example films", _CHOICE[task])
    page.notice(
        "This page holds films and texts of patients: keep it where the data itself may be kept.", "warning"
    )
    items = (question_examples if task == "vqa" else study_examples)(predictions, films)
    if items and not any(item.heat is not None for item in items):
        page.remark(_NO_ATTENTION[task])
    if task == "vqa" and items and not any(item.boxes for item in items):
        page.remark("No boxes are drawn: neither the data set nor the model gives any for these answers.")
    page.gallery(items)
