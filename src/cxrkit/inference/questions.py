"""The prediction tables of a VQA model on a split, under several protocols."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from cxrkit.config import VQASettings
from cxrkit.data.batches.dataset import Collate, FilmDataset
from cxrkit.data.batches.loading import evaluation_films, make_loader, training_films
from cxrkit.data.films.opener import films_of
from cxrkit.data.films.source import FilmSource, stack_films
from cxrkit.data.index import Index
from cxrkit.errors import ArtifactError
from cxrkit.inference.consistency import ConsistencyRows
from cxrkit.inference.controls import AnswerShares, answer_shares
from cxrkit.inference.exchanged_films import can_be_shuffled, films_of_other_patients
from cxrkit.inference.graph_rows import GraphRows
from cxrkit.inference.manifest import make_manifest
from cxrkit.inference.perturbation import explain_answers
from cxrkit.inference.predictor import AnswerArrays, Predictor
from cxrkit.inference.protocols import (
    MODEL,
    Protocol,
    protocols_for,
)
from cxrkit.inference.rows import PredictionRows
from cxrkit.models.calibration import ModelCalibration
from cxrkit.models.nodes import DataSetGraph
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]

FILMS_PER_BATCH = 8
_READS_DATA_SETS_GRAPH = ("anatomy", "oracle")


@dataclass(frozen=True)
class VQAPredictions:
    """What a model said about a split.

    Attributes:
        answers: one row per condition and question; the schema's metadata says what it was made from.
        graphs: one row per condition and film with the predicted scene graph beside the data set's; None
            for a model that predicts none.
        consistency: one row per film with answers that must agree; None where they were not asked.
    """

    answers: pa.Table
    graphs: pa.Table | None
    consistency: pa.Table | None = None


def predict_vqa(
    model_path: Path,
    settings: VQASettings,
    *,
    split: str = "test",
    protocols: Sequence[str] | None = None,
    compute_attention: bool = False,
    explanation_questions: int = 0,
    ask_consistency: bool = True,
    progress: Progress | None = None,
) -> VQAPredictions:
    """Answers every answerable question of a split under each protocol.

    Args:
        model_path: a `best_model` folder.
        settings: whose data section says what is read.
        split: `train`, `validate` or `test`.
        protocols: names of `PROTOCOLS`; None takes all that the model can do.
        compute_attention: also store the attention over the visual tokens.
        explanation_questions: how many answers are explained by what they lose when patches of the film and
            nodes of the graph are taken away; these need about 40 films each, and the attention is stored.
        ask_consistency: also ask what must agree; see `inference.consistency`.
        progress: called with (stage, films done, films).

    Raises:
        ArtifactError: model or workspace missing or damaged.
        DataLayoutError: no question passes the filters.
        SettingsError: a protocol is unknown, or the model cannot do it.
    """
    index = Index.open(settings.data.workspace)
    store = films_of(index)
    predictor = Predictor(model_path)
    config = predictor.model.config
    films = evaluation_films(
        index, store, settings.data, split, questions_per_image=None, seed=settings.training.seed
    )
    chosen = protocols_for(config.scene_graph_source, config.trained_sources, protocols)
    chosen = _feasible(chosen, predictor, films, asked_for=protocols is not None)
    with_attention = compute_attention or explanation_questions > 0
    rows = PredictionRows(index, store, with_attention=with_attention)
    # The reference of another vocabulary cannot be put beside the model's entities.
    graphs = GraphRows(index, store, len(config.entities)) if _same_entities(predictor, index) else None
    of_model = {name: protocol for name, protocol in chosen.items() if protocol.shown != "nothing"}
    consistency = ConsistencyRows(predictor, index, config.scene_graph_source) if ask_consistency else None
    collected = _Collected(rows, graphs, consistency)
    _run_model(predictor, films, collected, of_model, with_attention=with_attention, progress=progress)
    _run_controls(chosen, films, rows, settings)
    metadata = _metadata(model_path, settings, split, predictor, films)
    answers = rows.table(metadata)
    if explanation_questions > 0:
        seed = settings.training.seed
        answers = explain_answers(
            answers, predictor, index, store, questions=explanation_questions, seed=seed, progress=progress
        )
    return VQAPredictions(
        answers,
        None if graphs is None else graphs.table(metadata),
        None if consistency is None else consistency.table(metadata),
    )


def _metadata(
    model_path: Path, settings: VQASettings, split: str, predictor: Predictor, films: FilmDataset
) -> dict[str, Any]:
    """Gives what the tables say about themselves."""
    config, index = predictor.model.config, films.index
    calibration = ModelCalibration.load(model_path)
    return {
        "task": "vqa",
        "split": split,
        "index_fingerprint": index.fingerprint,
        "checkpoint": str(model_path),
        "graph_source": config.scene_graph_source,
        "roi_source": config.roi_source,
        "visual_patches": config.visual_patches,
        "entities": list(config.entities),
        "n_free_text": films.selection.free_text,
        "n_free_text_by_type": films.selection.free_text_by_type,
        "n_masked": films.selection.masked,
        "calibration": None if calibration is None else calibration.to_json(),
        "manifest": make_manifest(model_path, settings, index.fingerprint),
    }


@dataclass(frozen=True)
class _Collected:
    """What grows as the model goes through the films."""

    rows: PredictionRows
    graphs: GraphRows | None
    consistency: ConsistencyRows | None


def _feasible(
    chosen: dict[str, Protocol], predictor: Predictor, films: FilmDataset, *, asked_for: bool
) -> dict[str, Protocol]:
    """Gives the protocols that these data allow; what is left out of the default is told in the log.

    Raises:
        ArtifactError: an oracle that was asked for has other entities than the model.
    """
    left_out = {}
    subjects = films.index.column("images", "subject_id")[films.selection.image_rows]
    if not can_be_shuffled(subjects):
        left_out["shuffled_image"] = "one patient has more than half of the films"
    if not _same_entities(predictor, films.index):
        logger.warning("the data name other entities than the model: its scene graphs are not scored")
        left_out["oracle"] = "the data name other entities than the model"
        if chosen[MODEL].source == "oracle" or (asked_for and "oracle" in chosen):
            raise _other_entities(predictor, films.index)
    for name in left_out.keys() & chosen.keys():
        # What was asked for and cannot be done ends in words when the films are exchanged.
        if not asked_for:
            logger.warning("protocol %s is left out: %s", name, left_out[name])
            chosen = {other: protocol for other, protocol in chosen.items() if other != name}
    return chosen


def _same_entities(predictor: Predictor, index: Index) -> bool:
    return bool(predictor.model.config.entities == index.vocabularies.entities)


def _other_entities(predictor: Predictor, index: Index) -> ArtifactError:
    """Refuses to feed an oracle graph whose entities are numbered otherwise than the model's."""
    return ArtifactError(
        "the oracle reads the data set's graph, but these data name other entities",
        expected=f"the {len(predictor.model.config.entities)} entities that the model was trained with",
        found=f"{len(index.vocabularies.entities)} entities in {index.workspace}, or in another order",
        next_step="leave oracle out: --protocols predicted,none,blank_image,shuffled_image,question_only",
    )


