"""`evaluation_report.json`: its frame, writing and reading."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cxrkit.errors import ArtifactError
from cxrkit.reporting import write_atomically
from cxrkit.version import __version__

SCHEMA_VERSION = 5
REPORT_FILE = "evaluation_report.json"


def new_report(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the frame of a report: what was evaluated, nothing scored yet.

    Args:
        metadata: what the prediction table says about itself.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "cxrkit_version": __version__,
        "task": metadata["task"],
        "split": metadata.get("split"),
        "graph_source": metadata.get("graph_source"),
        "roi_source": metadata.get("roi_source"),
        "checkpoint": metadata.get("checkpoint"),
        "index_fingerprint": metadata.get("index_fingerprint"),
        "conditions": [],
        "n_questions": None,
        "n_studies": None,
        "n_patients": None,
        "n_free_text_not_scored": metadata.get("n_free_text"),
        "n_free_text_by_type": metadata.get("n_free_text_by_type"),
        "n_masked": metadata.get("n_masked"),
        "evidence": [],
        "metrics": [],
        "differences": [],
        "strata": [],
        "definitions": {},
        "manifest": metadata.get("manifest"),
        "patient_tables": metadata.get("patient_tables"),
        "notes": [],
    }


def patient_notes(metadata: Mapping[str, Any]) -> list[str]:
    """Says how many patients the tables of patients tell nothing about.

    Args:
        metadata: what the prediction table says about itself.
    """
    counts = metadata.get("patients_not_stated") or {}
    names = {"sex": "sex", "age_group": "age", "race": "race"}
    told = ", ".join(f"{names[name]} of {count:,}" for name, count in counts.items() if count)
    return (
        [f"Tables of patients: not stated, not understood or contradicting themselves: {told} patients."]
        if told
        else []
    )


def data_notes(metadata: Mapping[str, Any]) -> list[str]:
    """Says when the model was trained on other data than it is scored on.

    Args:
        metadata: what the prediction table says about itself.
    """
    trained = (metadata.get("manifest") or {}).get("trained_index_fingerprint")
    scored = metadata.get("index_fingerprint")
    if trained is None or trained == scored:
        return []
    return [
        f"Trained on data {trained[:12]}, scored on other data {str(scored)[:12]}: that no patient here was "
        "among those of the training is for you to know."
    ]


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Writes a report whole or not at all; equal reports give equal bytes."""
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def read_report(path: Path) -> dict[str, Any]:
    """Reads a report.

    Raises:
        ArtifactError: it is missing, not JSON, or of another schema version.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(
            f"no evaluation report at {path}",
            found="no such file",
            next_step="make it with `cxrkit evaluate`",
        ) from error
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged", expected="JSON", found=str(error)) from error
    version = report.get("schema_version") if isinstance(report, dict) else None
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} is not a report that this version reads",
            expected=f"schema_version {SCHEMA_VERSION}",
            found=f"schema_version {version}",
            next_step="make it again with `cxrkit evaluate`",
        )
    result: dict[str, Any] = report
    return result


def find_entry(
    report: Mapping[str, Any],
    name: str,
    head: str,
    condition: str,
    finding: str | None = None,
    region: str | None = None,
) -> dict[str, Any] | None:
    """Gives the line of a report for a metric, head and condition; None when the report has none."""
    wanted = (name, head, condition, finding, region)
    for entry in report["metrics"]:
        if tuple(entry[key] for key in ("name", "head", "condition", "finding", "region")) == wanted:
            found: dict[str, Any] = entry
            return found
    return None
