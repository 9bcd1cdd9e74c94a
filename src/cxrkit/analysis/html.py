"""The analysis as a page for people."""

from collections.abc import Mapping
from typing import Any

from cxrkit.analysis import panels
from cxrkit.analysis.integrity_page import (
    add_conflicts,
    add_films,
    add_leakage,
    add_samples,
    add_texts,
)
from cxrkit.analysis.labels import LABEL_VALUES
from cxrkit.analysis.plots import panel_figure
from cxrkit.data.rejects import REJECT_MEANINGS
from cxrkit.reporting import Page, format_count, format_number, format_percent
from cxrkit.vocabulary import FINDINGS, SPLITS

Report = Mapping[str, Any]

_FACTS = ("patients", "studies", "images", "scene_graphs", "questions", "questions_kept")
_UNMAPPED_AT_MOST = 40
_TALL, _TALLER = 5.2, 6.4
_LONG_NAMES = 2.1
_TYPE_COLUMNS = ("questions", "take part", "commonest answer", *(f"right in {name}" for name in SPLITS))
_REGION_COLUMNS = (
    "positive observations", "negative observations", *(f"answers, {name}" for name in SPLITS), "boxes",
)  # fmt: skip


def build_page(data: Report) -> Page:
    """Gives the page of an analysis report.

    Args:
        data: the analysis report, with its verdict.
    """
    chosen = data["filter"]
    grade = f"grade {chosen['quality_grade']}" + (" or better" if chosen["minimum_rating"] else "")
    page = Page(
        "Data analysis", f"index {data['index_fingerprint'][:12]} · {grade} · {_words(chosen['view_filter'])}"
    )
    add_overview(page, data)
    _add_splits(page, data)
    _add_questions(page, data)
    _add_regions(page, data)
    _add_labels(page, data)
    _add_graphs(page, data)
    add_films(page, data)
    add_leakage(page, data)
    add_conflicts(page, data)
    add_texts(page, data)
    add_samples(page, data)
    _add_rejects(page, data)
    _add_thresholds(page, data)
    return page


def add_overview(page: Page, data: Report) -> None:
    """Adds the totals and the verdict of an analysis to a page."""
    page.facts([(_words(name), format_count(data["totals"][name])) for name in _FACTS])
    _add_verdict(page, data)


def _words(name: str) -> str:
    return name.replace("_share", "").replace("_", " ")


def _add_verdict(page: Page, data: Report) -> None:
    page.section("Verdict")
    asked = data["task"]
    if data["ready"]:
        page.notice(f"The data is ready for training ({asked}).", "success")
    for reason in data["reasons"]:
        page.notice(f"Not ready: {reason}.", "error")
    for task, reasons in data["reasons_for"].items():
        if task != asked and reasons:
            page.notice(f"Not ready for {task}: {'; '.join(reasons)}.", "warning")
    warnings = [remark for remark in data["remarks"] if remark["level"] == "warning"]
    rows = [(_words(remark["code"]), remark["message"]) for remark in warnings]
    page.table(["warning", "what was seen"], rows, "Warnings", empty="none")


def _add_splits(page: Page, data: Report) -> None:
    page.section("Splits and views", "The official split of MIMIC-CXR-JPG is the only authority.")
    names = list(data["splits"][SPLITS[0]])
    rows = [[name, *data["splits"][name].values()] for name in SPLITS]
    rows.append(["total", *(data["totals"][name] for name in names)])
    page.table(["split", *map(_words, names)], rows, "Sizes")
    views = list(data["views"][SPLITS[0]])
    page.table(["split", *views], [[name, *data["views"][name].values()] for name in SPLITS], "Films by view")
    page.figure(panel_figure(panels.draw_split_sizes, data), "Studies in each split.")


def _add_questions(page: Page, data: Report) -> None:
    words = "A question takes part when it passes the filter and its target is known."
    page.section("Questions and answers", words)
    steps = {name: count for name, count in data["selection"].items() if not name.endswith("_share")}
    rows = [[_words(name), count, _share(count, steps["questions"])] for name, count in steps.items()]
    page.table(["step", "questions", "share"], rows, "What the filter leaves")
    page.figure(panel_figure(panels.draw_ratings, data), "Questions by rating, before the filter.")
    types = panel_figure(panels.draw_question_types, data, _TALLER, _LONG_NAMES)
    page.figure(types, "Questions that take part, by type and head.")
    page.figure(panel_figure(panels.draw_polarity, data), "Polarity of the answers that take part.")
    for kind, title in (("heads", "Answer heads"), ("question_types", "Question types")):
        rows = [_type_row(name, entry) for name, entry in data[kind].items()]
        caption = f"{title}; the commonest answer is that of the training questions"
        page.table([title.split()[-1].removesuffix("s"), *_TYPE_COLUMNS], rows, caption)


