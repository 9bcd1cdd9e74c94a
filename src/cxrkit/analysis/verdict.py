"""From the measured numbers to a verdict: what stops training, then what a user should know."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cxrkit.analysis.bias import bias_warnings
from cxrkit.analysis.integrity import integrity_warnings
from cxrkit.analysis.quality import quality_warnings
from cxrkit.analysis.remarks import TASKS, Remark, Task, Thresholds, filter_words
from cxrkit.analysis.scarcity import scarcity_warnings
from cxrkit.reporting.formatting import format_percent, format_quantity
from cxrkit.vocabulary import SPLITS

_VQA: tuple[Task, ...] = ("vqa",)
_CLASSIFY: tuple[Task, ...] = ("classify",)


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
        # What makes scores too good comes before what makes them poor.
        *integrity_warnings(data, limits),
        *scarcity_warnings(data, limits),
        *bias_warnings(data, limits),
        *quality_warnings(data, limits),
    ]


def reasons_by_task(remarks: Sequence[Remark]) -> dict[Task, list[str]]:
    """Gives, for each task, why its training may not start; an empty list when it may."""
    return {
        task: [remark.message for remark in remarks if remark.level == "blocking" and task in remark.tasks]
        for task in TASKS
    }


def _missing_parts(data: Mapping[str, Any]) -> Iterator[Remark]:
    totals = data["totals"]
    if not totals["images"]:
        yield Remark("blocking", "no_images", "the index holds no film")
    elif not totals["images_in_view"]:
        message = f"no film passes the view filter {data['filter']['view_filter']}"
        yield Remark("blocking", "no_images_in_view", message)
    if not totals["questions"]:
        yield Remark("blocking", "no_questions", "the index holds no question", tasks=_VQA)
    elif not totals["questions_kept"]:
        message = f"no question passes the filter ({filter_words(data)})"
        yield Remark("blocking", "no_questions_kept", message, tasks=_VQA)
    if not totals["scene_graphs"]:
        yield Remark("blocking", "no_scene_graphs", "no study has a scene graph", tasks=_VQA)


def _empty_splits(data: Mapping[str, Any]) -> Iterator[Remark]:
    for name in SPLITS:
        sizes = data["splits"][name]
        if not sizes["studies"]:
            yield Remark("blocking", "empty_split", f"the {name} split holds no study")
            continue
        if data["totals"]["questions_kept"] and not sizes["questions_kept"]:
            message = f"no question of the {name} split passes the filter ({filter_words(data)})"
            yield Remark("blocking", "empty_split", message, tasks=_VQA)
        if data["totals"]["images_in_view"] and not sizes["labelled_studies_in_view"]:
            view = data["filter"]["view_filter"]
            message = (
                f"no study of the {name} split has a CheXpert label and a film of the view filter {view}"
            )
            yield Remark("blocking", "no_labelled_studies", message, tasks=_CLASSIFY)


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
            f"{format_percent(limit)}: {rejects['image_remedy']}; index/rejects.csv lists them"
        )
        values = {"share": share, "images": rejects["images"]}
        yield Remark("blocking", "rejected_images", message, values, limit)
