"""What a finding's probability means, in words, from the calibration that was saved with the model."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cxrkit.evaluation.confidence_metrics import saved_calibration
from cxrkit.evaluation.definitions import CLASSIFIER
from cxrkit.evaluation.finding_metrics import StudyRows
from cxrkit.reporting import Page
from cxrkit.vocabulary import FINDINGS

_PERCENTILES = {"median score": 50.0, "high score (95th percentile)": 95.0}


def add_described_scores(page: Page, rows: StudyRows, metadata: Mapping[str, Any]) -> None:
    """Adds a median and a high score of each finding, each said in words.

    Args:
        page: takes the table.
        rows: the model's studies.
        metadata: what the prediction table says about itself.
    """
    calibration = saved_calibration(metadata)
    if calibration is None:
        page.remark("Scores are not said in words: the model was saved without a calibration.")
        return
    lines = []
    for place, name in enumerate(FINDINGS):
        scores = rows.probabilities[:, place]
        told = [calibration.describe(CLASSIFIER, name, _at(scores, share)) for share in _PERCENTILES.values()]
        lines.append((name, *(text or "not among the validation studies" for text in told)))
    page.table(
        ("finding", *_PERCENTILES),
        lines,
        caption=f"What scores of this split mean, by the {calibration.split} split",
        align=("left", "left", "left"),
    )


def _at(scores: np.ndarray[Any, np.dtype[np.float64]], percentile: float) -> float:
    # A score that occurred, not one between two.
    return float(np.percentile(scores, percentile, method="lower")) if len(scores) else 0.0
