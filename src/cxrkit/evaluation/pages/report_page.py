"""`report.html` of an evaluation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cxrkit.evaluation.definitions import CONDITIONS, DEFINITIONS, GROUNDING, SCENE_GRAPH
from cxrkit.evaluation.evidence import (
    LEAKS,
    describe_evidence_metrics,
    evidence_columns,
    evidence_rows,
    protocol_label,
)
from cxrkit.evaluation.films import FilmLookup
from cxrkit.evaluation.headline import HEADLINE_COLUMNS, NOT_DEFINED, headline_table
from cxrkit.evaluation.measured import CONTROLS, MODEL
from cxrkit.evaluation.pages.confusion import add_confusions
from cxrkit.evaluation.pages.consistency import add_consistency
from cxrkit.evaluation.pages.curves import add_curves
from cxrkit.evaluation.pages.entry_cells import control_cell, value_cell
from cxrkit.evaluation.pages.explanations import add_explanations
from cxrkit.evaluation.pages.findings import add_findings
from cxrkit.evaluation.pages.gallery import add_gallery
from cxrkit.evaluation.pages.plots import headline_figure
from cxrkit.evaluation.pages.strata import add_strata
from cxrkit.reporting import Page, format_count, format_signed
from cxrkit.vocabulary import ANSWER_HEADS, REGIONS

PAGE_FILE = "report.html"
_TITLES = {"vqa": "Visual question answering: evaluation", "classify": "14 findings: evaluation"}
_CONDITIONS = (MODEL, *CONTROLS)


def write_page(
    report: Mapping[str, Any],
    predictions: pa.Table,
    path: Path,
    films: FilmLookup | None = None,
    pdf_path: Path | None = None,
) -> None:
    """Writes the page of an evaluation.

    Args:
        report: the content of `evaluation_report.json`.
        predictions: the table it was computed from.
        path: where the page shall be.
        films: where example films come from; no gallery when None.
        pdf_path: where the same shall be as PDF; none when None.
    """
    page = Page(_TITLES[report["task"]], f"split {report['split']}, checkpoint {report['checkpoint']}")
    add_evaluation(page, report, predictions, films)
    add_definitions(page, report)
    page.write(path)
    if pdf_path is not None:
        from cxrkit.reporting.pdf import write_pdf

        write_pdf(page, pdf_path)


def add_evaluation(
    page: Page, report: Mapping[str, Any], predictions: pa.Table, films: FilmLookup | None = None
) -> None:
    """Adds the sections of one evaluation to a page; arguments as for `write_page`."""
    _add_summary(page, report)
    if report["task"] == "vqa":
        _add_evidence(page, report)
        _add_heads(page, report)
        add_confusions(page, predictions)
        add_curves(page, predictions)
        _add_graph(page, report)
        add_consistency(page, report)
        add_explanations(page, report, predictions)
    else:
        add_findings(page, report, predictions)
    add_strata(page, report)
    if films is not None:
        add_gallery(page, report, predictions, films)


def _add_summary(page: Page, report: Mapping[str, Any]) -> None:
    counts = [(name, report[f"n_{name}"]) for name in ("questions", "studies", "patients")]
    facts = [(name, format_count(count)) for name, count in counts if count is not None]
    if report["graph_source"]:
        facts.append(("scene graph", str(report["graph_source"])))
    page.facts(facts)
    if report["graph_source"] == "oracle":
        page.notice("The model was given the data set's own scene graph, which holds the answers.", "warning")
    page.section("Headline figures", "Each figure stands beside the controls that do not see the film.")
    page.table(HEADLINE_COLUMNS, headline_table(report), align=("left", "right", "right", "right", "right"))
    page.figure(
        headline_figure(report), "Headline figures of the model with 95 % intervals, and the controls"
    )
    page.table(
        ("figure", "control", "model minus control [95 % interval]"),
        [
            (
                _title(entry["head"], entry["metric"]),
                protocol_label(entry["control"], leaks=entry["control"] == LEAKS),
                _difference(entry),
            )
            for entry in report["differences"]
        ],
        caption="Paired differences on the same questions; an interval that contains 0: not distinguishable.",
    )
    page.notice("\n\n".join(report["notes"]))


def _add_evidence(page: Page, report: Mapping[str, Any]) -> None:
    page.section(
        "What film and graph contribute",
        "One checkpoint under every protocol. " + "; ".join(describe_evidence_metrics()) + ".",
    )
    page.table(
        evidence_columns(), evidence_rows(report), align=("left", "right", "right", "right", "right", "right")
    )
    if any(entry["leaks_answer"] for entry in report["evidence"]):
        page.notice("The oracle row is no result: its graph holds the answers.", "warning")


def _add_graph(page: Page, report: Mapping[str, Any]) -> None:
    lines = [entry for entry in report["metrics"] if entry["head"] == SCENE_GRAPH]
    if not lines:
        return
    page.section(
        "Predicted scene graph",
        "Boxes, presence and findings of the 26 regions; the data set's graph is the reference.",
    )
    whole = [entry for entry in lines if entry["region"] is None]
    page.table(("metric", *map(_words, _CONDITIONS), "n", "patients"), _condition_rows(whole), "All regions")
    of_model = {(entry["region"], entry["name"]): entry for entry in lines if entry["condition"] == MODEL}
    names = ("region_box_iou", "presence_accuracy", "finding_auroc")
    page.table(
        ("region", *(DEFINITIONS[name].title for name in names), "entities scored", "films with a box"),
        [
            (
                region,
                *(_graph_value(of_model[region, name]) for name in names),
                of_model[region, "finding_auroc"]["n_classes"],
                of_model[region, "region_box_iou"]["n_positive"],
            )
            for region in REGIONS
        ],
        "Each region",
    )


def _graph_value(entry: Mapping[str, Any]) -> str:
    return NOT_DEFINED if entry["value"] is None else value_cell(entry)


def _add_heads(page: Page, report: Mapping[str, Any]) -> None:
    page.section(
        "Answers by head",
        "Heads have different classes and are never pooled. BERTScore is computed with cxrkit evaluate "
        "--bertscore_model.",
    )
    for head in (*(head.value for head in ANSWER_HEADS), GROUNDING):
        lines = [entry for entry in report["metrics"] if entry["head"] == head]
        page.table(
            ("metric", *map(_words, _CONDITIONS), "n", "patients"), _condition_rows(lines), head.capitalize()
        )


def add_definitions(page: Page, report: Mapping[str, Any]) -> None:
    """Adds what each metric of a report means and how its interval was made."""
    used = dict.fromkeys(entry["name"] for entry in report["metrics"])
    method = next((entry["interval_method"] for entry in report["metrics"]), "")
    page.section("Definitions", f"Intervals: {method}." if method else "")
    page.table(
        ("condition", "what it is"), [(_words(name), CONDITIONS[name]) for name in report["conditions"]]
    )
    page.table(("metric", "definition"), [(DEFINITIONS[name].title, DEFINITIONS[name].text) for name in used])


def _condition_rows(lines: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    rows = []
    for name in dict.fromkeys(entry["name"] for entry in lines):
        by_condition = {entry["condition"]: entry for entry in lines if entry["name"] == name}
        model = by_condition[MODEL]
        cells = [value_cell(model), *(control_cell(by_condition.get(key)) for key in CONTROLS)]
        title = DEFINITIONS[name].title
        if model["n_classes"] is not None:
            title += f" ({model['n_classes']} classes)"
        rows.append((title, *cells, model["n"], model["n_patients"]))
    return rows


def _difference(entry: Mapping[str, Any]) -> str:
    if entry["value"] is None:
        return f"undefined: {entry['undefined_reason']}"
    if entry["interval"] is None:
        return format_signed(entry["value"])
    low, high = (format_signed(end) for end in entry["interval"])
    return f"{format_signed(entry['value'])} [{low}, {high}]"


def _title(head: str, metric: str) -> str:
    return f"{head.capitalize()}: {DEFINITIONS[metric].title}"


def _words(condition: str) -> str:
    return condition.replace("_", " ")
