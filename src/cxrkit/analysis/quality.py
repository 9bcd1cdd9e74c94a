"""Warnings about the quality of boxes, targets, ratings and names."""

from collections.abc import Iterator, Mapping
from typing import Any

from cxrkit.analysis.remarks import Remark, Thresholds, name_some
from cxrkit.reporting.formatting import format_percent, format_quantity


def quality_warnings(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    """Gives the warnings about weak supervision and about what was left out.

    Args:
        data: the report as measured.
        limits: the thresholds.
    """
    yield from _weak_boxes(data, limits)
    yield from _weak_questions(data, limits)
    yield from _left_out(data)


def _weak_boxes(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    graphs = data["scene_graphs"]
    fallback, limit = graphs["boxes"]["fallback_share"], limits.fallback_box_share
    if fallback is not None and fallback > limit:
        message = f"{format_percent(fallback)} of the region boxes are generic fallback boxes"
        yield Remark("warning", "fallback_boxes", message, {"share": fallback}, limit)
    covered, limit = graphs["coverage"]["with_box_share"], limits.box_coverage
    if covered is not None and covered < limit:
        message = f"only {format_percent(covered)} of the frontal films with a graph have a region box"
        yield Remark("warning", "box_coverage", message, {"share": covered}, limit)


def _weak_questions(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    masked, limit = data["selection"]["masked_share"], limits.masked_share
    if masked is not None and masked > limit:
        message = f"{format_percent(masked)} of the answerable questions have no known target and are masked"
        yield Remark("warning", "masked_questions", message, {"share": masked}, limit)
    unrated, limit = data["unrated_share"], limits.unrated_share
    if unrated is not None and unrated > limit:
        message = f"{format_percent(unrated)} of the questions are not rated; only grade `all` uses them"
        yield Remark("warning", "unrated_questions", message, {"share": unrated}, limit)


def _left_out(data: Mapping[str, Any]) -> Iterator[Remark]:
    for kind, noun in (("regions", "region name"), ("entities", "entity name")):
        names = data["unmapped"][kind]
        if names:
            message = f"{format_quantity(len(names), noun)} in no table, masked: {name_some(names)}"
            yield Remark("warning", f"unmapped_{kind}", message, names, 0)
    codes = data["rejects"]["by_code"]
    if codes:
        message = f"{format_quantity(data['rejects']['total'], 'thing')} skipped: {name_some(codes)}"
        yield Remark("warning", "rejects", message, codes, 0)
    count = data["yes_no_disagreements"]
    if count:
        answers = format_quantity(count, "yes/no answer")
        message = f"{answers} in which word and polarity disagree; the word counts"
        yield Remark("warning", "yes_no_disagreements", message, {"answers": count}, 0)
