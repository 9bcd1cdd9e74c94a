"""From the measured numbers to a verdict: what stops training, then what a user should know."""

from collections.abc import Iterator, Mapping
from typing import Any

from cxrkit.analysis.bias import bias_warnings
from cxrkit.analysis.quality import quality_warnings
from cxrkit.analysis.remarks import Remark, Thresholds, filter_words
from cxrkit.analysis.scarcity import scarcity_warnings
from cxrkit.reporting.formatting import format_percent, format_quantity
from cxrkit.vocabulary import SPLITS


def judge(data: Mapping[str, Any], limits: Thresholds) -> list[Remark]:
    """Gives all remarks: what blocks first, then the warnings.

    Args:
        data: the report as measured, without the verdict.
        limits: the thresholds.
    """
    return [
        *_missing_parts(data),
        *_empty_splits(data),
        *_broken_trust(data, limits),
        *scarcity_warnings(data, limits),
        *bias_warnings(data, limits),
        *quality_warnings(data, limits),
    ]


def _missing_parts(data: Mapping[str, Any]) -> Iterator[Remark]:
    totals = data["totals"]
    if not totals["images"]:
        yield Remark("blocking", "no_images", "the index holds no film")
    elif not totals["images_in_view"]:
        message = f"no film passes the view filter {data['filter']['view_filter']}"
        yield Remark("blocking", "no_images_in_view", message)
    if not totals["questions"]:
        yield Remark("blocking", "no_questions", "the index holds no question")
    elif not totals["questions_kept"]:
        message = f"no question passes the filter ({filter_words(data)})"
        yield Remark("blocking", "no_questions_kept", message)
    if not totals["scene_graphs"]:
        yield Remark("blocking", "no_scene_graphs", "no study has a scene graph")


def _empty_splits(data: Mapping[str, Any]) -> Iterator[Remark]:
    for name in SPLITS:
        sizes = data["splits"][name]
        if not sizes["studies"]:
            yield Remark("blocking", "empty_split", f"the {name} split holds no study")
        elif data["totals"]["questions_kept"] and not sizes["questions_kept"]:
            message = f"no question of the {name} split passes the filter ({filter_words(data)})"
            yield Remark("blocking", "empty_split", message)


def _broken_trust(data: Mapping[str, Any], limits: Thresholds) -> Iterator[Remark]:
    shared = data["shared_patients"]
    if shared:
        patients = format_quantity(shared, "patient")
        message = f"{patients} with studies in more than one split: scores would be too good"
        yield Remark("blocking", "patient_in_several_splits", message, {"patients": shared}, 0)
    rejects, limit = data["rejects"], limits.rejected_image_share
    share = rejects["image_share"]
    if share is not None and share > limit:
        message = (
            f"{format_quantity(rejects['images'], 'film')} rejected ({format_percent(share)}), more than "
            f"{format_percent(limit)}; index/rejects.csv lists them"
        )
        values = {"share": share, "images": rejects["images"]}
        yield Remark("blocking", "rejected_images", message, values, limit)
