"""Everything about one patient: films written to disk, records and rows handed back. Runs in any process."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cxrkit.data.synthetic.anatomy import Body, sample_body
from cxrkit.data.synthetic.cohort import PatientPlan, PatientTask, StudyPlan, plan_patient
from cxrkit.data.synthetic.csv_files import csv_text
from cxrkit.data.synthetic.film_files import WrittenFilm, draw_film, write_film
from cxrkit.data.synthetic.identifiers import study_folder
from cxrkit.data.synthetic.labels import chexpert_labels, negbio_labels, radiologist_labels
from cxrkit.data.synthetic.localization import frame_film
from cxrkit.data.synthetic.mimic_rows import (
    CHEXPERT_FILE,
    METADATA_FILE,
    NEGBIO_FILE,
    RADIOLOGIST_FILE,
    SPLIT_FILE,
    metadata_row,
    split_row,
)
from cxrkit.data.synthetic.study_records import QBA_SPLITS, StudyRecords, StudyTiming, build_records
from cxrkit.data.synthetic.tables import Row, TableChunk, make_chunk

_UNLABELLED_SHARE = 0.008  # studies that the labellers' files lack
_RADIOLOGIST_SHARE = 0.5  # of the test studies
MIMIC_FOLDER = "mimic-cxr-jpg"


@dataclass(frozen=True)
class PatientParcel:
    """What one patient adds to the set, apart from the films.

    Attributes:
        csv: text per MIMIC-CXR-JPG file name.
        films: path below the MIMIC-CXR-JPG root and checksum.
        qa_members: name and bytes of the members of `qa.zip`.
        scene_members: the same of `scene_data.zip`.
        chunks: rows per QBA table.
        truth: JSON lines.
        counts: studies, films, questions and so on.
    """

    csv: dict[str, str]
    films: list[tuple[str, str]]
    qa_members: list[tuple[str, bytes]]
    scene_members: list[tuple[str, bytes]]
    chunks: dict[str, TableChunk]
    truth: bytes
    counts: dict[str, int]


@dataclass
class _Collected:
    """Rows of a patient on their way into a parcel."""

    mimic: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    films: list[tuple[str, str]] = field(default_factory=list)
    qa_members: list[tuple[str, bytes]] = field(default_factory=list)
    scene_members: list[tuple[str, bytes]] = field(default_factory=list)
    truth: list[bytes] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add_mimic(self, file: str, row: tuple[str, ...]) -> None:
        self.mimic.setdefault(file, []).append(row)

    def add_rows(self, table: str, rows: list[Row]) -> None:
        self.tables.setdefault(table, []).extend(rows)

    def parcel(self) -> PatientParcel:
        return PatientParcel(
            csv={file: csv_text(rows) for file, rows in self.mimic.items()},
            films=self.films,
            qa_members=self.qa_members,
            scene_members=self.scene_members,
            chunks={name: make_chunk(name, rows) for name, rows in self.tables.items()},
            truth=b"".join(line + b"\n" for line in self.truth),
            counts=dict(self.counts),
        )


def build_patient(task: PatientTask, output: Path) -> PatientParcel:
    """Draws and writes a patient's films and builds all records; the same whatever process runs it."""
    plan_rng, body_rng, study_rng = task.generators(3)
    patient = plan_patient(task, plan_rng)
    body = sample_body(body_rng)
    collected = _Collected()
    collected.counts.update({"patients": 1, f"patients_{patient.split}": 1})
    first = patient.studies[0].date
    previous = None
    for study, rng in zip(patient.studies, study_rng.spawn(len(patient.studies)), strict=True):
        since_previous = None if previous is None else float((study.date - previous).days)
        timing = StudyTiming(float((study.date - first).days), since_previous)
        _add_study(collected, output, rng, (patient, study, body), timing)
        previous = study.date
    timespan = float((patient.studies[-1].date - first).days)
    row = (f"p{patient.subject_id}", QBA_SPLITS[patient.split], len(patient.studies), timespan)
    collected.add_rows("patient_metadata", [row])
    return collected.parcel()


