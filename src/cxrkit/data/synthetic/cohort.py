"""The plan of a set: patients, their splits, studies and films, before anything is drawn."""

import datetime
from dataclasses import dataclass

import numpy as np

from cxrkit.data.synthetic.course import ReportedFinding, Traits, draw_course
from cxrkit.data.synthetic.identifiers import draw_dicom_id, study_id_of, subject_id_of
from cxrkit.data.synthetic.tendencies import ABNORMAL_SHARE, STUDIES_PER_PATIENT

TEST_SHARE, VALIDATE_SHARE = 0.20, 0.10
_EPOCH = datetime.date(2110, 1, 1)
_LONG_SIDE = 1.2
_BLANK_VIEW_SHARE, _SECOND_FRONTAL_SHARE = 0.025, 0.06
_LATERAL_SHARE = {"PA": 0.75, "AP": 0.06}


@dataclass(frozen=True)
class FilmPlan:
    """One film to be drawn: `projection` is AP, PA or LATERAL; `view_position` what the table will say."""

    dicom_id: str
    projection: str
    view_position: str
    width: int
    height: int

    @property
    def is_frontal(self) -> bool:
        """True for AP and PA films, whatever the table says."""
        return self.projection != "LATERAL"


@dataclass(frozen=True)
class StudyPlan:
    """One study: identifiers, time, films, findings."""

    study_id: int
    date: datetime.date
    time: str
    procedure: str
    erect: bool
    films: tuple[FilmPlan, ...]
    findings: tuple[ReportedFinding, ...]


@dataclass(frozen=True)
class PatientPlan:
    """One patient: identifiers, split, and studies in order of time."""

    subject_id: int
    split: str
    age: int
    sex: str
    studies: tuple[StudyPlan, ...]


@dataclass(frozen=True)
class PatientTask:
    """What is needed to plan one patient in any process: everything else follows from the seed."""

    index: int
    subject_id: int
    study_offset: int
    split: str
    seed: int
    image_size: int

    def generators(self, count: int) -> list[np.random.Generator]:
        """Gives the patient's own independent generators, the same in any process."""
        root = np.random.SeedSequence(self.seed, spawn_key=(1, self.index))
        return [np.random.default_rng(child) for child in root.spawn(count)]


def plan_cohort(patients: int, seed: int, image_size: int) -> list[PatientTask]:
    """Gives the tasks of a set's patients in order of subject id.

    Splits are by patient, about 70 / 10 / 20 %; a set of at least three patients has all three.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    subject_offset, study_offset = (int(value) for value in rng.integers(10_000_000, size=2))
    splits = _draw_splits(rng, patients)
    tasks = [
        PatientTask(
            index, subject_id_of(index, subject_offset), study_offset, splits[index], seed, image_size
        )
        for index in range(patients)
    ]
    return sorted(tasks, key=lambda task: task.subject_id)


def _draw_splits(rng: np.random.Generator, patients: int) -> list[str]:
    at_least = 1 if patients >= 3 else 0
    num_test = max(round(TEST_SHARE * patients), at_least)
    num_validate = max(round(VALIDATE_SHARE * patients), at_least)
    splits = ["test"] * num_test + ["validate"] * num_validate
    splits += ["train"] * (patients - len(splits))
    return [splits[int(position)] for position in rng.permutation(patients)]


def plan_patient(task: PatientTask, rng: np.random.Generator) -> PatientPlan:
    """Draws a patient's studies, films and findings."""
    num_studies = 1 + int(np.searchsorted(np.cumsum(STUDIES_PER_PATIENT), rng.random()))
    num_studies = min(num_studies, len(STUDIES_PER_PATIENT))
    course = draw_course(rng, num_studies, ABNORMAL_SHARE[task.split])
    day = _EPOCH + datetime.timedelta(days=int(rng.integers(80 * 365)))
    studies = []
    for position, (traits, findings) in enumerate(course):
        study_id = study_id_of(task.index, position, task.study_offset)
        studies.append(_plan_study(rng, task, study_id, day, traits, findings))
        day += datetime.timedelta(days=1 + int(rng.exponential(90.0 if traits.acute < 0.5 else 6.0)))
    age, sex = int(rng.integers(21, 90)), ("man", "woman")[int(rng.integers(2))]
    return PatientPlan(task.subject_id, task.split, age, sex, tuple(studies))


def _plan_study(
    rng: np.random.Generator,
    task: PatientTask,
    study_id: int,
    date: datetime.date,
    traits: Traits,
    findings: tuple[ReportedFinding, ...],
) -> StudyPlan:
    projection = "AP" if traits.acute + 0.8 * rng.standard_normal() > -0.3 else "PA"
    films = [_plan_film(rng, task, projection)]
    if rng.random() < _SECOND_FRONTAL_SHARE:
        films.append(_plan_film(rng, task, projection))
    has_lateral = rng.random() < _LATERAL_SHARE[projection]
    if has_lateral:
        films.append(_plan_film(rng, task, "LATERAL"))
    procedure = "CHEST (PORTABLE AP)" if projection == "AP" else "CHEST (SINGLE VIEW)"
    if has_lateral:
        procedure = f"CHEST ({projection} AND LAT)"
    hour, minute, second, milli = (int(rng.integers(top)) for top in (24, 60, 60, 1000))
    # As in the published table, a number: leading zeros are lost.
    time = f"{hour * 10000 + minute * 100 + second}.{milli:03d}".rstrip("0")
    time += "0" if time.endswith(".") else ""
    return StudyPlan(study_id, date, time, procedure, projection == "PA", tuple(films), findings)


def _plan_film(rng: np.random.Generator, task: PatientTask, projection: str) -> FilmPlan:
    long_side = round(task.image_size * (1.0 + (_LONG_SIDE - 1.0) * rng.random()))
    landscape = projection != "LATERAL" and rng.random() < 0.25
    width, height = (long_side, task.image_size) if landscape else (task.image_size, long_side)
    view = projection
    draw = rng.random()
    if projection == "LATERAL":
        view = "LL" if draw < 0.3 else "LATERAL"
    elif draw < _BLANK_VIEW_SHARE:
        view = ""
    return FilmPlan(draw_dicom_id(rng), projection, view, width, height)
