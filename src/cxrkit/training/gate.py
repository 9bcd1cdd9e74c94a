"""Training starts only on data that a passing analysis has seen."""

import json
from pathlib import Path

from cxrkit.errors import AnalysisMissingError

REPORT_FILE = "analysis_report.json"


def require_analysis(index_fingerprint: str, analysis_dir: Path, command: str) -> None:
    """Checks that the analysis of this very index passed.

    Args:
        index_fingerprint: fingerprint of the index that training would read.
        analysis_dir: where `cxrkit analyze` writes its report.
        command: the command that makes the report, named in the error.

    Raises:
        AnalysisMissingError: there is no report, it is of other data, or its verdict is "not ready".
    """
    path = analysis_dir / REPORT_FILE
    again = f"{command}\n(or --skip_data_check to train without it)"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        fingerprint, ready = report["index_fingerprint"], bool(report["ready"])
        reasons = [str(reason) for reason in report["reasons"]]
    except FileNotFoundError as error:
        raise AnalysisMissingError(
            "DATA ANALYSIS NOT FOUND",
            expected=f"a passing report at {path}",
            found="no such file",
            next_step=again,
        ) from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise AnalysisMissingError(
            "DATA ANALYSIS NOT READABLE",
            expected=f"an analysis report at {path}",
            found=repr(error),
            next_step=again,
        ) from error
    if fingerprint != index_fingerprint:
        raise AnalysisMissingError(
            "DATA ANALYSIS NOT FOUND for these data",
            expected=f"a report of the index with fingerprint {index_fingerprint[:12]}",
            found=f"{path} is of {str(fingerprint)[:12]}",
            next_step=again,
        )
    if not ready:
        raise AnalysisMissingError(
            "the data analysis did not pass",
            expected=f'"ready": true in {path}',
            found="\n".join(reasons),
            next_step="mend the data and analyze again, or --skip_data_check to train all the same",
        )
