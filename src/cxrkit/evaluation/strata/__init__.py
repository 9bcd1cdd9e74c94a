"""Figures of parts of the questions or studies: which parts there are, and what is computed on each."""

from cxrkit.evaluation.strata.groups import Group, groups_of_questions, groups_of_studies
from cxrkit.evaluation.strata.patients import PATIENT_COLUMNS, PatientTables, read_patients, with_patients
from cxrkit.evaluation.strata.scores import measure_boxes_by_group, measure_groups, measure_studies_by_group

__all__ = [
    "PATIENT_COLUMNS",
    "Group",
    "PatientTables",
    "groups_of_questions",
    "groups_of_studies",
    "measure_boxes_by_group",
    "measure_groups",
    "measure_studies_by_group",
    "read_patients",
    "with_patients",
]
