"""From a prediction table to the files of `evaluation_results/`; needs no model and no images."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from cxrkit.errors import ArtifactError
from cxrkit.evaluation.classification_scores import score_classification
from cxrkit.evaluation.content_hash import content_hash
from cxrkit.evaluation.evidence import evidence_rows
from cxrkit.evaluation.films import FilmLookup
from cxrkit.evaluation.headline import headline_table, headline_warning
from cxrkit.evaluation.measured import N_RESAMPLES
from cxrkit.evaluation.pages.report_page import PAGE_FILE, write_page
from cxrkit.evaluation.predictions import (
    CONSISTENCY_FILE,
    GRAPHS_FILE,
    PREDICTIONS_FILE,
    read_metadata,
    read_predictions,
    write_predictions,
)
from cxrkit.evaluation.report import REPORT_FILE, write_report
from cxrkit.evaluation.strata import read_patients, with_patients
from cxrkit.evaluation.vqa_scores import score_vqa
from cxrkit.inference.schema import Task

PDF_FILE = "report.pdf"
# What the files of one evaluation say alike.
_SHARED = ("split", "index_fingerprint", "checkpoint", "graph_source")


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
        pdf_path: `report.pdf`, where it was asked for.
    """

    report_path: Path
    html_path: Path
    predictions_path: Path
    table: list[tuple[str, str, str, str, str]]
    evidence: list[tuple[str, ...]] = field(default_factory=list)
    warning: str | None = None
    remarks: tuple[str, ...] = ()
    pdf_path: Path | None = None


def publish_evaluation(
    predictions: pa.Table,
    output_dir: Path,
    films: FilmLookup | None = None,
    graphs: pa.Table | None = None,
    consistency: pa.Table | None = None,
    *,
    pdf: bool = False,
) -> EvaluationResult:
    """Writes predictions, report and page into a folder.

    The report is computed from the written file, so that it can be computed again from it.

    Args:
        predictions: a prediction table of either task with its metadata.
        output_dir: the folder; made when missing, older files are replaced.
        films: where example films come from; no gallery when None.
        graphs: the predicted scene graphs of the same films, if there are any.
        consistency: answers that must agree with each other, if they were asked.
        pdf: write the page as `report.pdf` too.

    Raises:
        ArtifactError: the table is not a whole prediction table.
    """
    # An older report must never stand beside newer predictions when this run breaks off.
    for name in (REPORT_FILE, PAGE_FILE, PDF_FILE, GRAPHS_FILE, CONSISTENCY_FILE):
        (output_dir / name).unlink(missing_ok=True)
    write_predictions(predictions, output_dir / PREDICTIONS_FILE)
    for table, name in ((graphs, GRAPHS_FILE), (consistency, CONSISTENCY_FILE)):
        if table is not None:
            write_predictions(table, output_dir / name)
    return publish_scores(output_dir / PREDICTIONS_FILE, output_dir, films, pdf=pdf)


def publish_scores(
    predictions_path: Path,
    output_dir: Path,
    films: FilmLookup | None = None,
    *,
    n_resamples: int = N_RESAMPLES,
    patient_tables: Sequence[Path] = (),
    pdf: bool = False,
) -> EvaluationResult:
    """Computes report and page from a prediction file alone.

    Predicted scene graphs and consistency answers are taken from the files beside it, where there are any.

    Args:
        predictions_path: `predictions.parquet`.
        output_dir: where report and page go; made when missing.
        films: where example films come from; no gallery when None.
        n_resamples: resamples of patients for the intervals.
        patient_tables: files that tell sex, age or race; see `strata.read_patients`.
        pdf: write the page as `report.pdf` too; an older one is taken away in any case.

    Raises:
        DataLayoutError: a table of patients is not usable.
        ArtifactError: a file is missing, damaged, or no whole prediction table.
    """
    stored = read_predictions(predictions_path, coded=True)
    # Of the file: what is told about its patients does not make it another.
    own_hash = content_hash(stored)
    if patient_tables:
        subjects = [int(subject) for subject in stored.column("subject_id").to_numpy()]
        stored = with_patients(stored, read_patients(patient_tables, subjects))
    is_vqa = read_metadata(stored)["task"] == "vqa"
    if is_vqa:
        graphs = _beside(stored, predictions_path.with_name(GRAPHS_FILE), "vqa_graph")
        consistency = _beside(stored, predictions_path.with_name(CONSISTENCY_FILE), "vqa_consistency")
        report = score_vqa(stored, graphs, consistency, n_resamples=n_resamples)
    else:
        report = score_classification(stored, n_resamples=n_resamples)
    report["predictions_sha256"] = own_hash
    report_path, html_path = output_dir / REPORT_FILE, output_dir / PAGE_FILE
    pdf_path = output_dir / PDF_FILE
    pdf_path.unlink(missing_ok=True)
    write_page(report, stored, html_path, films, pdf_path if pdf else None)
    write_report(report, report_path)
    return EvaluationResult(
        report_path,
        html_path,
        predictions_path,
        headline_table(report),
        evidence_rows(report),
        headline_warning(report),
        () if is_vqa else tuple(report["notes"]),
        pdf_path if pdf else None,
    )


def _beside(predictions: pa.Table, path: Path, task: Task) -> pa.Table | None:
    """Reads a file beside the predictions, where there is one.

    Raises:
        ArtifactError: it is damaged, or does not belong to them.
    """
    if not path.exists():
        return None
    table = read_predictions(path, task)
    own, wanted = read_metadata(table), read_metadata(predictions)
    different = [key for key in _SHARED if own.get(key) != wanted.get(key)]
    strangers = set(table.column("subject_id").to_pylist()) - set(
        predictions.column("subject_id").to_pylist()
    )
    if different or strangers:
        raise ArtifactError(
            f"{path} does not belong to the predictions beside it",
            expected="the file that the same run of `cxrkit evaluate` wrote",
            found=f"another {', '.join(different)}" if different else f"{len(strangers)} other patients",
            next_step="move it away, or make both again with `cxrkit evaluate`",
        )
    return table
