"""Explains answers by what they lose: patches of the film, and nodes of the scene graph, are taken away.

About 40 films go through the network for each explained question, so a sample is explained. Patches are the
cells that the visual tokens stand for; a removed one is black, as beside the film and on an empty one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from cxrkit.data.batches.graphs import film_graphs
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.inference.explanation_columns import with_explanations
from cxrkit.inference.predictor import AnswerArrays, Predictor
from cxrkit.inference.protocols import MODEL
from cxrkit.models.decisions import choose_classes
from cxrkit.models.nodes import DataSetGraph
from cxrkit.models.outputs import EncodedQuestions
from cxrkit.vocabulary import ANSWER_HEADS, REGIONS, Head

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

DEFAULT_QUESTIONS = 500
STEPS = 10
_FILMS_AT_ONCE = 8
_READS_DATA_SETS_GRAPH = ("anatomy", "oracle")


def explain_answers(
    answers: pa.Table,
    predictor: Predictor,
    index: Index,
    store: FilmSource,
    *,
    questions: int = DEFAULT_QUESTIONS,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> pa.Table:
    """Adds explanations of a sample of the model's answers to the table of answers.

    Args:
        answers: predictions of this model; its rows under the condition `model` are sampled.
        predictor: the model.
        index: the opened index that the predictions are about.
        store: the opened image store.
        questions: how many are explained, where there are so many; each patient gives one before any gives
            two.
        seed: of the sample and of the random orders.
        progress: called with (stage, questions done, questions).
    """
    conditions = np.array(answers.column("condition").to_pylist())
    places = np.flatnonzero(conditions == MODEL)
    own = answers.take(places)
    chosen = sample_over_patients(own.column("subject_id").to_numpy(), questions, seed)
    film_rows = pc.index_in(own.column("dicom_id"), index.images.column("dicom_id")).to_numpy()
    explained = []
    for done, row in enumerate(chosen, start=1):
        film = _ShownFilm.of_row(predictor, index, store, int(film_rows[row]))
        answer = own.slice(int(row), 1).to_pylist()[0]
        explained.append(_explain(film, answer, np.random.default_rng([seed, answer["question_row"]])))
        if progress is not None:
            progress("explaining answers", done, len(chosen))
    return with_explanations(answers, places[chosen].tolist(), explained)


def sample_over_patients(patients: npt.NDArray[np.integer], count: int, seed: int) -> npt.NDArray[np.int64]:
    """Chooses questions so that as many patients as possible are among them.

    Args:
        patients: `[N]` the patient of each question.
        count: how many; all when there are fewer.
        seed: of the choice.

    Returns:
        Ascending places in `patients`.

    >>> patients = np.array([1, 1, 1, 1, 2, 3])
    >>> sorted(patients[sample_over_patients(patients, 3, 0)].tolist())
    [1, 2, 3]
    """
    generator = np.random.default_rng(seed)
    _, patient = np.unique(patients, return_inverse=True)
    turn_of_patient = generator.permutation(patient.max(initial=-1) + 1)
    order = np.lexsort([generator.random(len(patients)), patient])
    starts = np.searchsorted(patient[order], patient[order])
    turn = np.empty(len(patients), np.int64)
    turn[order] = np.arange(len(patients)) - starts
    return np.sort(np.lexsort([turn_of_patient[patient], turn])[:count])


@dataclass(frozen=True)
class _ShownFilm:
    """A film that can be shown with patches taken away.

    Attributes:
        predictor: the model.
        pixels: `[S, S]` the stored square.
        given: the data set's graph `[1]`, for the sources that read it.
    """

    predictor: Predictor
    pixels: npt.NDArray[np.uint8]
    given: DataSetGraph | None

    @classmethod
    def of_row(cls, predictor: Predictor, index: Index, store: FilmSource, row: int) -> "_ShownFilm":
        given = None
        if predictor.model.config.scene_graph_source in _READS_DATA_SETS_GRAPH:
            graphs = film_graphs(index, store, np.array([row]))
            parts = (graphs.boxes_xyxy_rel, graphs.findings, graphs.valid)
            given = DataSetGraph(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))
        return cls(predictor, np.array(store.read(row)), given)

    def answers(
        self,
        films: npt.NDArray[np.uint8],
        question: EncodedQuestions,
        removed_nodes: BoolArray | None = None,
        *,
        with_attention: bool = False,
    ) -> tuple[AnswerArrays, BoolArray]:
        """Answers one question about each of K films `[K, S, S]`; also tells which nodes exist `[K, R]`."""
        given = None if self.given is None else _repeated(self.given, len(films))
        features = self.predictor.features(torch.from_numpy(films))
        encoded = self.predictor.encode(features, given=given)
        if removed_nodes is not None:
            encoded = encoded.without_nodes(torch.from_numpy(removed_nodes).to(encoded.node_mask.device))
        repeated = question.rows(torch.zeros(len(films), dtype=torch.long, device=question.words.device))
        asked = self.predictor.answer(
            encoded, torch.arange(len(films)), repeated, with_attention=with_attention
        )
        return asked, encoded.node_mask.cpu().numpy()


def _repeated(graph: DataSetGraph, times: int) -> DataSetGraph:
    def repeat(values: Tensor) -> Tensor:
        return values.expand(times, *values.shape[1:])

    return DataSetGraph(repeat(graph.boxes_xyxy_rel), repeat(graph.findings), repeat(graph.valid))


def _explain(film: _ShownFilm, answer: Mapping[str, Any], generator: np.random.Generator) -> dict[str, Any]:
    """Gives the explanation columns of one answered question; without a chosen class there is none."""
    classes = answer["classes_predicted"]
    if not classes:
        return {}
    question = film.predictor.read([answer["question"]])
    whole, exists = film.answers(film.pixels[None], question, with_attention=True)
    head = Head(answer["head"])
    explanation: dict[str, Any] = {}
    attention = whole.attention[0] if whole.attention is not None else np.zeros(0)
    if attention.sum() > 0:
        orders = {"": np.argsort(-attention, kind="stable"), "_random": generator.permutation(len(attention))}
        explanation |= _curves(film, question, head, classes, orders)
    supporting = np.zeros(len(REGIONS), np.bool_)
    supporting[answer["nodes_reference"]] = True
    removed = nodes_to_remove(exists[0], supporting, generator)
    if removed is not None:
        explanation |= _ablation(film, question, head, classes, removed)
    return explanation


def answer_probability(answers: AnswerArrays, head: Head, classes: list[int]) -> FloatArray:
    """Gives the probability of an answer under each of K conditions: the mean over its classes, `[K]`."""
    values = answers.probabilities[ANSWER_HEADS.index(head)]
    mean: FloatArray = values[:, classes].astype(np.float64).mean(1)
    return mean


def _curves(
    film: _ShownFilm,
    question: EncodedQuestions,
    head: Head,
    classes: list[int],
    orders: dict[str, npt.NDArray[np.int64]],
) -> dict[str, list[float]]:
    """Gives the answer's probability with patches removed, and shown, in each order."""
    tokens = len(next(iter(orders.values())))
    counts = np.unique(np.round(np.linspace(0, tokens, STEPS + 1)).astype(int))
    shown = {}
    for name, order in orders.items():
        rank = np.empty(tokens, np.int64)
        rank[order] = np.arange(tokens)
        shown[f"deletion{name}"] = rank >= counts[:, None]
        shown[f"insertion{name}"] = rank < counts[:, None]
    # The whole and the empty film are in all curves: each different film is read once.
    different, place = np.unique(np.concatenate(list(shown.values())), axis=0, return_inverse=True)
    values = np.concatenate(
        [
            answer_probability(film.answers(only_patches(film.pixels, part), question)[0], head, classes)
            for part in np.split(different, range(_FILMS_AT_ONCE, len(different), _FILMS_AT_ONCE))
        ]
    )[place.ravel()].reshape(len(shown), len(counts))
    curves = {name: curve.tolist() for name, curve in zip(shown, values, strict=True)}
    return {"perturbed_shares": (counts / tokens).tolist(), **curves}