def _add_study(
    collected: _Collected,
    output: Path,
    rng: np.random.Generator,
    what: tuple[PatientPlan, StudyPlan, Body],
    timing: StudyTiming,
) -> None:
    patient, study, body = what
    label_rng, record_rng, *film_rngs = rng.spawn(2 + len(study.films))
    folder = study_folder(patient.subject_id, study.study_id)
    written = [
        write_film(output / MIMIC_FOLDER, folder, plan, draw_film(film_rng, body, study, plan))
        for plan, film_rng in zip(study.films, film_rngs, strict=True)
    ]
    frames = tuple(
        frame_film(
            record_rng, plan.dicom_id, (plan.width, plan.height), made.film.region_boxes, plan.is_frontal
        )
        for plan, made in zip(study.films, written, strict=True)
    )
    records = build_records(record_rng, patient, study, frames, timing)
    _add_mimic_rows(collected, patient, study, label_rng)
    _add_records(collected, folder, records)
    collected.films += [(made.path, made.sha256) for made in written]
    collected.truth.append(_truth_line(patient, study, body, written))
    collected.counts.update(_count(patient, study, records))


def _add_mimic_rows(
    collected: _Collected, patient: PatientPlan, study: StudyPlan, rng: np.random.Generator
) -> None:
    for film in study.films:
        collected.add_mimic(METADATA_FILE, metadata_row(patient, study, film))
        collected.add_mimic(SPLIT_FILE, split_row(patient, study, film))
    labelled, read = rng.random(2)
    chexpert = chexpert_labels(rng, study.findings)
    negbio = negbio_labels(rng, chexpert)
    ids = (str(patient.subject_id), str(study.study_id))
    if labelled >= _UNLABELLED_SHARE:
        collected.add_mimic(CHEXPERT_FILE, (*ids, *chexpert))
        collected.add_mimic(NEGBIO_FILE, (*ids, *negbio))
    if patient.split == "test" and read < _RADIOLOGIST_SHARE:
        collected.add_mimic(RADIOLOGIST_FILE, (ids[1], *radiologist_labels(study.findings)))


def _add_records(collected: _Collected, folder: str, records: StudyRecords) -> None:
    collected.qa_members.append((f"qa/{folder}.qa.json", records.qa))
    collected.scene_members.append((f"scene_data/{folder}.scene_graph.json", records.scene_graph))
    collected.scene_members.append((f"scene_data/{folder}.metadata.json", records.metadata))
    collected.add_rows("study_metadata", [records.study_row])
    collected.add_rows("image_metadata", records.image_rows)
    collected.add_rows("question_metadata", records.rows.questions)
    collected.add_rows("question_image_metadata", records.rows.question_images)
    collected.add_rows("answer_metadata", records.rows.answers)
    collected.add_rows("answer_image_metadata", records.rows.answer_images)


def _truth_line(patient: PatientPlan, study: StudyPlan, body: Body, written: list[WrittenFilm]) -> bytes:
    films: list[dict[str, Any]] = [
        {
            "dicom_id": plan.dicom_id,
            "projection": plan.projection,
            "width": plan.width,
            "height": plan.height,
            "region_boxes": made.film.region_boxes,
            "finding_boxes": made.film.finding_boxes,
        }
        for plan, made in zip(study.films, written, strict=True)
    ]
    line = {
        "subject_id": patient.subject_id,
        "study_id": study.study_id,
        "split": patient.split,
        "findings": study.findings,
        "films": films,
        "body": body,
    }
    return msgspec.json.encode(line, enc_hook=float)


def _count(patient: PatientPlan, study: StudyPlan, records: StudyRecords) -> dict[str, int]:
    frontal = sum(film.is_frontal for film in study.films)
    return {
        "studies": 1,
        f"studies_{patient.split}": 1,
        "films": len(study.films),
        "frontal_films": frontal,
        "lateral_films": len(study.films) - frontal,
        "questions": len(records.rows.questions),
        "answers": len(records.rows.answers),
    }