def _share(part: int, whole: int) -> str:
    return format_percent(part / whole if whole else None)


def _type_row(name: str, entry: Report) -> list[object]:
    majority = entry.get("majority") or {}
    shares = [format_percent(majority.get("accuracy", {}).get(split)) for split in SPLITS]
    kept = entry.get("kept", {}).get("total")
    name = name.replace("free_text", "free text")
    return [name, entry["questions"]["total"], kept, majority.get("answer"), *shares]


def _add_regions(page: Page, data: Report) -> None:
    words = "The 26 regions of the region head and their groups. Fallback boxes are not counted."
    page.section("Regions", words)
    regions = panel_figure(panels.draw_regions, data, _TALLER, _LONG_NAMES)
    page.figure(regions, "Positive observations by region and group.")
    groups = [_region_row(*item) for item in data["regions"]["by_group"].items()]
    page.table(["group", *_REGION_COLUMNS], groups, "Groups")
    coverage = data["scene_graphs"]["coverage"]["share_by_region"]
    rows = [
        [*_region_row(name, entry), format_percent(coverage[name])]
        for name, entry in data["regions"]["by_region"].items()
    ]
    page.table(["region", *_REGION_COLUMNS, "frontal films with a box"], rows, "Regions")


def _region_row(name: str, entry: Report) -> list[object]:
    answers = [entry["answers"][split] for split in SPLITS]
    observed = [entry["positive_observations"], entry["negative_observations"]]
    return [name, *observed, *answers, entry["boxes"]]


def _add_labels(page: Page, data: Report) -> None:
    page.section("Labels", "Studies by what the CheXpert labeller says; blank means not mentioned.")
    labels = panel_figure(panels.draw_labels, data, _TALL, _LONG_NAMES)
    page.figure(labels, "CheXpert labels of the training studies.")
    for split in SPLITS:
        part = data["labels"]["chexpert"][split]["findings"]
        rows = [[finding, *(part[finding][kind] for kind in LABEL_VALUES)] for finding in FINDINGS]
        page.table(["finding", *LABEL_VALUES], rows, f"CheXpert labels, {split}")


def _add_graphs(page: Page, data: Report) -> None:
    graphs = data["scene_graphs"]
    page.section("Scene graphs")
    rows: list[list[object]] = []
    for part in ("graphs", "observations", "boxes", "coverage"):
        rows += [[part, _words(name), _value(name, value)] for name, value in _numbers(graphs[part])]
    for part, name in (("graphs", "observations_per_graph"), ("coverage", "regions_per_image")):
        numbers = graphs[part][name].items()
        rows += [[part, f"{_words(name)}, {kind}", _value(kind, value)] for kind, value in numbers]
    page.table(["part", "measure", "value"], rows, "Quality", align=["left", "left", "right"])
    levels = list(graphs["boxes"]["localization_quality"].items())
    page.table(["level", "boxes"], levels, "Localization quality of the region boxes", ["left", "right"])
    page.figure(panel_figure(panels.draw_observations, data), "Observations per scene graph.")
    page.figure(panel_figure(panels.draw_box_coverage, data), "Regions with a box on a frontal film.")


def _numbers(part: Report) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in part.items() if not isinstance(value, dict | list)]


def _value(name: str, value: float | int | None) -> str:
    if name.endswith("_share"):
        return format_percent(value)
    return format_count(value) if isinstance(value, int) else format_number(value, 1)


def _add_rejects(page: Page, data: Report) -> None:
    page.section("Skipped things and unmapped names", "Nothing is ever replaced by a dummy.")
    rows = [
        [code, kind, REJECT_MEANINGS.get(code), count]
        for kind, codes in data["rejects"]["by_kind"].items()
        for code, count in codes.items()
    ]
    columns = ["code", "kind", "meaning", "count"]
    page.table(columns, rows, "Skipped while the index was made", empty="no rejects")
    for kind in ("regions", "entities"):
        names = list(data["unmapped"][kind].items())[:_UNMAPPED_AT_MOST]
        caption = f"Unmapped {kind}" + (" (the commonest)" if len(names) == _UNMAPPED_AT_MOST else "")
        page.table(["name", "count"], names, caption, empty="every name is mapped")


def _add_thresholds(page: Page, data: Report) -> None:
    page.section("Thresholds", "The limits behind verdict and warnings.")
    rows = [
        [name.replace("_", " "), format_count(value) if isinstance(value, int) else format_percent(value)]
        for name, value in data["thresholds"].items()
    ]
    page.table(["threshold", "value"], rows, align=["left", "right"])
