"""The demo's one page: what the data is, what both models reached beside their controls, example films."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cxrkit.analysis import AnalysisReport
from cxrkit.analysis.html import add_overview
from cxrkit.analysis.panels import draw_labels, draw_question_types
from cxrkit.analysis.plots import panel_figure
from cxrkit.data.index import Index
from cxrkit.evaluation.headline import HEADLINE_COLUMNS
from cxrkit.evaluation.pages.report_page import add_definitions, add_evaluation
from cxrkit.evaluation.predictions import read_predictions
from cxrkit.evaluation.publish import EvaluationResult
from cxrkit.evaluation.report import read_report
from cxrkit.evaluation.workspace_films import workspace_films
from cxrkit.reporting import Page

_SYNTHETIC = (
    "These films are drawn by cxrkit. The figures show that the software works from film to report; "
    "they say nothing about how well a model reads real chest X-rays."
)
_SMALL = (
    "Two small networks trained for minutes on a CPU, the classifier from random weights and the VQA model "
    "going on from its backbone: the figures show that the whole way works on these data, not what a full "
    "training reaches."
)
_TALL, _LONG_NAMES = 6.4, 2.1


def write_demo_page(
    path: Path,
    analysis: AnalysisReport,
    evaluations: Sequence[EvaluationResult],
    index: Index,
    *,
    synthetic: bool,
    seconds: Mapping[str, float],
) -> None:
    """Writes the page.

    Args:
        path: where it shall be.
        analysis: of the data.
        evaluations: of the VQA model and of the classifier.
        index: where the example films come from.
        synthetic: whether the films were drawn by cxrkit.
        seconds: wall-clock seconds of each stage so far.
    """
    page = Page("cxrkit demo", "from data to two trained and evaluated models")
    page.notice(_SYNTHETIC if synthetic else _SMALL)
    reports = [read_report(result.report_path) for result in evaluations]
    page.section("Both models at a glance", "Each figure stands beside controls that do not see the film.")
    page.table(HEADLINE_COLUMNS, [row for result in evaluations for row in result.table])
    page.table(
        ("stage", "seconds"),
        [(stage, f"{value:.0f}") for stage, value in seconds.items()],
        "Time taken, wall clock",
    )
    page.section("The data")
    add_overview(page, analysis.data)
    page.figure(
        panel_figure(draw_question_types, analysis.data, _TALL, _LONG_NAMES), "Questions by type and head."
    )
    page.figure(panel_figure(draw_labels, analysis.data, _TALL, _LONG_NAMES), "Labels of the 14 findings.")
    films = workspace_films(index.workspace)
    for title, result, report in zip(("VQA model", "Classifier"), evaluations, reports, strict=True):
        page.section(title, f"Split: {report['split']}.")
        add_evaluation(page, report, read_predictions(result.predictions_path), films)
        add_definitions(page, report)
    page.write(path)
