"""Warnings about too little: small splits, absent question types, rare labels."""

from collections.abc import Iterator, Mapping
from typing import Any

from cxrkit.analysis.remarks import Remark, Thresholds, name_some
from cxrkit.reporting.formatting import format_quantity
from cxrkit.vocabulary import FINDINGS, QUESTION_TYPE_NAMES, SPLITS


def scarcity_warnings(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    """Gives the warnings about what is scarce or absent.

    Args:
        data: the report as measured.
        limits: the thresholds.
    """
    yield from _small_splits(data, limits)
    yield from _absent_types(data)
    yield from _rare_labels(data, limits)


def _small_splits(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    for name in SPLITS:
        studies = data["splits"][name]["studies"]
        limit = limits.training_studies if name == "train" else limits.evaluation_studies
        effect = "what is learned will be unstable" if name == "train" else "scores on it will be imprecise"
        if 0 < studies < limit:
            amount = format_quantity(studies, "study", "studies")
            yield Remark(
                "warning",
                "small_split",
                f"only {amount} in the {name} split: {effect}",
                {name: studies},
                limit,
            )


def _absent_types(data: Mapping[str, Any]) -> Iterator[Remark]:
    types = data["question_types"]
    absent = [name for name in QUESTION_TYPE_NAMES if not types[name]["questions"]["total"]]
    if absent and data["totals"]["questions"]:
        amount = format_quantity(len(absent), "question type")
        message = f"{amount} of {len(QUESTION_TYPE_NAMES)} without any question: {', '.join(absent)}"
        yield Remark("warning", "absent_question_types", message, dict.fromkeys(absent, 0), 0)


def _rare_labels(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    labels, least = data["labels"]["chexpert"], limits.label_positives
    if not labels["train"]["studies"]:
        message = "no training study has a label: the finding heads would learn nothing"
        yield Remark("warning", "no_labels", message)
    for name in SPLITS:
        positives = {finding: labels[name]["findings"][finding]["positive"] for finding in FINDINGS}
        few = {finding: count for finding, count in positives.items() if count < least}
        if few and data["splits"][name]["studies"]:
            amount = format_quantity(len(few), "label")
            message = f"{name}: {amount} of 14 with fewer than {least} positive studies: {name_some(few)}"
            yield Remark("warning", "few_positives", message, few, least)
