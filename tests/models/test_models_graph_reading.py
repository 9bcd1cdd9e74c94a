"""What a question reads from the scene graph without any training."""

import pytest
import torch

from cxrkit.models.graph_reading import GraphReading
from cxrkit.vocabulary import FINDING_INDEX, REGION_INDEX

ENTITIES = ("pleural effusion", "cardiomegaly", "lung nodule")
LEFT, RIGHT = REGION_INDEX["left costophrenic angle"], REGION_INDEX["right costophrenic angle"]


@pytest.fixture
def read():
    torch.manual_seed(0)
    reading = GraphReading(16, ENTITIES, sets=2).eval()

    def run(entity, table, region=None):
        entity_scores, region_scores = torch.full((1, 3), -4.0), torch.zeros(1, 26)
        entity_scores[0, ENTITIES.index(entity)] = 2.0
        if region is not None:
            region_scores[0, region] = 4.0
        with torch.no_grad():
            return reading(torch.randn(1, 16), entity_scores, region_scores, table, torch.ones(1).bool())

    return run


def table(*present):
    logits = torch.full((1, 26, 3), -6.0)
    for region, entity in present:
        logits[0, region, ENTITIES.index(entity)] = 6.0
    return logits


def test_the_named_entity_is_found_where_it_is(read):
    region = read("pleural effusion", table((LEFT, "pleural effusion"))).region[0]
    assert torch.nonzero(region > 0).flatten().tolist() == [LEFT]


def test_another_entity_is_not_mistaken_for_it(read):
    assert (read("pleural effusion", table((LEFT, "lung nodule"))).region < 0).all()


def test_findings_of_a_place_are_read_in_that_place(read):
    present = table((LEFT, "pleural effusion"), (RIGHT, "lung nodule"))
    effusion = FINDING_INDEX["Pleural Effusion"]
    here = read("pleural effusion", present, region=LEFT).category[0, effusion]
    elsewhere = read("pleural effusion", present, region=RIGHT).category[0, effusion]
    assert here > elsewhere + 5


def test_gradients_reach_the_table(read):
    reading = GraphReading(16, ENTITIES, sets=2)
    logits = torch.full((2, 26, 3), -6.0, requires_grad=True)
    readings = reading(
        torch.randn(2, 16), torch.zeros(2, 3), torch.zeros(2, 26), logits, torch.ones(2).bool()
    )
    (readings.yes.sum() + readings.region.sum() + readings.category.sum() + readings.state.sum()).backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().sum() > 0


def test_a_graph_that_says_nothing_gives_nothing():
    reading = GraphReading(16, ENTITIES, sets=2).eval()
    asked = torch.randn(2, 16), torch.randn(2, 3), torch.randn(2, 26), torch.randn(2, 26, 3)
    readings = reading(*asked, torch.tensor([False, True]))
    for part in (readings.state, readings.yes, readings.region, readings.category, readings.support):
        assert not part[0].any()
        assert part[1].any()
