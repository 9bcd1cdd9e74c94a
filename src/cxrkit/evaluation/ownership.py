"""Whose results a folder holds: an evaluation never takes the place of another's in silence."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from cxrkit.errors import ArtifactError
from cxrkit.evaluation.predictions import PREDICTIONS_FILE
from cxrkit.evaluation.report import REPORT_FILE

_TOLD = {
    "task": "task",
    "split": "split",
    "checkpoint_sha256": "model weights",
    "index_fingerprint": "data",
    "predictions_sha256": "predictions",
}


def require_free(output_dir: Path, own: dict[str, Any], *, overwrite: bool) -> None:
    """Refuses a folder with the results of another evaluation.

    Args:
        output_dir: where results shall go.
        own: what is evaluated; keys of a report or its manifest.
        overwrite: results of another may be replaced.

    Raises:
        ArtifactError: the folder holds results of something else, or some that cannot be told.
    """
    if overwrite or not any((output_dir / name).exists() for name in (REPORT_FILE, PREDICTIONS_FILE)):
        return
    earlier = _identity(output_dir / REPORT_FILE)
    if earlier is None:
        # Predictions alone: a run that broke off while it scored, which is done again.
        return
    different = [_TOLD[key] for key, value in own.items() if earlier.get(key) != value]
    if different:
        raise ArtifactError(
            f"{output_dir} holds the results of another evaluation",
            expected="an empty folder, or results of the same model, data and split",
            found=f"another {', another '.join(different)}",
            next_step="pass another --output_dir, or --overwrite to replace them",
        )


def holds_results_of(output_dir: Path, own: dict[str, Any], conditions: Collection[str] = ()) -> bool:
    """Tells whether a folder holds whole results of this very evaluation.

    Args:
        output_dir: a folder, which may be missing.
        own: what is evaluated; keys of a report or its manifest.
        conditions: controls that must be among them.
    """
    earlier = _identity(output_dir / REPORT_FILE)
    if not earlier or not (output_dir / PREDICTIONS_FILE).is_file():
        return False
    is_own = all(earlier.get(key) == value for key, value in own.items())
    return is_own and set(conditions) <= set(earlier.get("conditions", ()))


def _identity(path: Path) -> dict[str, Any] | None:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    if not isinstance(report, dict):
        return {}
    manifest = report.get("manifest")
    return (manifest if isinstance(manifest, dict) else {}) | report
