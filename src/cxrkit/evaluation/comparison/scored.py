"""What each run is compared by: its headline figures, and whether it has each row right."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.evaluation.classification_scores import study_rows
from cxrkit.evaluation.comparison.runs import Run
from cxrkit.evaluation.definitions import CLASSIFIER, GROUNDING, HEADLINE_METRICS
from cxrkit.evaluation.finding_metrics import StudyRows, measure_findings
from cxrkit.evaluation.grounding_metrics import GroundedRows, measure_grounding
from cxrkit.evaluation.head_metrics import measure_head
from cxrkit.evaluation.head_rows import BoxRows, HeadRows
from cxrkit.evaluation.measured import MODEL, Measured
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.statistics import PatientResamples
from cxrkit.vocabulary import ANSWER_HEADS, FINDINGS, Head


@dataclass(frozen=True)
class RightRows:
    """Which rows a run has right, for the tests that compare row by row.

    Attributes:
        patients: `[N]` subject ids.
        right: `[N]`.
    """

    patients: npt.NDArray[np.int64]
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RankedScores:
    """Labels and scores, for the test of two AUROCs.

    Attributes:
        labels: `[N]`.
        scores: `[N]`.
    """

    labels: npt.NDArray[np.bool_]
    scores: FloatArray


@dataclass(frozen=True)
class ScoredRun:
    """A run's figures.

    Attributes:
        name: of the run.
        measured: headline figures by (head, metric, finding).
        right: rows by head and the metric that is their mean.
        ranked: scores by head, metric and finding.
    """

    name: str
    measured: dict[tuple[str, str, str | None], Measured]
    right: dict[tuple[str, str], RightRows]
    ranked: dict[tuple[str, str, str | None], RankedScores]


def score_run(run: Run, resamples: PatientResamples) -> ScoredRun:
    """Computes a run's headline figures.

    Args:
        run: the answers.
        resamples: of the patients, the same for all runs.
    """
    return _score_vqa(run, resamples) if run.metadata["task"] == "vqa" else _score_findings(run, resamples)


def _score_vqa(run: Run, resamples: PatientResamples) -> ScoredRun:
    measured: list[Measured] = []
    right: dict[tuple[str, str], RightRows] = {}
    ranked: dict[tuple[str, str, str | None], RankedScores] = {}
    for head in ANSWER_HEADS:
        rows = HeadRows.of_table(run.table, head, MODEL)
        if not len(rows.patients):
            continue
        measured += measure_head(rows, resamples)
        name = "accuracy" if head in (Head.BINARY, Head.SEVERITY) else "exact_set_match"
        right[head.value, name] = RightRows(rows.patients, (rows.reference == rows.predicted).all(1))
        if head is Head.BINARY:
            ranked[head.value, "auroc", None] = RankedScores(rows.reference[:, 1], rows.probabilities[:, 1])
    predicts = run.metadata.get("graph_source") != "none"
    boxes = BoxRows.of_table(run.table, MODEL)
    grounded = GroundedRows.where_predicted(boxes, predicts_boxes=predicts)
    measured += measure_grounding(boxes, grounded, resamples)
    heads = [*(head.value for head in ANSWER_HEADS), GROUNDING]
    wanted = {(head, name) for head in heads for name in HEADLINE_METRICS[head]} | set(right)
    return ScoredRun(run.name, _chosen(measured, wanted), right, ranked)


def _score_findings(run: Run, resamples: PatientResamples) -> ScoredRun:
    rows = study_rows(run.table, MODEL, run.metadata, CLASSIFIER)
    measured = measure_findings(rows, resamples)
    wanted = {(CLASSIFIER, name) for name in HEADLINE_METRICS[CLASSIFIER]}
    own = _chosen(measured, wanted) | {
        (CLASSIFIER, "auroc", entry.basis.finding): entry for entry in measured if entry.name == "auroc"
    }
    return ScoredRun(run.name, own, {}, dict(_of_findings(rows)))


def _of_findings(rows: StudyRows) -> Iterator[tuple[tuple[str, str, str | None], RankedScores]]:
    for place, finding in enumerate(FINDINGS):
        scores = RankedScores(rows.labels[:, place], rows.probabilities[:, place])
        yield (CLASSIFIER, "auroc", finding), scores


def _chosen(
    measured: list[Measured], wanted: set[tuple[str, str]]
) -> dict[tuple[str, str, str | None], Measured]:
    return {
        _key_of(entry): entry
        for entry in measured
        if (entry.basis.head, entry.name) in wanted
        and entry.basis.finding is None
        and entry.basis.region is None
        and entry.basis.n
    }


def _key_of(entry: Measured) -> tuple[str, str, str | None]:
    return entry.basis.head, entry.name, entry.basis.finding
