"""The groups that questions or studies fall into; a question about two regions is in both of their groups."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.evaluation import columns
from cxrkit.evaluation.strata.patients import NOT_STATED, PATIENT_COLUMNS
from cxrkit.vocabulary import (
    GROUP_OF_REGION,
    QUESTION_TYPE_NAMES,
    QUESTION_TYPES,
    REGION_GROUPS,
    REGIONS,
    Head,
)

BoolArray = npt.NDArray[np.bool_]
# As the index numbers it; see `docs/index_format.md`.
POLARITIES = {1: "positive", 0: "negative", -1: "unknown"}
GRADES = ("unrated", "D", "C", "B", "A", "A+", "A++")
NO_REGION = "no region"


@dataclass(frozen=True)
class Group:
    """Some rows of a prediction table.

    Attributes:
        stratum: by what the rows are told apart, such as `view`.
        name: which of them these are, such as `PA`.
        rows: `[N]` True for the rows of the group.
    """

    stratum: str
    name: str
    rows: BoolArray


def groups_of_questions(table: pa.Table) -> list[Group]:
    """Gives the groups of a condition's questions that hold at least one, stratum by stratum.

    Args:
        table: VQA predictions of one condition; columns of patients give further strata where they are there.
    """
    types = _of_names("question_type", columns.texts(table, "question_type"), QUESTION_TYPE_NAMES)
    strategies: dict[str, BoolArray] = {}
    for group in types:
        strategy = _STRATEGY_OF_TYPE.get(group.name, NOT_STATED)
        known = strategies.setdefault(strategy, np.zeros(table.num_rows, np.bool_))
        known |= group.rows
    return [
        *types,
        *(Group("strategy", name, rows) for name, rows in strategies.items()),
        *_region_groups(table),
        *_of_numbers("polarity", columns.numbers(table, "polarity"), POLARITIES),
        *_of_numbers("quality_grade", columns.numbers(table, "rating"), dict(enumerate(GRADES))),
        *_of_names("view", [name or NOT_STATED for name in columns.texts(table, "view")]),
        *_patient_groups(table),
    ]


def groups_of_studies(table: pa.Table) -> list[Group]:
    """Gives the groups of a condition's studies; the view of a study is all of its views."""
    views = [
        " and ".join(sorted({view or NOT_STATED for view in of_study}))
        for of_study in (each or [] for each in table.column("views").to_pylist())
    ]
    return [*_of_names("view", views), *_patient_groups(table)]


_STRATEGY_OF_TYPE = {entry.name: entry.strategy for entry in QUESTION_TYPES}


def _patient_groups(table: pa.Table) -> list[Group]:
    return [
        group
        for name in PATIENT_COLUMNS
        if name in table.column_names
        for group in _of_names(name, columns.texts(table, name))
    ]


def _of_names(stratum: str, names: Sequence[str], order: Iterable[str] | None = None) -> list[Group]:
    values = np.array(names, dtype=np.str_)
    present = set(names)
    # Names that this version does not know come last.
    known = [] if order is None else [name for name in order if name in present]
    ordered = known + sorted(present - set(known), key=lambda name: (name == NOT_STATED, name))
    return [Group(stratum, name, values == name) for name in ordered]


def _of_numbers(stratum: str, numbers: npt.NDArray[np.generic], names: dict[int, str]) -> list[Group]:
    chosen = [(name, numbers == number) for number, name in names.items()]
    chosen.append((NOT_STATED, ~np.isin(numbers, list(names))))
    return [Group(stratum, name, np.asarray(rows)) for name, rows in chosen if np.any(rows)]


def _region_groups(table: pa.Table) -> list[Group]:
    """Reads the regions of the answer's boxes, and those that the answer itself names."""
    regions = columns.membership(table, "nodes_reference", len(REGIONS))
    names_regions = np.array(columns.texts(table, "head")) == Head.REGION
    regions[names_regions] |= columns.membership(
        table.filter(pa.array(names_regions)), "classes_reference", len(REGIONS)
    )
    group_of_region = np.array(GROUP_OF_REGION)
    rows = [(name, regions[:, group_of_region == name].any(axis=1)) for name in REGION_GROUPS]
    rows.append((NO_REGION, ~regions.any(axis=1)))
    return [Group("region_group", name, np.asarray(of_group)) for name, of_group in rows if np.any(of_group)]