def only_patches(pixels: npt.NDArray[np.uint8], shown: BoolArray) -> npt.NDArray[np.uint8]:
    """Gives K films with some patches, all others black.

    Args:
        pixels: `[S, S]` the film's square.
        shown: `[K, P]` which of the P = v x v equal patches, row after row.

    Returns:
        `[K, S, S]`.

    >>> only_patches(np.full((2, 2), 7, np.uint8), np.array([[True, False, False, True]])).tolist()
    [[[7, 0], [0, 7]]]
    """
    side = round(shown.shape[1] ** 0.5)
    cell = np.repeat(np.arange(side), np.diff(np.round(np.linspace(0, len(pixels), side + 1)).astype(int)))
    mask = shown.reshape(-1, side, side)[:, cell][:, :, cell]
    return np.asarray(pixels * mask, dtype=np.uint8)


def nodes_to_remove(
    exists: BoolArray, supporting: BoolArray, generator: np.random.Generator
) -> BoolArray | None:
    """Chooses the nodes to take away: the supporting ones, and as many others for comparison.

    Args:
        exists: `[R]` which nodes the graph has.
        supporting: `[R]` which regions support the reference answer.
        generator: draws the others.

    Returns:
        `[2, R]`, or None where no supporting node exists or the graph has not as many others.
    """
    own, others = np.flatnonzero(exists & supporting), np.flatnonzero(exists & ~supporting)
    if not 0 < len(own) <= len(others):
        return None
    removed = np.zeros((2, len(exists)), np.bool_)
    removed[0, own] = True
    removed[1, generator.choice(others, len(own), replace=False)] = True
    return removed


def _ablation(
    film: _ShownFilm, question: EncodedQuestions, head: Head, classes: list[int], removed: BoolArray
) -> dict[str, Any]:
    """Gives the answer's probability with all nodes and without some, and whether the answer changes."""
    removals = np.concatenate([np.zeros((1, removed.shape[1]), np.bool_), removed])
    answers, _ = film.answers(np.repeat(film.pixels[None], len(removals), axis=0), question, removals)
    chosen = [choose_classes(head, row) for row in answers.probabilities[ANSWER_HEADS.index(head)]]
    return {
        "ablated_nodes": np.flatnonzero(removed[0]).tolist(),
        "ablated_nodes_random": np.flatnonzero(removed[1]).tolist(),
        "ablation_probabilities": answer_probability(answers, head, classes).tolist(),
        "ablation_changes": [other != chosen[0] for other in chosen[1:]],
    }
