"""Rows of the five MIMIC-CXR-JPG tables."""

from collections.abc import Mapping
from types import MappingProxyType

from cxrkit.data.synthetic.cohort import FilmPlan, PatientPlan, StudyPlan
from cxrkit.vocabulary import FINDINGS

METADATA_FILE = "mimic-cxr-2.0.0-metadata.csv.gz"
SPLIT_FILE = "mimic-cxr-2.0.0-split.csv.gz"
CHEXPERT_FILE = "mimic-cxr-2.0.0-chexpert.csv.gz"
NEGBIO_FILE = "mimic-cxr-2.0.0-negbio.csv.gz"
RADIOLOGIST_FILE = "mimic-cxr-2.1.0-test-set-labeled.csv"

# Columns of each file in the published order; in the split file the study comes before the subject.
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        METADATA_FILE: (
            "dicom_id",
            "subject_id",
            "study_id",
            "PerformedProcedureStepDescription",
            "ViewPosition",
            "Rows",
            "Columns",
            "StudyDate",
            "StudyTime",
            "ProcedureCodeSequence_CodeMeaning",
            "ViewCodeSequence_CodeMeaning",
            "PatientOrientationCodeSequence_CodeMeaning",
        ),
        SPLIT_FILE: ("dicom_id", "study_id", "subject_id", "split"),
        CHEXPERT_FILE: ("subject_id", "study_id", *FINDINGS),
        NEGBIO_FILE: ("subject_id", "study_id", *FINDINGS),
        # This one file has no subject and another name for one label.
        RADIOLOGIST_FILE: (
            "study_id",
            *("Airspace Opacity" if name == "Lung Opacity" else name for name in FINDINGS),
        ),
    }
)
_VIEW_MEANINGS = {
    "AP": "antero-posterior",
    "PA": "postero-anterior",
    "LATERAL": "lateral",
    "LL": "left lateral",
}


def metadata_row(patient: PatientPlan, study: StudyPlan, film: FilmPlan) -> tuple[str, ...]:
    """Gives a film's row of the metadata file."""
    return (
        film.dicom_id,
        str(patient.subject_id),
        str(study.study_id),
        study.procedure,
        film.view_position,
        str(film.height),
        str(film.width),
        study.date.strftime("%Y%m%d"),
        study.time,
        study.procedure,
        _VIEW_MEANINGS.get(film.view_position, ""),
        "Erect" if study.erect else "Recumbent",
    )


def split_row(patient: PatientPlan, study: StudyPlan, film: FilmPlan) -> tuple[str, ...]:
    """Gives a film's row of the split file."""
    return film.dicom_id, str(study.study_id), str(patient.subject_id), patient.split
