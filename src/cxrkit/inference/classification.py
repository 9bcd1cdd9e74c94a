"""The prediction table of a classifier on a split, with its controls beside it."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from cxrkit.config import ClassifySettings
from cxrkit.data.films.opener import films_of
from cxrkit.data.index import Index
from cxrkit.errors import DataLayoutError
from cxrkit.hardware import choose_device, detect_hardware
from cxrkit.inference.manifest import make_manifest
from cxrkit.inference.protocols import MODEL
from cxrkit.inference.schema import CLASSIFY_SCHEMA, with_metadata
from cxrkit.inference.study_scores import CONDITIONS, Progress, StudyScorer, StudyScores
from cxrkit.metrics.thresholds import best_f1_threshold
from cxrkit.models.calibration import CLASSIFIER, ModelCalibration
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.internimage import set_dcnv3_backend
from cxrkit.vocabulary import FINDINGS

THRESHOLD_SPLIT = "validate"


def predict_classifier(
    model_path: Path,
    settings: ClassifySettings,
    *,
    split: str = "test",
    conditions: Sequence[str] = CONDITIONS,
    progress: Progress | None = None,
) -> pa.Table:
    """Scores the studies of a split under each condition; a study's probability is the mean over its films.

    `blank_image` is the same model on empty films, `majority` the training split's share of each label. The
    table's metadata holds the thresholds that the validation split gives under each condition.

    Args:
        model_path: a `best_model` folder.
        settings: whose data section says what is read.
        split: `train`, `validate` or `test`.
        conditions: which conditions to write.
        progress: called with (stage, films done, films).

    Raises:
        ArtifactError: model or workspace missing or damaged.
        DataLayoutError: no labelled film in the split.
    """
    index = Index.open(settings.data.workspace)
    model = CXRClassifier.from_pretrained(model_path)
    torch.nn.Module.to(model, torch.device(choose_device(detect_hardware()).name))
    set_dcnv3_backend(model, settings.model.dcnv3_backend)
    calibration = ModelCalibration.load(model_path)
    scorer = StudyScorer(model, index, films_of(index), settings, progress)
    columns: dict[str, list[Any]] = defaultdict(list)
    for condition in conditions:
        _add_studies(columns, index, condition, split, scorer.scores(split, condition))
    return with_metadata(pa.table(dict(columns), schema=CLASSIFY_SCHEMA), {
        "task": "classify",
        "split": split,
        "index_fingerprint": index.fingerprint,
        "checkpoint": str(model_path),
        "label_policy": model.config.label_policy,
        "thresholds": _thresholds(scorer, conditions, calibration),
        "calibration": None if calibration is None else calibration.to_json(),
        "manifest": make_manifest(model_path, settings, index.fingerprint),
    })  # fmt: skip


def _thresholds(
    scorer: StudyScorer, conditions: Sequence[str], calibration: ModelCalibration | None
) -> dict[str, Any]:
    """Gives the thresholds of each condition, None for a finding without a positive validation study.

    The model's own are those that it was saved with; one without is scored on the validation split, as the
    controls are. Without a labelled validation film a control has none, and the reason is told.
    """
    content: dict[str, Any] = {"split": THRESHOLD_SPLIT, "n_studies": 0, "missing": None, "values": {}}
    content["saved_with_model"] = calibration is not None
    for condition in conditions:
        if condition == MODEL and calibration is not None:
            classes = calibration.heads[CLASSIFIER]
            content["values"][condition] = [classes[finding].threshold for finding in FINDINGS]
            content["n_studies"] = classes[FINDINGS[0]].n
            continue
        try:
            scores = scorer.scores(THRESHOLD_SPLIT, condition)
        except DataLayoutError as error:
            return content | {"missing": error.problem}
        labels, probabilities = scores.labels == 1, scores.probabilities.astype(np.float64)
        found = [
            best_f1_threshold(labels[:, place], probabilities[:, place]) for place in range(labels.shape[1])
        ]
        content["values"][condition] = [None if np.isnan(value) else value for value in found]
        content["n_studies"] = len(labels)
    return content


def _add_studies(
    columns: dict[str, list[Any]], index: Index, condition: str, split: str, scores: StudyScores
) -> None:
    rows, count = scores.study_rows, len(scores.study_rows)
    has_radiologist = index.column("studies", "has_radiologist")[rows].astype(bool)
    dicom_id, view = index.images.column("dicom_id"), index.images.column("view_position")
    columns["condition"] += [condition] * count
    columns["split"] += [split] * count
    for name in ("subject_id", "study_id"):
        columns[name] += index.column("studies", name)[rows].tolist()
    columns["dicom_ids"] += [[dicom_id[int(row)].as_py() for row in films] for films in scores.films]
    columns["views"] += [[view[int(row)].as_py() or "" for row in films] for films in scores.films]
    columns["labels"] += scores.labels.tolist()
    columns["has_radiologist_labels"] += has_radiologist.tolist()
    columns["radiologist_labels"] += index.column("studies", "radiologist")[rows].tolist()
    columns["probabilities"] += scores.probabilities.tolist()
