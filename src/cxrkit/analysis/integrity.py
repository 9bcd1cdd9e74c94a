"""Remarks about leakage across splits and about labels that contradict the questions."""

from collections.abc import Iterator, Mapping
from typing import Any

from cxrkit.analysis.remarks import Remark, Thresholds, name_some
from cxrkit.reporting.formatting import format_percent, format_quantity, format_signed


def integrity_warnings(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    """Gives the warnings about what makes scores too good, or labels untrustworthy.

    Args:
        data: the report as measured.
        limits: the thresholds.
    """
    yield from _films_twice(data)
    yield from _blank_films(data)
    yield from _telling_questions(data, limits)
    yield from _conflicting_labels(data, limits)


def _films_twice(data: Mapping[str, Any]) -> Iterator[Remark]:
    leakage = data["films"].get("leakage")
    if leakage is None:
        return
    if leakage["search_truncated"]:
        message = "more candidates of near-identical films than are compared: pairs may be missing"
        yield Remark("warning", "near_identical_search_truncated", message, {}, 0)
    for kind, word in (("identical", "byte-identical"), ("near_identical", "near-identical")):
        found = leakage[kind]
        across = found["pairs_across_splits"]
        if across:
            pairs = format_quantity(across, f"pair of {word} films", f"pairs of {word} films")
            message = f"{pairs} across splits: scores would be too good (named in the report, films.leakage)"
            yield Remark("warning", f"{kind}_films_across_splits", message, {"pairs": across}, 0)
        # One patient's own films may well be stored twice; two patients never share one.
        foreign = found["pairs_of_different_patients"]
        if foreign:
            pairs = format_quantity(foreign, f"pair of {word} films", f"pairs of {word} films")
            message = f"{pairs} under different patients"
            yield Remark("warning", f"{kind}_films_of_different_patients", message, {"pairs": foreign}, 0)


def _blank_films(data: Mapping[str, Any]) -> Iterator[Remark]:
    leakage = data["films"].get("leakage")
    if leakage is not None and leakage["blank"]:
        message = f"{format_quantity(leakage['blank'], 'film')} without any contrast"
        yield Remark("warning", "blank_films", message, {"films": leakage["blank"]}, 0)


def _telling_questions(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    gains = {
        name: entry["gain"]
        for name, entry in data["question_leakage"].items()
        if entry is not None and _tells(entry, limits)
    }
    telling = dict(sorted(gains.items(), key=lambda item: -item[1]))
    if telling:
        message = (
            f"{format_quantity(len(telling), 'question type')} whose text alone foretells the answer clearly "
            f"better than the commonest answer does, in percentage points: {name_some(telling, _points)}"
        )
        yield Remark("warning", "question_gives_answer_away", message, telling, limits.question_only_gain)


def _points(gain: float) -> str:
    return format_signed(100 * gain, 1)


def _tells(entry: Mapping[str, Any], limits: Thresholds) -> bool:
    """Tells whether the gain is no chance, and large in itself or beside what was left to gain."""
    if entry["gain_interval"] is None or entry["gain_interval"][0] <= 0:
        return False
    errors = 1 - entry["majority_accuracy"]
    return bool(
        entry["gain"] > limits.question_only_gain
        or entry["gain"] > limits.question_only_errors_avoided * errors
    )


def _conflicting_labels(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    entries = data["label_conflicts"]["by_finding"]
    high = {
        name: entry["conflict_share"]
        for name, entry in entries.items()
        if entry["compared"] >= limits.label_conflict_studies
        and entry["conflict_share"] > limits.label_conflict_share
    }
    if high:
        message = (
            f"{format_quantity(len(high), 'finding')} whose questions and CheXpert labels contradict "
            f"each other in more than {format_percent(limits.label_conflict_share, 0)} of the studies that "
            f"both speak of: {name_some(high, format_percent)}"
        )
        yield Remark("warning", "label_conflicts", message, high, limits.label_conflict_share)
