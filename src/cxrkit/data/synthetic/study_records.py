"""All QBA records of one study: question file, scene graph, study metadata and table rows."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from cxrkit.data.synthetic.cohort import PatientPlan, StudyPlan
from cxrkit.data.synthetic.localization import ImageFrame, Localizer
from cxrkit.data.synthetic.observations import Observation, absent_entities, observe
from cxrkit.data.synthetic.phrases import EVALUATIONS, REASONS
from cxrkit.data.synthetic.quality import draw_study_rating
from cxrkit.data.synthetic.question_writer import QuestionWriter, Row, TableRows
from cxrkit.data.synthetic.questions_finding import ask_findings
from cxrkit.data.synthetic.questions_overall import ask_overall
from cxrkit.data.synthetic.questions_region import ask_regions
from cxrkit.data.synthetic.scene_graph import Indication, answer_indication, scene_graph_record
from cxrkit.data.synthetic.study_view import StudyView

QBA_SPLITS = {"train": "train", "validate": "val", "test": "test"}
_WITHOUT_INDICATION = 0.04


@dataclass(frozen=True)
class StudyRecords:
    """What one study adds to the QBA set.

    Attributes:
        qa: bytes of the `.qa.json` member.
        scene_graph: bytes of the `.scene_graph.json` member.
        metadata: bytes of the `.metadata.json` member.
        study_row: row of `study_metadata`.
        image_rows: rows of `image_metadata`.
        rows: rows of the question and answer tables.
    """

    qa: bytes
    scene_graph: bytes
    metadata: bytes
    study_row: Row
    image_rows: list[Row]
    rows: TableRows = field(default_factory=TableRows)


@dataclass(frozen=True)
class StudyTiming:
    """Days since the patient's first study, and since the one before (None for the first)."""

    since_first: float
    since_previous: float | None


def build_records(
    rng: np.random.Generator,
    patient: PatientPlan,
    study: StudyPlan,
    frames: tuple[ImageFrame, ...],
    timing: StudyTiming,
) -> StudyRecords:
    """Writes the records of one study about films already drawn.

    Args:
        rng: the study's own source of randomness.
        patient: the plan of the patient.
        study: the plan of the study.
        frames: its films in the order of the plan.
        timing: when it was taken.
    """
    patient_id, study_id = f"p{patient.subject_id}", f"s{study.study_id}"
    localizer = Localizer(frames)
    observations = observe(rng, study.findings, localizer)
    indication = _draw_indication(rng, patient, observations, localizer)
    rating = draw_study_rating(rng)
    view = StudyView(
        observations, tuple(absent_entities(study.findings)), localizer, study.films[0].projection
    )
    writer = QuestionWriter(rng, patient_id, study_id)
    ask_overall(writer, view, indication)
    ask_regions(writer, view)
    ask_findings(writer, view)
    graph = scene_graph_record(patient_id, study_id, observations, indication, localizer, rating)
    qualities = graph["study_img_localization_quality"]
    image_rows = _image_rows((patient_id, study_id), study, frames, qualities)
    num_observations = len(graph["observations"])
    study_row = (
        patient_id, study_id, study.procedure, len(frames), num_observations, timing.since_first,
        timing.since_previous, rating,
    )  # fmt: skip
    metadata = _metadata_record(study_row, QBA_SPLITS[patient.split], image_rows)
    questions = {"patient_id": patient_id, "study_id": study_id, "questions": writer.records}
    return StudyRecords(
        qa=msgspec.json.encode(questions),
        scene_graph=msgspec.json.encode(graph),
        metadata=msgspec.json.encode(metadata),
        study_row=study_row,
        image_rows=image_rows,
        rows=writer.rows,
    )


def _draw_indication(
    rng: np.random.Generator,
    patient: PatientPlan,
    observations: tuple[Observation, ...],
    localizer: Localizer,
) -> Indication | None:
    draws = rng.random(3)
    if draws[0] < _WITHOUT_INDICATION:
        return None
    return Indication(
        patient_info=f"{patient.age}-year-old {patient.sex}",
        reason=REASONS[int(draws[1] * len(REASONS))],
        evaluation=EVALUATIONS[int(draws[2] * len(EVALUATIONS))],
        answer=answer_indication(observations, localizer),
    )


def _image_rows(
    ids: tuple[str, str], study: StudyPlan, frames: tuple[ImageFrame, ...], qualities: dict[str, int]
) -> list[Row]:
    orientation = "Erect" if study.erect else "Recumbent"
    return [
        (
            *ids,
            frame.image_id,
            # As in the data set, everything that is not AP or PA counts as lateral, blank views too.
            "frontal" if film.view_position in ("AP", "PA") else "lateral",
            orientation,
            [frame.width, frame.height],
            qualities[frame.image_id],
        )
        for film, frame in zip(study.films, frames, strict=True)
    ]


def _metadata_record(study_row: Row, split: str, image_rows: list[Row]) -> dict[str, Any]:
    patient_id, study_id, procedure, num_images, num_observations, since_first, since_previous, rating = (
        study_row
    )
    return {
        "patient_id": patient_id,
        "study_id": study_id,
        "split": split,
        "procedure": procedure,
        "num_images": num_images,
        "num_observations": num_observations,
        "timestamp_since_first": since_first,
        "timespan_since_prev": since_previous,
        "quality": {"extraction_rating": rating},
        "images": {
            row[2]: {
                "size": row[5],
                "view_position": row[3],
                "patient_orientation": row[4],
                "localization_quality": row[6],
            }
            for row in image_rows
        },
    }
