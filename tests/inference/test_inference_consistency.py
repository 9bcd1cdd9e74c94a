"""Consistency questions: whose texts they are, and what a reader that sees the sides answers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cxrkit.data.index import Index
from cxrkit.inference.consistency import (
    PLACES,
    ConsistencyQuestions,
    ConsistencyRows,
    exchange_sides,
    mirror_films,
)
from cxrkit.inference.predictor import AnswerArrays
from cxrkit.models.nodes import DataSetGraph
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD, QUESTION_TYPE_NAMES, REGIONS, Head
from cxrkit.vocabulary.regions import mirrored_region
from cxrkit.vocabulary.text_mentions import regions_in_text


@pytest.fixture(scope="module")
def index(workspace):
    return Index.open(workspace)


class SideReader:
    """Says yes where the half of the film that the question names is bright."""

    def __init__(self):
        self.given = []

    def features(self, images, sides=None):
        width = images.shape[-1] // 2
        return torch.stack(
            [images[..., :width].float().mean((1, 2)), images[..., width:].float().mean((1, 2))], 1
        )

    def read(self, questions):
        sides = [0 if "right" in text else 1 if "left" in text else 2 for text in questions]
        normal = ["normal" in text.replace("abnormal", "") for text in questions]
        return _Read(torch.tensor(sides), torch.tensor(normal))

    def encode(self, features, source=None, given=None):
        self.given.append(given)
        return features

    def answer(self, encoded, image_of_question, questions):
        bright = torch.cat([encoded, encoded.mean(1, keepdim=True)], 1) / 255
        yes = bright[image_of_question, questions.sides].numpy()
        yes = np.where(questions.normal.numpy(), 1 - yes, yes)
        values = {head: np.zeros((len(yes), len(CLASSES_OF_HEAD[head]))) for head in ANSWER_HEADS}
        values[Head.BINARY] = np.stack([1 - yes, yes], 1)
        return AnswerArrays(tuple(values[head] for head in ANSWER_HEADS), np.zeros((len(yes), 26)))


class _Read(SimpleNamespace):
    def __init__(self, sides, normal):
        super().__init__(sides=sides, normal=normal, words=sides)

    def rows(self, index):
        return _Read(self.sides[index], self.normal[index])


def _batch(images):
    films = len(images)
    return {
        "images": images,
        "image_side": torch.full((films,), images.shape[-1]),
        "image_row": torch.arange(films),
    }


def test_texts_are_those_of_training_and_both_sides_are_asked_in_the_same_words(index):
    asked = ConsistencyQuestions.of_index(index)
    rows = index.column("questions", "question_type")
    split = index.column("studies", "split")[index.column("questions", "study_row")]
    stored = index.texts.column("text")

    def texts_of(name):
        number = QUESTION_TYPE_NAMES.index(name)
        chosen = (rows == number) & (split == 0)
        return {stored[int(text)].as_py() for text in index.column("questions", "question_text")[chosen]}

    assert asked.abnormal[0] in texts_of("B03_is_abnormal")
    assert asked.normal[0] in texts_of("B04_is_normal")
    assert len(asked.abnormal) > 20
    of_training = texts_of("C03_is_abnormal_region")
    for place, text in asked.abnormal.items():
        if place == 0:
            continue
        region = place - 1
        assert regions_in_text(text) == (region,)
        other = mirrored_region(region)
        assert text in of_training or exchange_sides(text) in of_training
        if other != region:
            assert asked.abnormal[1 + other] == exchange_sides(text)


def test_a_reader_of_sides_agrees_with_itself_on_the_mirrored_film(index):
    images = torch.zeros(2, 8, 8, dtype=torch.uint8)
    images[0, :, 4:] = 250
    reader = SideReader()
    rows = ConsistencyRows(reader, index, "predicted")
    rows.add(_batch(images), reader.features(images), None)
    first, second = rows.table({}).to_pylist()
    left, right = (1 + REGIONS.index(f"{side} lung") for side in ("left", "right"))
    assert first["is_abnormal"][left] > 0.9 > 0.1 > first["is_abnormal"][right]
    assert first["is_abnormal_mirrored"][right] > 0.9 > 0.1 > first["is_abnormal_mirrored"][left]
    assert first["is_normal"][left] == pytest.approx(1 - first["is_abnormal"][left])
    assert first["is_abnormal"][0] == pytest.approx(0.49, abs=0.01)
    assert second["is_abnormal"][left] == 0
    assert first["subject_id"] == index.column("images", "subject_id")[0]
    assert len(first["is_abnormal"]) == len(PLACES)


def test_the_data_sets_graph_of_a_mirrored_film_is_never_made_up(index):
    images = torch.zeros(1, 8, 8, dtype=torch.uint8)
    graph = DataSetGraph(torch.zeros(1, 26, 4), torch.zeros(1, 26, 3), torch.ones(1, dtype=torch.bool))
    reader = SideReader()
    rows = ConsistencyRows(reader, index, "oracle")
    rows.add(_batch(images), reader.features(images), graph)
    assert reader.given == [graph]
    assert np.isnan(rows.table({}).to_pylist()[0]["is_abnormal_mirrored"]).all()


def test_films_of_smaller_squares_are_mirrored_within_them():
    images = torch.arange(32, dtype=torch.uint8).reshape(2, 4, 4)
    mirrored = mirror_films(images, torch.tensor([4, 2]))
    assert mirrored[0, 0].tolist() == [3, 2, 1, 0]
    assert mirrored[1, 0].tolist() == [17, 16, 18, 19]


def test_sides_are_exchanged_as_whole_words():
    assert exchange_sides("Left lung, leftover, right?") == "Right lung, leftover, left?"
