"""From a prediction table to the files of `evaluation_results/`; needs no model and no images."""

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from cxrkit.evaluation.classification_scores import score_classification
from cxrkit.evaluation.evidence import evidence_rows
from cxrkit.evaluation.films import FilmLookup
from cxrkit.evaluation.headline import headline_table, headline_warning
from cxrkit.evaluation.page import PAGE_FILE, write_page
from cxrkit.evaluation.predictions import (
    GRAPHS_FILE,
    PREDICTIONS_FILE,
    read_metadata,
    read_predictions,
    write_predictions,
)
from cxrkit.evaluation.report import REPORT_FILE, write_report
from cxrkit.evaluation.vqa_scores import score_vqa


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation left on disk, and the figures to show first.

    Attributes:
        report_path: `evaluation_report.json`.
        html_path: `report.html`.
        predictions_path: `predictions.parquet`.
        table: rows of the headline table, with the columns `headline.HEADLINE_COLUMNS`.
        evidence: rows of the evidence table, with the columns `evidence_columns()`; none for a classifier.
        warning: what must be read before the table, or None.
        remarks: what must be known to read the table.
    """

    report_path: Path
    html_path: Path
    predictions_path: Path
    table: list[tuple[str, str, str, str, str]]
    evidence: list[tuple[str, ...]] = field(default_factory=list)
    warning: str | None = None
    remarks: tuple[str, ...] = ()


def publish_evaluation(
    predictions: pa.Table, output_dir: Path, films: FilmLookup | None = None, graphs: pa.Table | None = None
) -> EvaluationResult:
    """Writes predictions, report and page into a folder.

    The report is computed from the written file, so that it can be computed again from it.

    Args:
        predictions: a prediction table of either task with its metadata.
        output_dir: the folder; made when missing, older files are replaced.
        films: where example films come from; no gallery when None.
        graphs: the predicted scene graphs of the same films, if there are any.

    Raises:
        ArtifactError: the table is not a whole prediction table.
    """
    paths = [output_dir / name for name in (REPORT_FILE, PAGE_FILE, PREDICTIONS_FILE)]
    report_path, html_path, predictions_path = paths
    # An older report must never stand beside newer predictions when this run breaks off.
    graphs_path = output_dir / GRAPHS_FILE
    for path in (report_path, html_path, graphs_path):
        path.unlink(missing_ok=True)
    write_predictions(predictions, predictions_path)
    stored = read_predictions(predictions_path)
    if graphs is not None:
        write_predictions(graphs, graphs_path)
        graphs = read_predictions(graphs_path, "vqa_graph")
    is_vqa = read_metadata(stored)["task"] == "vqa"
    report = score_vqa(stored, graphs) if is_vqa else score_classification(stored)
    write_page(report, stored, html_path, films)
    write_report(report, report_path)
    return EvaluationResult(
        report_path,
        html_path,
        predictions_path,
        headline_table(report),
        evidence_rows(report),
        headline_warning(report),
        () if is_vqa else tuple(report["notes"]),
    )
