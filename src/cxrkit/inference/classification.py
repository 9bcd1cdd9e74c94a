"""The prediction table of a classifier on a split, with its controls beside it."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from cxrkit.config import ClassifySettings
from cxrkit.data.batches.dataset import Collate, FilmDataset
from cxrkit.data.batches.loading import labelled_films, make_loader
from cxrkit.data.batches.transforms import prepare_images
from cxrkit.data.films.opener import films_of
from cxrkit.data.index import Index
from cxrkit.hardware import choose_device, detect_hardware
from cxrkit.inference.schema import CLASSIFY_SCHEMA, with_metadata
from cxrkit.models.classifier import CXRClassifier

Progress = Callable[[str, int, int], None]
FloatArray = npt.NDArray[np.float32]

CONDITIONS = ("model", "blank_image", "majority")
FILMS_PER_BATCH = 16


def predict_classifier(
    model_path: Path,
    settings: ClassifySettings,
    *,
    split: str = "test",
    conditions: Sequence[str] = CONDITIONS,
    progress: Progress | None = None,
) -> pa.Table:
    """Scores the studies of a split under each condition; a study's probability is the mean over its films.

    `blank_image` is the same model on empty films, `majority` the training split's share of each label.

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
    store = films_of(index)
    device = torch.device(choose_device(detect_hardware()).name)
    model = CXRClassifier.from_pretrained(model_path)
    torch.nn.Module.to(model, device)
    films = labelled_films(index, store, settings.data, split, seed=settings.training.seed)
    columns: dict[str, list[Any]] = defaultdict(list)
    for condition in conditions:
        if condition == "majority":
            training = labelled_films(index, store, settings.data, "train", seed=settings.training.seed)
            share = np.mean(_labels(training) == 1, axis=0, dtype=np.float32)
            probabilities = np.tile(share, (len(films), 1))
        else:
            probabilities = _run(model, films, device, condition, progress)
        _add_studies(columns, films, condition, split, probabilities)
    return with_metadata(pa.table(dict(columns), schema=CLASSIFY_SCHEMA), {
        "task": "classify",
        "split": split,
        "index_fingerprint": index.fingerprint,
        "checkpoint": str(model_path),
        "label_policy": model.config.label_policy,
        "settings": settings.model_dump(mode="json"),
    })  # fmt: skip


@torch.no_grad()
def _run(
    model: CXRClassifier, films: FilmDataset, device: torch.device, condition: str, progress: Progress | None
) -> FloatArray:
    config, parts, done = model.config, [], 0
    loader = make_loader(
        films, Collate(films.index, None), batch_size=FILMS_PER_BATCH, workers=0, shuffle=False
    )
    for batch in loader:
        images = batch["images"].to(device)
        if condition == "blank_image":
            images = torch.zeros_like(images)
        still = torch.zeros_like(batch["transform"], device=device)
        prepared = prepare_images(
            images,
            still,
            config.image_size,
            list(config.image_mean),
            list(config.image_std),
            batch["image_side"].to(device),
        )
        parts.append(model(prepared).float().sigmoid().cpu().numpy())
        done += len(images)
        if progress is not None:
            progress(f"classifying: {condition.replace('_', ' ')}", done, len(films))
    return np.concatenate(parts)


def _labels(films: FilmDataset) -> FloatArray:
    study = films.index.column("images", "study_row")[films.selection.image_rows]
    labels: FloatArray = films.index.column("studies", "chexpert")[study]
    return labels


def _add_studies(
    columns: dict[str, list[Any]], films: FilmDataset, condition: str, split: str, probabilities: FloatArray
) -> None:
    index, image_rows = films.index, films.selection.image_rows
    study_of_film = index.column("images", "study_row")[image_rows]
    for study in np.unique(study_of_film):
        own = np.flatnonzero(study_of_film == study)
        for name, value in {
            "condition": condition,
            "subject_id": int(index.column("studies", "subject_id")[study]),
            "study_id": int(index.column("studies", "study_id")[study]),
            "split": split,
            "dicom_ids": [index.images.column("dicom_id")[int(row)].as_py() for row in image_rows[own]],
            "labels": index.column("studies", "chexpert")[study].tolist(),
            "probabilities": probabilities[own].mean(0).tolist(),
        }.items():
            columns[name].append(value)
