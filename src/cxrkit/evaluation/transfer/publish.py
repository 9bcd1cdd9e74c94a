"""From the answers to an external set to the files of a folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cxrkit.errors import ArtifactError
from cxrkit.evaluation.transfer.page import transfer_rows, write_transfer_page
from cxrkit.evaluation.transfer.scores import score_transfer
from cxrkit.evaluation.transfer.table import read_external, write_external
from cxrkit.reporting import write_atomically

TABLE_FILE = "transfer_predictions.parquet"
REPORT_FILE = "transfer_report.json"
PAGE_FILE = "transfer_report.html"


@dataclass(frozen=True)
class TransferResult:
    """What was written, and what to show.

    Attributes:
        report: the content of `transfer_report.json`.
        rows: of the table of figures.
        paths: the written files.
    """

    report: Mapping[str, Any]
    rows: list[tuple[str, ...]]
    paths: tuple[Path, ...]


def require_free_transfer(output_dir: Path, own: Mapping[str, str], *, overwrite: bool) -> None:
    """Refuses a folder with the results of another model, set or split.

    Args:
        output_dir: where results shall go.
        own: `dataset`, `split` and `checkpoint` of these.
        overwrite: others may be replaced.

    Raises:
        ArtifactError: the folder holds others, or some that cannot be told.
    """
    path = output_dir / REPORT_FILE
    if overwrite or not path.exists():
        return
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        earlier = {}
    known = earlier if isinstance(earlier, dict) else {}
    different = [f"{key} {known.get(key)}" for key, value in own.items() if known.get(key) != value]
    if different:
        raise ArtifactError(
            f"{output_dir} holds other results",
            expected="an empty folder, or results of the same model, set and split",
            found=", ".join(different),
            next_step="pass another --output_dir, or --overwrite to replace them",
        )


def publish_transfer(answers: pa.Table, output_dir: Path) -> TransferResult:
    """Writes answers, report and page; the report is computed from the written answers.

    Args:
        answers: from `predict_external`.
        output_dir: made when missing; older files of the same names are replaced.

    Raises:
        ArtifactError: the table is not one of external answers.
    """
    table_path, report_path, page_path = (output_dir / name for name in (TABLE_FILE, REPORT_FILE, PAGE_FILE))
    # An older report must never stand beside newer answers when this run breaks off.
    for path in (report_path, page_path):
        path.unlink(missing_ok=True)
    write_external(answers, table_path)
    report = score_transfer(read_external(table_path))
    write_transfer_page(report, page_path)
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(report_path, (text + "\n").encode())
    return TransferResult(report, transfer_rows(report), (table_path, report_path, page_path))
