"""The prediction table of a VQA model on a split, with its controls beside it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from cxrkit.config import VQASettings
from cxrkit.data.batches.dataset import Collate, FilmDataset
from cxrkit.data.batches.loading import evaluation_films, make_loader, training_films
from cxrkit.data.films.opener import films_of
from cxrkit.data.index import Index
from cxrkit.errors import ArtifactError
from cxrkit.inference.controls import AnswerShares, answer_shares
from cxrkit.inference.predictor import AnswerArrays, Predictor
from cxrkit.inference.rows import PredictionRows
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD

Progress = Callable[[str, int, int], None]

CONDITIONS = ("model", "blank_image", "majority", "question_only")
_OF_MODEL = ("model", "blank_image")
FILMS_PER_BATCH = 8


def predict_vqa(
    model_path: Path,
    settings: VQASettings,
    *,
    split: str = "test",
    conditions: Sequence[str] = CONDITIONS,
    compute_attention: bool = False,
    progress: Progress | None = None,
) -> pa.Table:
    """Answers every answerable question of a split under each condition.

    `model` sees the film; `blank_image` is the same model on an empty film; `majority` gives the training
    split's answer shares of the question's type and `question_only` those of its very text.

    Args:
        model_path: a `best_model` folder.
        settings: whose data section says what is read.
        split: `train`, `validate` or `test`.
        conditions: which conditions to write.
        compute_attention: also store the attention over the visual tokens.
        progress: called with (stage, films done, films).

    Returns:
        One row per condition and question; the schema's metadata says what it was made from.

    Raises:
        ArtifactError: model or workspace missing or damaged.
        DataLayoutError: no question passes the filters.
    """
    index = Index.open(settings.data.workspace)
    store = films_of(index)
    predictor = Predictor(model_path)
    _require_same_entities(predictor, index)
    films = evaluation_films(
        index, store, settings.data, split, questions_per_image=None, seed=settings.training.seed
    )
    rows = PredictionRows(index, store)
    for condition in (name for name in _OF_MODEL if name in conditions):
        _run_model(predictor, films, rows, condition, with_attention=compute_attention, progress=progress)
    training = training_films(index, store, settings.data, settings.training.seed).selection
    shares = answer_shares(index, training.parts(index))
    for condition in (name for name in CONDITIONS if name in conditions and name not in _OF_MODEL):
        _run_control(shares, films, rows, condition)
    selection = films.selection
    return rows.table({
        "task": "vqa",
        "split": split,
        "index_fingerprint": index.fingerprint,
        "checkpoint": str(model_path),
        "graph_source": predictor.model.config.scene_graph_source,
        "roi_source": predictor.model.config.roi_source,
        "visual_patches": predictor.model.config.visual_patches,
        "n_free_text": selection.free_text,
        "n_masked": selection.masked,
        "settings": settings.model_dump(mode="json"),
    })  # fmt: skip


def _require_same_entities(predictor: Predictor, index: Index) -> None:
    """Refuses to feed an oracle graph whose entities are numbered otherwise than the model's."""
    config = predictor.model.config
    if config.scene_graph_source == "oracle" and config.entities != index.vocabularies.entities:
        raise ArtifactError(
            "the model reads the data set's graph, but these data name other entities",
            expected=f"the {len(config.entities)} entities that the model was trained with, in their order",
            found=f"{len(index.vocabularies.entities)} entities in {index.workspace}",
            next_step="evaluate on the data that the model was trained on, or train with predicted graphs",
        )


def _run_model(
    predictor: Predictor,
    films: FilmDataset,
    rows: PredictionRows,
    condition: str,
    *,
    with_attention: bool,
    progress: Progress | None,
) -> None:
    collate = Collate(films.index, predictor.tokenize)
    done = 0
    for batch in make_loader(films, collate, batch_size=FILMS_PER_BATCH, workers=0, shuffle=False):
        images = torch.zeros_like(batch["images"]) if condition == "blank_image" else batch["images"]
        encoded = predictor.encode(images, batch["node_boxes"], batch["node_findings"], batch["image_side"])
        texts = films.index.texts.column("text")
        ids = films.index.column("questions", "question_text")[batch["question_row"].numpy()]
        questions = [texts[int(i)].as_py() for i in ids]
        answers = predictor.answer(
            encoded,
            batch["image_of_question"],
            questions,
            with_attention=with_attention and condition == "model",
        )
        boxes = encoded.node_boxes_xyxy_rel.float().cpu().numpy()
        mask = encoded.node_mask.cpu().numpy()
        rows.add(condition, batch, answers, boxes, mask)
        done += len(images)
        if progress is not None:
            progress(f"answering: {condition.replace('_', ' ')}", done, len(films))


def _run_control(shares: AnswerShares, films: FilmDataset, rows: PredictionRows, condition: str) -> None:
    collate = Collate(films.index, lambda _: {})
    for batch in make_loader(films, collate, batch_size=FILMS_PER_BATCH, workers=0, shuffle=False):
        ids = films.index.column("questions", "question_text")[batch["question_row"].numpy()]
        types = batch["question_type"].numpy()
        probabilities: list[npt.NDArray[np.float32]] = []
        for head in ANSWER_HEADS:
            classes = len(CLASSES_OF_HEAD[head])
            of_rows = [
                shares.of_type(int(kind), classes)
                if condition == "majority"
                else shares.of_text(int(kind), int(text), classes)
                for kind, text in zip(types, ids, strict=True)
            ]
            # A type belongs to one head; under the others its shares have another length and are not read.
            fitting = [row if len(row) == classes else np.zeros(classes) for row in of_rows]
            probabilities.append(np.stack(fitting).astype(np.float32))
        no_boxes = np.zeros((len(types), 0), dtype=np.float32)
        count = len(batch["images"])
        answers = AnswerArrays(tuple(probabilities), no_boxes, None)
        rows.add(condition, batch, answers, np.zeros((count, 0, 4)), np.zeros((count, 0), dtype=np.bool_))
