"""Hand-made prediction tables: 12 patients, every head, the model better than its controls."""

import numpy as np
import pyarrow as pa
import pytest

from cxrkit.inference.schema import CLASSIFY_SCHEMA, VQA_SCHEMA, graph_schema, with_metadata
from cxrkit.vocabulary import CLASSES_OF_HEAD, FINDINGS, MULTI_LABEL_HEADS, REGIONS, Head

HEAD_OF_TYPE = {
    "D02_has_finding": Head.BINARY,
    "B03_is_abnormal": Head.BINARY,
    "B02_describe_abnormal": Head.CATEGORY,
    "D03_where_is_finding": Head.REGION,
    "D04_how_severe_is_finding": Head.SEVERITY,
}
SKILL = {
    "model": 0.85,
    "oracle": 0.95,
    "none": 0.6,
    "blank_image": 0.5,
    "shuffled_image": 0.4,
    "question_only": 0.3,
    "majority": 0.0,
}
COUNTED = ("majority", "question_only")
VQA_METADATA = {
    "task": "vqa",
    "split": "test",
    "index_fingerprint": "ab12",
    "checkpoint": "checkpoints/run/best_model",
    "graph_source": "predicted",
    "roi_source": "roi",
    "entities": ["edema", "effusion"],
    "n_free_text": 7,
    "n_free_text_by_type": {"A_indication": 4, "B14_describe_acquisition": 3},
    "n_masked": 2,
}
RADIOLOGIST_STUDIES = 50
CLASSIFY_METADATA = {
    "task": "classify",
    "split": "test",
    "index_fingerprint": "ab12",
    "checkpoint": "checkpoints/run/best_model",
    "label_policy": "zeros",
    "thresholds": {
        "split": "validate", "n_studies": 30, "missing": None,
        "values": {
            "model": [None if name == "Fracture" else 0.5 for name in FINDINGS],
            "blank_image": [0.25] * 14,
            "majority": [0.0] * 14,
        },
    },
}  # fmt: skip


def _answer(generator, head, truth, skill):
    """Probabilities that follow the truth as often as the skill says, and the classes they choose."""
    classes = len(CLASSES_OF_HEAD[head])
    follows = generator.random(classes) < skill
    noise = generator.random(classes)
    values = np.where(follows, np.where(truth, 0.6 + 0.4 * noise, 0.4 * noise), noise if skill else 0.3)
    if head in MULTI_LABEL_HEADS:
        return values, np.flatnonzero(values >= 0.5)
    values = values / values.sum()
    return values, [int(values.argmax())]


def _vqa_rows(conditions, patients, seed):
    generator = np.random.default_rng(seed)
    rows, number = [], 0
    for patient in range(patients):
        for study in range(2):
            for name, head in HEAD_OF_TYPE.items():
                classes = len(CLASSES_OF_HEAD[head])
                truth = generator.random(classes) < 0.15
                if head not in MULTI_LABEL_HEADS:
                    truth = np.eye(classes, dtype=bool)[generator.integers(classes)]
                box = [10.0, 20.0, 110.0 + number, 220.0]
                grounded = number % 3 == 0
                for condition in conditions:
                    nodes = generator.random(len(REGIONS))
                    values, chosen = _answer(generator, head, truth, SKILL[condition])
                    sees = condition not in (*COUNTED, "none")
                    predicted = [box] if sees and (condition == "model" or number % 2) else []
                    rows.append(
                        {
                            "condition": condition,
                            "question_row": number,
                            "subject_id": 10_000_000 + patient,
                            "study_id": 50_000_000 + 2 * patient + study,
                            "dicom_id": f"film-{patient}-{study}",
                            "question_id": f"{name}_{number}",
                            "question_type": name,
                            "head": head.value,
                            "rating": 5 if study else 3,
                            "polarity": (1, 0, -1)[number % 3],
                            "view": ("PA", "AP", "")[patient % 3],
                            "question": "Is there <b>an effusion</b>?",
                            "answer_reference": "Yes, there is an effusion.",
                            "answer_predicted": "Yes." if condition == "model" else "No.",
                            "classes_reference": np.flatnonzero(truth).tolist(),
                            "classes_predicted": [int(index) for index in chosen],
                            "probabilities": values.tolist(),
                            "boxes_reference": [box] if grounded else [],
                            "has_boxes_reference": grounded,
                            "boxes_predicted": predicted,
                            "box_scores": [0.9] * len(predicted),
                            "node_scores": nodes.tolist() if sees else [],
                            "nodes_reference": [3, 5] if grounded else [],
                        }
                    )
                number += 1
    return rows


