"""Training starts only on data that a passing analysis has seen."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cxrkit.errors import AnalysisMissingError

REPORT_FILE = "analysis_report.json"
# Labels have no grade: the grade filter of questions does not change what the classifier sees.
_FILTERS_OF_TASK = {"vqa": ("quality_grade", "view_filter"), "classify": ("view_filter",)}


class _Verdict(NamedTuple):
    fingerprint: str
    filters: dict[str, str]
    ready: bool
    reasons: list[str]


def require_analysis(
    index_fingerprint: str,
    analysis_dir: Path,
    command: str,
    *,
    filters: Mapping[str, str] | None = None,
    task: str = "vqa",
) -> None:
    """Checks that the analysis of this very index, filter and task passed.

    Args:
        index_fingerprint: fingerprint of the index that training would read.
        analysis_dir: where `cxrkit analyze` writes its report.
        command: the command that makes the report, named in the error.
        filters: `quality_grade` and `view_filter` that training would use; those that matter for the task
            must be the report's. None compares none.
        task: `vqa` or `classify`.

    Raises:
        AnalysisMissingError: there is no report, it is of other data or of another filter, or its verdict
            for the task is "not ready".
    """
    path = analysis_dir / REPORT_FILE
    again = f"{command}\n(or --skip_data_check to train without it)"
    verdict = _read_verdict(path, task, again)
    if verdict.fingerprint != index_fingerprint:
        raise AnalysisMissingError(
            "DATA ANALYSIS NOT FOUND for these data",
            expected=f"a report of the index with fingerprint {index_fingerprint[:12]}",
            found=f"{path} is of {verdict.fingerprint[:12]}",
            next_step=again,
        )
    _check_filters(verdict.filters, filters or {}, task, path, again)
    if not verdict.ready:
        raise AnalysisMissingError(
            f"the data analysis did not pass for {task}",
            expected=f'"ready_for": {{"{task}": true}} in {path}',
            found="\n".join(verdict.reasons),
            next_step="mend the data and analyze again, or --skip_data_check to train all the same",
        )


def _read_verdict(path: Path, task: str, again: str) -> _Verdict:
    names = _FILTERS_OF_TASK[task]
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        chosen = {name: str(report["filter"][name]) for name in names}
        reasons = [str(reason) for reason in report["reasons_for"][task]]
        return _Verdict(str(report["index_fingerprint"]), chosen, report["ready_for"][task] is True, reasons)
    except FileNotFoundError as error:
        raise AnalysisMissingError(
            "DATA ANALYSIS NOT FOUND",
            expected=f"a passing report at {path}",
            found="no such file",
            next_step=again,
        ) from error
    # A text that is not UTF-8 and one that is not JSON are both ValueErrors.
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise AnalysisMissingError(
            "DATA ANALYSIS NOT READABLE",
            expected=f"an analysis report at {path}",
            found=repr(error),
            next_step=again,
        ) from error


def _check_filters(
    analyzed: Mapping[str, str], wanted: Mapping[str, str], task: str, path: Path, again: str
) -> None:
    names = [name for name in _FILTERS_OF_TASK[task] if name in wanted]
    if any(analyzed[name] != wanted[name] for name in names):
        raise AnalysisMissingError(
            "DATA ANALYSIS NOT FOUND for this choice of data",
            expected=", ".join(f"data.{name} {wanted[name]}" for name in names),
            found=f"{path} is of " + ", ".join(f"data.{name} {analyzed[name]}" for name in names),
            next_step=again,
        )