def _run_model(
    predictor: Predictor,
    films: FilmDataset,
    collected: _Collected,
    protocols: dict[str, Protocol],
    *,
    with_attention: bool,
    progress: Progress | None,
) -> None:
    """Goes through the films once; every protocol answers a batch before the next one is read."""
    shown = _ShownFilms(predictor, films, protocols)
    texts = films.index.texts.column("text")
    done = 0
    for batch in make_loader(
        films, Collate(films.index, lambda _: {}), batch_size=FILMS_PER_BATCH, workers=0, shuffle=False
    ):
        ids = films.index.column("questions", "question_text")[batch["question_row"].numpy()]
        questions = predictor.read([texts[int(i)].as_py() for i in ids])
        features = shown.features(batch)
        for condition, protocol in protocols.items():
            source = protocol.source or predictor.model.config.scene_graph_source
            # The data set's graph is out of reach of every protocol that does not name it.
            given = _given_graph(batch, source)
            encoded = predictor.encode(features[protocol.shown], source, given)
            answers = predictor.answer(
                encoded,
                batch["image_of_question"],
                questions,
                with_attention=with_attention and condition == MODEL,
            )
            boxes = encoded.node_boxes_xyxy_rel.float().cpu().numpy()
            collected.rows.add(condition, batch, answers, boxes, encoded.node_mask.cpu().numpy())
            shows_own = protocol.shown in ("film", "blank")
            if collected.graphs is not None and encoded.graph is not None and shows_own:
                collected.graphs.add(condition, batch, encoded.graph)
        if collected.consistency is not None:
            given = _given_graph(batch, predictor.model.config.scene_graph_source)
            collected.consistency.add(batch, features["film"], given)
        done += len(batch["images"])
        if progress is not None:
            progress(f"answering under {len(protocols)} protocols", done, len(films))


def _given_graph(batch: dict[str, Tensor], source: str) -> DataSetGraph | None:
    if source not in _READS_DATA_SETS_GRAPH:
        return None
    return DataSetGraph(batch["node_boxes"], batch["node_findings"], batch["graph_valid"])


class _ShownFilms:
    """Feature maps of what the protocols show in place of the films of a batch."""

    def __init__(self, predictor: Predictor, films: FilmDataset, protocols: dict[str, Protocol]) -> None:
        self.predictor = predictor
        self.store: FilmSource = films.store
        self.kinds = {protocol.shown for protocol in protocols.values()}
        rows = films.selection.image_rows
        self.other: dict[int, int] = {}
        if "other_film" in self.kinds:
            subjects = films.index.column("images", "subject_id")[rows]
            others = rows[films_of_other_patients(subjects, films.seed)]
            self.other = dict(zip(rows.tolist(), others.tolist(), strict=True))
        self._blank: Tensor | None = None

    def features(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Gives a feature map `[B, C, h, w]` for each kind of film that is shown."""
        films = len(batch["images"])
        found: dict[str, Tensor] = {}
        if "film" in self.kinds:
            found["film"] = self.predictor.features(batch["images"], batch["image_side"])
        if "blank" in self.kinds:
            if self._blank is None:
                side = self.predictor.model.config.image_size
                self._blank = self.predictor.features(torch.zeros(1, side, side, dtype=torch.uint8))
            found["blank"] = self._blank.expand(films, -1, -1, -1)
        if "other_film" in self.kinds:
            rows = [self.other[row] for row in batch["image_row"].tolist()]
            images = torch.from_numpy(stack_films(self.store, rows))
            found["other_film"] = self.predictor.features(images, torch.from_numpy(self.store.side[rows]))
        return found


def _run_controls(
    chosen: dict[str, Protocol], films: FilmDataset, rows: PredictionRows, settings: VQASettings
) -> None:
    """Answers from what was counted in the training split."""
    training = training_films(films.index, films.store, settings.data, settings.training.seed).selection
    shares = answer_shares(films.index, training.parts(films.index))
    for condition in (name for name, protocol in chosen.items() if protocol.shown == "nothing"):
        _run_control(shares, films, rows, condition)


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
        answers = AnswerArrays(tuple(probabilities), no_boxes)
        rows.add(condition, batch, answers, np.zeros((count, 0, 4)), np.zeros((count, 0), dtype=np.bool_))
