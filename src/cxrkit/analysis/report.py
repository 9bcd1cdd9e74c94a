"""The analysis of a prepared workspace: measure, judge, write."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from cxrkit.analysis.conflicts import measure_conflicts
from cxrkit.analysis.exposure import measure_exposure, measure_sizes
from cxrkit.analysis.film_leakage import measure_film_leakage
from cxrkit.analysis.film_scan import scan_films
from cxrkit.analysis.graphs import measure_graphs
from cxrkit.analysis.labels import measure_labels
from cxrkit.analysis.question_leakage import measure_question_leakage
from cxrkit.analysis.questions import measure_questions
from cxrkit.analysis.regions import measure_regions
from cxrkit.analysis.rejects import measure_rejects
from cxrkit.analysis.remarks import Task, Thresholds
from cxrkit.analysis.rows import read_rows
from cxrkit.analysis.samples import write_samples
from cxrkit.analysis.texts import measure_texts
from cxrkit.analysis.totals import measure_totals
from cxrkit.analysis.verdict import judge, reasons_by_task
from cxrkit.config.grades import minimum_rating
from cxrkit.config.values import QualityGrade, ViewFilter
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.reporting import figure_png, write_atomically
from cxrkit.version import __version__

SCHEMA_VERSION = 2
REPORT_NAME = "analysis_report.json"
PLOTS_NAME = "distribution_plots.png"
PAGE_NAME = "report.html"
_PLOTS_DPI = 110
Progress: TypeAlias = Callable[[str, int, int], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnalysisReport:
    """What the analysis found.

    Attributes:
        ready: training of the asked task may start.
        reasons: why it may not; empty when it may.
        path: the written `analysis_report.json`.
        data: its content.
    """

    ready: bool
    reasons: list[str]
    path: Path
    data: dict[str, Any]

    @property
    def warnings(self) -> list[str]:
        """What a user should know although training may start."""
        return list(self.data["warnings"])


def analyze(
    index: Index,
    output_dir: Path,
    *,
    quality_grade: QualityGrade = "A",
    view_filter: ViewFilter = "frontal_only",
    task: Task | None = None,
    thresholds: Thresholds | None = None,
    films: FilmSource | None = None,
    samples: int = 0,
    progress: Progress | None = None,
) -> AnalysisReport:
    """Measures a prepared data set, judges whether it is ready, and writes the report.

    Writes `distribution_plots.png`, `report.html`, sample films when asked for and, last,
    `analysis_report.json`. The same index, films and filter give the same bytes.

    Args:
        index: the opened index.
        output_dir: folder of the three files; made when missing.
        quality_grade: lowest grade of a question that counts as taking part.
        view_filter: which films take part.
        task: whose verdict is `ready`; None takes vqa when the index has questions, else classify. The
            report holds the verdicts of both.
        thresholds: the limits of the verdict; the documented ones when None.
        films: of the workspace, to be read once for exposure and films that are there twice; None leaves
            that out, and the report says so.
        samples: so many films are written as pictures with boxes, questions and answers; needs `films`.
        progress: called as `progress(stage, done, total)`.

    Raises:
        OSError: the folder cannot be written.
        ArtifactError: a film cannot be read.
    """
    # A folder that cannot be is told before minutes of reading, not after.
    output_dir.mkdir(parents=True, exist_ok=True)
    limits = thresholds or Thresholds()
    steps = _Steps(progress, 12)
    data: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "cxrkit_version": __version__,
        "index_fingerprint": index.fingerprint,
        "filter": {
            "quality_grade": quality_grade,
            "minimum_rating": minimum_rating(quality_grade),
            "view_filter": view_filter,
        },
        "thresholds": asdict(limits),
    }
    _measure(index, data, steps)
    data["films"] = _measure_films(index, films, progress)
    steps.finish()
    data["samples"] = [] if films is None else write_samples(index, films, output_dir, samples)
    data["task"] = task or ("vqa" if data["totals"]["questions"] else "classify")
    return _write(data, output_dir, limits, steps)


class _Steps:
    """Counts finished steps for the caller's progress bar."""

    def __init__(self, report: Progress | None, total: int) -> None:
        self._report = report
        self._total = total
        self._done = 0

    def finish(self) -> None:
        self._done += 1
        if self._report is not None:
            self._report("analyzing", self._done, self._total)


def _measure(index: Index, data: dict[str, Any], steps: _Steps) -> None:
    filters = data["filter"]
    rows = read_rows(index, filters["quality_grade"], filters["view_filter"])
    data.update(measure_totals(index, rows))
    steps.finish()
    data.update(measure_questions(index, rows))
    steps.finish()
    data["regions"] = measure_regions(index, rows)
    steps.finish()
    data["labels"] = measure_labels(index)
    steps.finish()
    data["scene_graphs"] = measure_graphs(index, rows)
    steps.finish()
    data["label_conflicts"] = measure_conflicts(index)
    steps.finish()
    data["question_leakage"] = measure_question_leakage(index, rows)
    steps.finish()
    data["texts"] = measure_texts(index)
    steps.finish()
    data.update(measure_rejects(index))
    steps.finish()


def _measure_films(index: Index, films: FilmSource | None, progress: Progress | None) -> dict[str, Any]:
    found: dict[str, Any] = {"sizes": measure_sizes(index), "exposure": None, "leakage": None}
    if films is not None:
        report = None if progress is None else partial(progress, "reading films")
        scan = scan_films(films, report)
        found["exposure"] = measure_exposure(scan)
        found["leakage"] = measure_film_leakage(index, films, scan)
    return found


def _write(data: dict[str, Any], output_dir: Path, limits: Thresholds, steps: _Steps) -> AnalysisReport:
    remarks = judge(data, limits)
    by_task = reasons_by_task(remarks)
    reasons = by_task[data["task"]]
    data["ready"] = not reasons
    data["ready_for"] = {name: not stops for name, stops in by_task.items()}
    data["reasons_for"] = by_task
    data["reasons"] = reasons
    data["warnings"] = [remark.message for remark in remarks if remark.level == "warning"]
    data["remarks"] = [remark.to_json() for remark in remarks]
    path = output_dir / REPORT_NAME
    # An older verdict must not outlive the files it belongs to.
    path.unlink(missing_ok=True)
    draw_files(data, output_dir)
    steps.finish()
    write_atomically(path, (json.dumps(data, indent=2, allow_nan=False) + "\n").encode("utf-8"))
    steps.finish()
    _log.info("analysis written to %s: %s", output_dir, "ready" if not reasons else "not ready")
    return AnalysisReport(not reasons, reasons, path, data)


def draw_files(data: Mapping[str, Any], output_dir: Path) -> None:
    """Writes the plots and the page of a report.

    Args:
        data: the report with its verdict.
        output_dir: folder of the files.

    Raises:
        OSError: the folder cannot be written.
    """
    # Drawing loads matplotlib; measuring and judging do not need it.
    from cxrkit.analysis.html import build_page
    from cxrkit.analysis.plots import distribution_figure

    write_atomically(output_dir / PLOTS_NAME, figure_png(distribution_figure(data), _PLOTS_DPI))
    build_page(data).write(output_dir / PAGE_NAME)
