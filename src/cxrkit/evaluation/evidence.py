"""The evidence table: one checkpoint under every protocol, so that each part's contribution is seen."""

from collections.abc import Mapping, Sequence
from typing import Any

from cxrkit.evaluation.definitions import DEFINITIONS, GROUNDING
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.report import find_entry
from cxrkit.reporting import format_number
from cxrkit.vocabulary import Head

EVIDENCE_METRICS: tuple[tuple[str, str, str], ...] = (
    (Head.BINARY, "balanced_accuracy", "Binary bal.acc."),
    (Head.CATEGORY, "macro_auroc", "Category AUROC"),
    (Head.REGION, "macro_f1_over_sets", "Region macro F1"),
    (Head.SEVERITY, "accuracy", "Severity accuracy"),
    (GROUNDING, "pointing_accuracy", "Pointing IoU>0.5"),
)
# In the order in which they are read: with less and less of the film.
ORDER = (
    "oracle", "predicted", "anatomy", "none", "shuffled_image", "blank_image", "question_only", "majority",
)  # fmt: skip
LEAKS = "oracle"
UPPER_BOUND = "upper bound (leaks the answer)"
_KEEP_THE_SOURCE = ("shuffled_image", "blank_image")
_LABELS = {
    "predicted": "predicted graph",
    "anatomy": "anatomy: boxes of the data set",
    "none": "no graph",
}


def evidence(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Gives one entry per protocol: its label, whether it leaks the answer, and the evidence metrics.

    Args:
        report: with `conditions`, `metrics` and `graph_source`.
    """
    own = report["graph_source"] or "predicted"
    entries = []
    for protocol in ORDER:
        condition = MODEL if protocol == own else protocol
        if condition in report["conditions"]:
            # A model of the oracle reads the asked study's graph whatever film it is shown.
            leaks = protocol == LEAKS or (own == LEAKS and protocol in _KEEP_THE_SOURCE)
            entries.append(
                {
                    "protocol": protocol,
                    "condition": condition,
                    "label": protocol_label(protocol, leaks=leaks),
                    "leaks_answer": leaks,
                    "metrics": _metrics(report, condition),
                }
            )
    return entries


def protocol_label(protocol: str, *, leaks: bool) -> str:
    """Gives what tables call a protocol; that it leaks the answer is part of its name."""
    label = _LABELS.get(protocol, protocol.replace("_", " "))
    return f"{label}: {UPPER_BOUND}" if leaks else label


def _metrics(report: Mapping[str, Any], condition: str) -> list[dict[str, Any]]:
    found = (find_entry(report, name, head, condition) for head, name, _ in EVIDENCE_METRICS)
    keys = ("name", "head", "value", "interval", "undefined_reason", "n", "n_classes")
    return [{key: entry[key] for key in keys} for entry in found if entry is not None]


def evidence_columns() -> tuple[str, ...]:
    """Gives the columns of `evidence_rows`."""
    return ("protocol", *(short for _, _, short in EVIDENCE_METRICS))


def evidence_rows(report: Mapping[str, Any], own_mark: str = " (this model)") -> list[tuple[str, ...]]:
    """Gives the table's rows as texts; "-" where a protocol gives no such answer.

    Args:
        report: the content of `evaluation_report.json` of a VQA model.
        own_mark: put after the protocol that the model was trained for.
    """
    rows = []
    for entry in report.get("evidence", ()):
        values = {(metric["head"], metric["name"]): metric["value"] for metric in entry["metrics"]}
        cells = (_cell(values.get((head, name))) for head, name, _ in EVIDENCE_METRICS)
        mark = own_mark if entry["condition"] == MODEL else ""
        rows.append((entry["label"] + mark, *cells))
    return rows


def _cell(value: float | None) -> str:
    return "-" if value is None else format_number(value)


def describe_evidence_metrics() -> Sequence[str]:
    """Gives the exact name of each column after the first."""
    return [
        f"{short}: {head} head, {DEFINITIONS[name].title}" if head != GROUNDING else
        f"{short}: {DEFINITIONS[name].title}"
        for head, name, short in EVIDENCE_METRICS
    ]  # fmt: skip
