"""Warnings about bias: one-sided answers, skewed question types, regions hardly named."""

from collections.abc import Iterator, Mapping
from typing import Any

from cxrkit.analysis.remarks import Remark, Thresholds, name_some
from cxrkit.reporting.formatting import format_percent, format_quantity


def bias_warnings(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    """Gives the warnings about what a model could learn instead of looking at the film.

    Args:
        data: the report as measured.
        limits: the thresholds.
    """
    yield from _one_sided_answers(data["heads"], "head", limits)
    yield from _one_sided_answers(data["question_types"], "question type", limits)
    yield from _skewed_types(data, limits)
    yield from _rare_heads(data, limits)
    yield from _rare_groups(data, limits)
    yield from _rare_regions(data, limits)


def _one_sided_answers(entries: Mapping[str, Any], what: str, limits: Thresholds) -> Iterator[Remark]:
    limit = limits.majority_share
    majorities = {name: entry["majority"] for name, entry in entries.items() if entry.get("majority")}
    shares = {name: majority["accuracy"]["train"] for name, majority in majorities.items()}
    high = {name: share for name, share in shares.items() if share is not None and share > limit}
    if high:
        message = (
            f"{format_quantity(len(high), what)} with one answer to more than {format_percent(limit, 0)} "
            f"of the training questions: {name_some(high, format_percent)}"
        )
        yield Remark("warning", "answer_imbalance", message, high, limit)


def _skewed_types(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    for name, entry in data["question_types"].items():
        share = entry["share_of_kept"]
        if share is not None and share > limits.question_type_share:
            message = f"{name} makes up {format_percent(share)} of the questions that take part"
            yield Remark(
                "warning", "question_type_skew", message, {name: share}, limits.question_type_share
            )  # fmt: skip


def _rare_heads(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    shares = {name: entry.get("share_of_kept") for name, entry in data["heads"].items()}
    rare = {name: share for name, share in shares.items() if share is not None and share < limits.head_share}
    if rare:
        message = f"hardly any question that takes part for: {name_some(rare, format_percent)}"
        yield Remark("warning", "rare_heads", message, rare, limits.head_share)


def _rare_groups(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    limit = limits.region_group_share
    groups = data["regions"]["by_group"]
    shares = {name: entry["share_of_positive_observations"] for name, entry in groups.items()}
    low = {name: share for name, share in shares.items() if share is not None and share < limit}
    if low:
        message = f"region groups hardly named by positive observations: {name_some(low, format_percent)}"
        yield Remark("warning", "region_group_under_represented", message, low, limit)


def _rare_regions(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    regions, least = data["regions"]["by_region"], limits.region_answers
    answers = {name: entry["answers"]["train"] for name, entry in regions.items()}
    few = {name: count for name, count in answers.items() if count < least}
    if few and data["totals"]["questions_kept"]:
        message = (
            f"{format_quantity(len(few), 'region')} of {len(regions)} in fewer than {least} training answers "
            f"of the region head: {name_some(few)}"
        )
        yield Remark("warning", "region_under_represented", message, few, least)
