"""Explanations of a tiny model whose answer hangs on one patch and one node, known beforehand."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

from cxrkit.data.batches.graphs import film_graphs
from cxrkit.data.films.opener import films_of
from cxrkit.data.index import Index
from cxrkit.inference.explanation_columns import CURVES
from cxrkit.inference.perturbation import (
    explain_answers,
    nodes_to_remove,
    only_patches,
    sample_over_patients,
)
from cxrkit.inference.predictor import AnswerArrays
from cxrkit.inference.schema import VQA_SCHEMA
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD, REGIONS, Head

SIDE, TOKENS = 4, 16
PATCH, NODE = 5, 3


class TinyPredictor:
    """Yes with probability 0.1 (the base), 0.5 more for a lit patch, 0.3 more for a node of the graph."""

    def __init__(self, attended=PATCH, existing=range(8), base=0.1):
        self.model = SimpleNamespace(config=SimpleNamespace(scene_graph_source="predicted"))
        self.attended, self.base, self.films = attended, base, 0
        self.exists = torch.zeros(len(REGIONS), dtype=torch.bool)
        self.exists[list(existing)] = True

    def features(self, images, sides=None):
        self.films += len(images)
        size = images.shape[-1] // SIDE
        return images.float().reshape(-1, SIDE, size, SIDE, size).mean((2, 4)).reshape(-1, TOKENS)

    def encode(self, features, source=None, given=None):
        return _Encoded(features, self.exists.expand(len(features), -1))

    def read(self, questions):
        return _Question(len(questions))

    def answer(self, encoded, image_of_question, questions, *, with_attention=False):
        lit = (encoded.features[:, PATCH] > 100).numpy()
        yes = self.base + 0.5 * lit + 0.3 * encoded.node_mask[:, NODE].numpy()
        values = {head: np.full((len(yes), len(CLASSES_OF_HEAD[head])), 0.2) for head in ANSWER_HEADS}
        values[Head.BINARY] = np.stack([1 - yes, yes], axis=1)
        attention = np.full((len(yes), TOKENS), 0.01)
        attention[:, self.attended] = 0.5
        return AnswerArrays(
            tuple(values[head] for head in ANSWER_HEADS),
            np.zeros((len(yes), len(REGIONS))),
            attention if with_attention else None,
        )


class _Encoded(SimpleNamespace):
    def __init__(self, features, node_mask):
        super().__init__(features=features, node_mask=node_mask)

    def without_nodes(self, removed):
        return _Encoded(self.features, self.node_mask & ~removed)


class _Question(SimpleNamespace):
    def __init__(self, count):
        super().__init__(words=torch.zeros(count, 1))

    def rows(self, index):
        return _Question(len(index))


def _answers(questions=1, head="binary", classes=(1,), supporting=(NODE,), condition="model"):
    rows = [
        {
            "condition": condition, "question_row": number, "subject_id": number // 2, "study_id": number,
            "dicom_id": "film", "question_id": str(number), "question_type": "D02_has_finding", "head": head,
            "rating": 5, "polarity": 1, "view": "PA", "question": "Edema?",
            "answer_reference": "Yes.", "answer_predicted": "Yes.",
            "classes_reference": [1], "classes_predicted": list(classes), "probabilities": [0.1, 0.9],
            "boxes_reference": [], "has_boxes_reference": False, "boxes_predicted": [], "box_scores": [],
            "node_scores": [0.0] * len(REGIONS), "nodes_reference": list(supporting),
        }
        for number in range(questions)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=VQA_SCHEMA)


def _explain(predictor, answers, **options):
    index = SimpleNamespace(images=pa.table({"dicom_id": ["other", "film"]}))
    store = SimpleNamespace(read=lambda row: np.full((32, 32), 200 if row == 1 else 0, np.uint8))
    return explain_answers(answers, predictor, index, store, **options).to_pylist()


def test_removing_the_patch_that_decides_drops_the_answer_at_once():
    row = _explain(TinyPredictor(), _answers())[0]
    shares = row["perturbed_shares"]
    assert (shares[0], shares[-1], len(shares)) == (0.0, 1.0, 11)
    assert row["deletion"] == pytest.approx([0.9] + [0.4] * 10)
    assert row["insertion"] == pytest.approx([0.4] + [0.9] * 10)
    # At random, the patch is removed and shown at the same moment, not at once.
    removed = [value < 0.5 for value in row["deletion_random"]]
    assert removed == sorted(removed)
    assert row["deletion_random"][0] == pytest.approx(0.9)
    assert row["insertion_random"] == pytest.approx([1.3 - value for value in row["deletion_random"]])
    assert sum(row["deletion"]) <= sum(row["deletion_random"])


def test_attention_on_the_wrong_patch_is_found_out():
    """The failing side: an order that leaves the deciding patch for the end keeps the answer."""
    predictor = TinyPredictor(attended=0)
    row = _explain(predictor, _answers())[0]
    rank = PATCH  # equal attention is taken in the order of the patches
    counts = np.round(np.array(row["perturbed_shares"]) * TOKENS)
    assert row["deletion"] == pytest.approx(np.where(counts <= rank, 0.9, 0.4))
    assert row["insertion"] == pytest.approx(np.where(counts <= rank, 0.4, 0.9))


def test_removing_the_node_that_decides_drops_the_answer_and_random_ones_do_not():
    row = _explain(TinyPredictor(), _answers())[0]
    assert row["ablated_nodes"] == [NODE]
    assert len(row["ablated_nodes_random"]) == 1
    assert row["ablated_nodes_random"] != [NODE]
    assert row["ablation_probabilities"] == pytest.approx([0.9, 0.6, 0.9])
    assert row["ablation_changes"] == [False, False]
    other = _explain(TinyPredictor(), _answers(supporting=(0, 1)))[0]
    assert other["ablation_probabilities"][:2] == pytest.approx([0.9, 0.9]), "these nodes decide nothing"


@pytest.mark.parametrize("source", ["oracle", "predicted"])
def test_the_data_sets_graph_reaches_only_the_sources_that_read_it(workspace, source):
    index = Index.open(workspace)
    row = 2
    predictor, given = TinyPredictor(), []
    predictor.model.config.scene_graph_source = source
    encode = predictor.encode

    def remember(features, source=None, given_graph=None, **options):
        given.append((len(features), options.get("given", given_graph)))
        return encode(features)

    predictor.encode = remember
    store = films_of(index)
    answers = _answers()
    name = index.images.column("dicom_id")[row].as_py()
    place = answers.column_names.index("dicom_id")
    answers = answers.set_column(place, "dicom_id", pa.array([name]))
    explain_answers(answers, predictor, index, store)
    if source == "predicted":
        assert all(graph is None for _, graph in given)
        return
    expected = film_graphs(index, store, np.array([row]))
    for films, graph in given:
        assert graph.boxes_xyxy_rel.shape == (films, 26, 4)
        assert (graph.boxes_xyxy_rel.numpy() == expected.boxes_xyxy_rel).all()
        assert (graph.findings.numpy() == expected.findings).all()


def test_a_changed_answer_is_told():
    row = _explain(TinyPredictor(base=-0.1), _answers())[0]
    assert row["ablation_probabilities"] == pytest.approx([0.7, 0.4, 0.7])
    assert row["ablation_changes"] == [True, False]


def test_what_cannot_be_explained_is_undefined():
    no_class = _explain(TinyPredictor(), _answers(head="region", classes=()))[0]
    assert no_class["explained"]
    assert all(no_class[name] is None for name in (*CURVES, "perturbed_shares", "ablation_probabilities"))
    for answers, predictor in (
        (_answers(supporting=()), TinyPredictor()),
        (_answers(), TinyPredictor(existing=())),
        (_answers(supporting=range(5)), TinyPredictor()),
    ):
        row = _explain(predictor, answers)[0]
        assert row["ablation_probabilities"] is None
        assert row["deletion"] is not None
    silent = TinyPredictor()
    answer = silent.answer

    def without_attention(*arguments, **options):
        found = answer(*arguments, **options)
        return AnswerArrays(found.probabilities, found.node_scores, np.zeros((1, TOKENS)))

    silent.answer = without_attention
    assert _explain(silent, _answers())[0]["deletion"] is None


def test_a_sample_is_explained_the_same_each_time_and_the_rest_left_alone():
    answers = pa.concat_tables([_answers(8), _answers(8, condition="blank_image")])
    first = _explain(TinyPredictor(), answers, questions=4, seed=7)
    assert first == _explain(TinyPredictor(), answers, questions=4, seed=7)
    explained = [row for row in first if row["explained"]]
    assert {row["condition"] for row in explained} == {"model"}
    assert sorted(row["subject_id"] for row in explained) == [0, 1, 2, 3]
    assert all(row["deletion"] is None for row in first if not row["explained"])
    assert [row["question_row"] for row in first] == answers.column("question_row").to_pylist()
    others = [
        tuple(row["question_row"] for row in _explain(TinyPredictor(), answers, questions=4, seed=seed)
              if row["explained"])
        for seed in range(6)
    ]  # fmt: skip
    assert len(set(others)) > 1


def test_the_stated_cost_is_the_cost():
    predictor = TinyPredictor()
    _explain(predictor, _answers())
    assert 30 <= predictor.films <= 44


def test_each_patient_gives_one_question_before_any_gives_two():
    patients = np.repeat(np.arange(20), np.arange(1, 21))
    for count in (5, 20, 39, 10_000):
        chosen = sample_over_patients(patients, count, seed=1)
        assert len(np.unique(chosen)) == len(chosen) == min(count, len(patients))
        _, taken = np.unique(patients[chosen], return_counts=True)
        assert len(taken) == min(count, 20)
        if count == 20:
            assert taken.max() == 1
    # A patient with many questions is no likelier to be drawn.
    drawn = np.concatenate([patients[sample_over_patients(patients, 5, seed)] for seed in range(400)])
    share = np.bincount(drawn, minlength=20) / 400
    assert share.max() < 0.35
    assert share.min() > 0.15
    assert len(sample_over_patients(np.zeros(0, int), 5, 0)) == 0


def test_patches_are_those_of_the_grid_whatever_the_side():
    pixels = np.random.default_rng(0).integers(1, 255, (50, 50)).astype(np.uint8)
    every = only_patches(pixels, np.eye(49, dtype=bool))
    assert (every.sum(0) == pixels).all(), "each pixel belongs to exactly one patch"
    assert every[8, 7:14, 7:14].all(), "the patch in the second row and column"
    assert not every[8, :7].any()


def test_nodes_for_comparison_exist_and_support_nothing():
    generator = np.random.default_rng(0)
    exists, supporting = np.arange(26) < 20, np.arange(26) % 4 == 0
    for _ in range(20):
        own, others = nodes_to_remove(exists, supporting, generator)
        assert (own == (exists & supporting)).all()
        assert others.sum() == own.sum()
        assert not (others & (supporting | ~exists)).any()
    assert nodes_to_remove(exists, np.ones(26, bool), generator) is None
    assert nodes_to_remove(exists, np.zeros(26, bool), generator) is None
