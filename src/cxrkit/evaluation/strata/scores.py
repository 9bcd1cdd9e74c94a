"""The short list of figures of every group, under every condition."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cxrkit.evaluation.definitions import CLASSIFIER
from cxrkit.evaluation.finding_metrics import StudyRows, measure_shown_findings
from cxrkit.evaluation.grounding_metrics import GroundedRows, measure_shown_boxes
from cxrkit.evaluation.head_metrics import measure_shown
from cxrkit.evaluation.head_rows import HeadRows
from cxrkit.evaluation.measured import Basis, Measured
from cxrkit.evaluation.strata.groups import BoolArray, Group
from cxrkit.metrics.statistics import IntArray, PatientResamples


def measure_groups(rows: HeadRows, groups: Sequence[Group], resamples: PatientResamples) -> list[Measured]:
    """Computes the figures of one head for every group that has such questions.

    Args:
        rows: the questions of one head under one condition.
        groups: of all questions, in the order of the condition's table.
        resamples: of the patients of the whole report.
    """
    measured: list[Measured] = []
    basis = Basis.of_rows(rows.head, rows.condition, rows.patients)
    for chosen, about in _parts(basis, rows.rows, rows.patients, groups):
        measured += measure_shown(rows.chosen(chosen), about, resamples)
    return measured


def measure_boxes_by_group(
    rows: GroundedRows, groups: Sequence[Group], resamples: PatientResamples
) -> list[Measured]:
    """Computes box figures for every group that has questions with reference boxes; arguments as above."""
    measured: list[Measured] = []
    for chosen, about in _parts(rows.basis, rows.rows, rows.patients, groups):
        measured += measure_shown_boxes(rows, chosen, about, resamples)
    return measured


def measure_studies_by_group(
    rows: StudyRows, groups: Sequence[Group], resamples: PatientResamples
) -> list[Measured]:
    """Computes the figures of a classifier for every group of studies.

    Args:
        rows: all studies under one condition.
        groups: of them, in the same order.
        resamples: of the patients of the whole report.
    """
    measured: list[Measured] = []
    basis = Basis.of_rows(CLASSIFIER, rows.condition, rows.patients)
    for group in groups:
        part = rows.chosen(group.rows)
        about = replace(basis.about_rows(part.patients), stratum=group.stratum, group=group.name)
        measured += measure_shown_findings(part, about, resamples)
    return measured


def _parts(
    basis: Basis, rows: IntArray, patients: IntArray, groups: Sequence[Group]
) -> Iterator[tuple[BoolArray, Basis]]:
    """Gives which of some rows are in a group, and what they are, for each group that has any."""
    for group in groups:
        chosen = group.rows[rows]
        if chosen.any():
            about = replace(basis.about_rows(patients[chosen]), stratum=group.stratum, group=group.name)
            yield chosen, about
