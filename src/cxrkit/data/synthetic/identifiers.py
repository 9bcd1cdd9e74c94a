"""Invented identifiers in the shapes of MIMIC: unique within a set, spread over p10 to p19."""

import numpy as np

MAX_STUDIES_PER_PATIENT = 8
MAX_PATIENTS = 10_000_000 // MAX_STUDIES_PER_PATIENT
_RANGE = 10_000_000
# Coprime with the range, so that counting up visits every number once; the first is close to the
# golden section of the range, so that even a few patients spread over all ten folders.
_SUBJECT_STEP = 6_180_339
_STUDY_STEP = 3_819_661


def subject_id_of(patient: int, offset: int) -> int:
    """Gives the eight-digit subject id, starting with 1, of the patient at a position.

    >>> subject_id_of(0, offset=5), subject_id_of(1, offset=5)
    (10000005, 16180344)
    """
    return _RANGE + (patient * _SUBJECT_STEP + offset) % _RANGE


def study_id_of(patient: int, position: int, offset: int) -> int:
    """Gives the eight-digit study id, starting with 5, of a patient's study at a position.

    >>> study_id_of(0, position=0, offset=7)
    50000007
    """
    count = patient * MAX_STUDIES_PER_PATIENT + position
    return 5 * _RANGE + (count * _STUDY_STEP + offset) % _RANGE


def draw_dicom_id(rng: np.random.Generator) -> str:
    """Draws a dicom id: five groups of eight hexadecimal digits."""
    digits = rng.bytes(20).hex()
    return "-".join(digits[start : start + 8] for start in range(0, 40, 8))


def study_folder(subject_id: int, study_id: int) -> str:
    """Gives the folder of a study below `files/`.

    >>> study_folder(10000001, 50000002)
    'p10/p10000001/s50000002'
    """
    return f"p{str(subject_id)[:2]}/p{subject_id}/s{study_id}"
