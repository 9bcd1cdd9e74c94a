"""Names of entities and regions found in questions."""

import pytest
import torch

from cxrkit.models.names import directions, entity_matcher, region_matcher
from cxrkit.vocabulary import REGION_INDEX, REGIONS

ENTITIES = ("pleural effusion", "pleural thickening", "effusion", "cardiomegaly")
WORDS = sorted(
    {word for name in ENTITIES for word in name.split()}
    | {"is", "there", "in", "the", "left", "right", "lower", "lung", "zone", "lungs", "heart", "any"}
)


def encode(text):
    # Words outside the list (of synonyms no test asks about) share one last piece.
    return [WORDS.index(word) if word in WORDS else len(WORDS) for word in text.split()]


@pytest.fixture(scope="module")
def embedding():
    torch.manual_seed(0)
    return torch.nn.Embedding(len(WORDS) + 1, 64)


def score(matcher, embedding, ids, mask):
    return matcher(*directions(embedding, ids, matcher.pieces), mask)


def best(matcher, embedding, question):
    ids = torch.tensor([encode(question)])
    scores = score(matcher, embedding, ids, torch.ones_like(ids))[0]
    return [index for index in range(len(scores)) if scores[index] >= scores.max() - 1e-4]


@pytest.mark.parametrize(
    ("question", "entity"),
    [
        ("is there pleural effusion", "pleural effusion"),
        ("is there effusion", "effusion"),
        ("any pleural thickening", "pleural thickening"),
        ("is there cardiomegaly", "cardiomegaly"),
    ],
)
def test_the_longest_name_that_fits_wholly_wins(embedding, question, entity):
    assert best(entity_matcher(ENTITIES, encode), embedding, question) == [ENTITIES.index(entity)]


@pytest.mark.parametrize(
    ("question", "regions"),
    [
        ("any effusion in the left lung", ["left lung"]),
        ("any effusion in the left lower lung zone", ["left lower lung zone"]),
        ("is the heart there", ["cardiac silhouette"]),
        ("is there effusion in the lungs", ["left lung", "right lung"]),
    ],
)
def test_regions_are_found_by_any_of_their_names(embedding, question, regions):
    found = best(region_matcher(encode), embedding, question)
    assert found == sorted(REGION_INDEX[name] for name in regions)


def test_padding_matches_nothing(embedding):
    matcher = entity_matcher(ENTITIES, encode)
    ids = torch.tensor([encode("is there effusion")])
    padded = torch.cat([ids, torch.tensor([encode("cardiomegaly")])], dim=1)
    mask = torch.tensor([[1, 1, 1, 0]])
    alone = score(matcher, embedding, ids, torch.ones_like(ids))
    torch.testing.assert_close(score(matcher, embedding, padded, mask), alone)
    assert len(REGIONS) == score(region_matcher(encode), embedding, ids, torch.ones_like(ids)).shape[1]