@pytest.fixture(scope="session")
def make_vqa_table():
    def make(conditions=tuple(SKILL), patients=12, seed=0, **metadata):
        rows = _vqa_rows(conditions, patients, seed)
        return with_metadata(pa.Table.from_pylist(rows, schema=VQA_SCHEMA), VQA_METADATA | metadata)

    return make


@pytest.fixture(scope="session")
def vqa_table(make_vqa_table):
    return make_vqa_table()


@pytest.fixture(scope="session")
def graph_table():
    """Predicted graphs of the 24 films: boxes a little off, findings that follow the truth."""
    generator = np.random.default_rng(8)
    rows = []
    for number in range(24):
        truth = generator.random(52) < 0.3
        has_box = np.arange(26) != 4
        box = np.array([10.0, 10.0, 110.0, 110.0])
        reference = np.where(has_box[:, None], box, 0.0)
        for condition, skill in (("model", 0.8), ("blank_image", 0.0)):
            presence = np.where(has_box | (number == 0), 0.9, 0.1)
            rows.append(
                {
                    "condition": condition,
                    "subject_id": 10_000_000 + number // 2,
                    "study_id": 50_000_000 + number,
                    "dicom_id": f"film-{number // 2}-{number % 2}",
                    "has_graph_reference": number != 23,
                    "boxes_reference": reference.ravel().tolist(),
                    "has_box_reference": has_box.tolist(),
                    "findings_reference": np.flatnonzero(truth).tolist(),
                    "boxes_predicted": np.tile([10.0, 10.0, 110.0, 210.0 - 100 * skill], 26).tolist(),
                    "presence_probabilities": presence.tolist(),
                    "finding_probabilities": (skill * truth + (1 - skill) * generator.random(52)).tolist(),
                }
            )
    metadata = VQA_METADATA | {"task": "vqa_graph"}
    return with_metadata(pa.Table.from_pylist(rows, schema=graph_schema(2)), metadata)


@pytest.fixture(scope="session")
def classify_table():
    """60 patients, 120 studies: 7 findings frequent, 6 rare, "Fracture" never positive."""
    generator = np.random.default_rng(4)
    prevalence = np.where(np.arange(14) < 8, 0.35, 0.06)
    rows = []
    labels = (generator.random((120, 14)) < prevalence).astype(float)
    labels[:, FINDINGS.index("Fracture")] = 0.0
    shown = labels.copy()
    shown[(labels == 0) & (generator.random(labels.shape) < 0.3)] = np.nan
    shown[(labels == 0) & (generator.random(labels.shape) < 0.1)] = -1.0
    read = np.where(generator.random(labels.shape) < 0.9, labels, 1 - labels)
    read[RADIOLOGIST_STUDIES:] = np.nan
    for condition in ("model", "blank_image", "majority"):
        for study in range(120):
            noise = generator.random(14)
            skill = {"model": 0.5, "blank_image": 0.0, "majority": 0.0}[condition]
            values = skill * labels[study] + (1 - skill) * noise if condition != "majority" else prevalence
            rows.append(
                {
                    "condition": condition,
                    "subject_id": 10_000_000 + study // 2,
                    "study_id": 50_000_000 + study,
                    "split": "test",
                    "dicom_ids": [f"film-{study}", f"side-{study}"] if study % 2 else [f"film-{study}"],
                    "views": ["PA", "LATERAL"] if study % 2 else ["AP"],
                    "labels": shown[study].tolist(),
                    "has_radiologist_labels": study < RADIOLOGIST_STUDIES,
                    "radiologist_labels": read[study].tolist(),
                    "probabilities": values.tolist(),
                }
            )
    return with_metadata(pa.Table.from_pylist(rows, schema=CLASSIFY_SCHEMA), CLASSIFY_METADATA)
