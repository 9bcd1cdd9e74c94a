"""The sections of the page about films, leakage, label conflicts and texts."""

from collections.abc import Mapping
from typing import Any

from cxrkit.analysis import panels
from cxrkit.analysis.plots import panel_figure
from cxrkit.reporting import Page, format_count, format_number, format_percent, format_signed

Report = Mapping[str, Any]
_PARTS = ("min", "p5", "median", "p95", "max")
# Words and decimals of each measure.
_MEASURES = {
    "width_px": ("width in pixels", 0),
    "height_px": ("height in pixels", 0),
    "megapixels": ("megapixels", 2),
    "aspect": ("width over height", 2),
    "mean_grey": ("mean grey level, 0 to 255", 1),
    "deviation": ("deviation of the grey levels", 1),
    "range": ("grey levels from 1 % to 99 %", 0),
}
_SKIPPED = "The films were not read (--skip_images): exposure and films that are there twice are unknown."
_WORDS_SHOWN = 20


def add_films(page: Page, data: Report) -> None:
    """Adds sizes, exposure, and films that are in the data twice."""
    films = data["films"]
    page.section("Films", "Sizes are those of the original films; exposure is that of the stored pixels.")
    measures = films["sizes"] | (films["exposure"] or {})
    rows = [
        (words, *(_number(measures[name][part], digits) for part in _PARTS))
        for name, (words, digits) in _MEASURES.items()
        if name in measures
    ]
    page.table(("measure", "least", "5 %", "median", "95 %", "most"), rows, "Over films")
    if films["leakage"] is None:
        page.notice(_SKIPPED, "warning")
        return
    page.figure(panel_figure(panels.draw_exposure, data), "Films by their mean grey level.")
    exposure = films["exposure"]
    page.table(
        ("films", "count"),
        [
            ("without any contrast (blank)", exposure["blank"]),
            ("more than half black", exposure["films_mostly_dark"]),
            ("more than half white", exposure["films_mostly_bright"]),
        ],
        "Exposure",
    )
    _add_twice(page, films["leakage"])


def _add_twice(page: Page, leakage: Report) -> None:
    page.section(
        "Films that are there twice",
        "Identical: all stored pixels are equal. Near-identical: the same picture but for brightness, "
        "contrast, size or compression. Across splits either makes scores too good.",
    )
    kinds = (("identical", "byte-identical"), ("near_identical", "near-identical"))
    rows = [
        (
            word,
            leakage[kind]["pairs"],
            leakage[kind]["pairs_across_splits"],
            leakage[kind]["pairs_of_different_patients"],
        )
        for kind, word in kinds
    ]
    page.table(("kind", "pairs", "across splits", "under different patients"), rows)
    if leakage["search_truncated"]:
        page.notice(
            "More pairs look alike than were kept: the near-identical ones are a lower bound.", "warning"
        )


def add_leakage(page: Page, data: Report) -> None:
    """Adds how far the question's text alone gets."""
    page.section(
        "What the question alone tells",
        "Each text's commonest training answer or, for texts that training hardly has, what a linear "
        "classifier of the words says; learned on the training questions that take part, tested on the other "
        "splits, beside the type's commonest training answer. What it gains needs no film.",
    )
    rows = [
        (
            name,
            format_percent(entry["majority_accuracy"]),
            format_percent(entry["accuracy"]),
            _gain(entry),
            entry["n"],
            entry["texts"],
        )
        for name, entry in data["question_leakage"].items()
        if entry is not None
    ]
    columns = (
        "question type",
        "commonest answer",
        "question only",
        "gain in points [95 %]",
        "questions",
        "texts",
    )
    page.table(columns, rows, empty="no type has training and test questions")
    gains = panel_figure(panels.draw_question_gain, data, names=2.1)
    page.figure(gains, "Types whose text alone beats the commonest answer.")


def _gain(entry: Report) -> str:
    low_high = entry["gain_interval"]
    gain, *ends = (format_signed(100 * value, 1) for value in (entry["gain"], *(low_high or ())))
    return f"{gain} [{', '.join(ends)}]" if ends else gain


def add_conflicts(page: Page, data: Report) -> None:
    """Adds where questions and labels contradict each other."""
    found = data["label_conflicts"]
    page.section(
        "Questions against labels",
        "Studies in which the question data name a finding as present or absent and CheXpert labels it 1 or "
        "0. Uncertain (-1) and blank labels are never a conflict.",
    )
    rows = [
        (
            finding,
            entry["compared"],
            entry["present_but_label_0"],
            entry["absent_but_label_1"],
            format_percent(entry["conflict_share"]),
        )
        for finding, entry in found["by_finding"].items()
    ]
    extra, missed = (
        sum(entry[kind] for entry in found["by_finding"].values())
        for kind in ("present_but_label_0", "absent_but_label_1")
    )
    rows.append(("all", found["compared"], extra, missed, format_percent(found["conflict_share"])))
    page.table(("finding", "compared", "present, label 0", "absent, label 1", "contradict"), rows)


def add_texts(page: Page, data: Report) -> None:
    """Adds lengths and words of questions and answers."""
    page.section("Texts", "Every question and answer of the index, before the filter.")
    texts = data["texts"]
    rows = [
        (
            name,
            part["texts"],
            part["different"],
            format_percent(part["different_share"]),
            part["vocabulary"],
            *(_number(part["words"][key]) for key in ("p5", "median", "p95", "max")),
        )
        for name, part in texts.items()
    ]
    columns = (
        "texts", "count", "different", "share", "vocabulary", "words, 5 %", "median", "95 %", "most",
    )  # fmt: skip
    page.table(columns, rows)
    page.figure(panel_figure(panels.draw_question_lengths, data), "Questions by their length in words.")
    page.figure(panel_figure(panels.draw_answer_lengths, data), "Answers by their length in words.")
    for name, part in texts.items():
        words = list(part["frequent_words"].items())[:_WORDS_SHOWN]
        listed = ", ".join(f"{word} ({format_count(count)})" for word, count in words)
        page.paragraph(f"Commonest words of the {name}: {listed or 'none'}.")


def add_samples(page: Page, data: Report) -> None:
    """Adds where the sample films lie; they show patients and stay out of the page."""
    if data["samples"]:
        page.section("Samples", "Pictures of patients: they lie beside this page, not in it.")
        rows = [(one["file"], one["split"], one["boxes"], one["questions"]) for one in data["samples"]]
        page.table(("file", "split", "boxes", "questions shown"), rows)


def _number(value: float | None, digits: int = 0) -> str:
    return format_count(round(value)) if value is not None and not digits else format_number(value, digits)
