"""Lines of a report as cells of a table."""

from collections.abc import Mapping
from typing import Any

from cxrkit.evaluation.headline import NOT_DEFINED, NOT_MADE
from cxrkit.reporting import format_interval, format_number

NOT_COMPUTED = "not computed"


def value_cell(entry: Mapping[str, Any]) -> str:
    """Gives a value with its interval, or why there is none."""
    if entry["value"] is None:
        reason = str(entry["undefined_reason"])
        # Why stands in the report and below the tables; here it would make the column too wide.
        return NOT_COMPUTED if reason.startswith(NOT_COMPUTED) else f"undefined: {reason}"
    low, high = entry["interval"] or (None, None)
    return format_interval(entry["value"], low, high)


def control_cell(entry: Mapping[str, Any] | None) -> str:
    """Gives a control's value alone; its interval is in the JSON report."""
    if entry is None:
        return NOT_MADE
    return NOT_DEFINED if entry["value"] is None else format_number(entry["value"])
