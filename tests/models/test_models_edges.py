"""Edges between region nodes."""

import torch

from cxrkit.models.edges import EDGE_KINDS, GraphEdges
from cxrkit.vocabulary import PARENT_OF_REGION, REGION_INDEX, REGIONS

LEFT, RIGHT = REGION_INDEX["left lung"], REGION_INDEX["right lung"]
ZONE = REGION_INDEX["left lower lung zone"]
REGION_ROW = torch.arange(len(REGIONS))[None]


def edge(edges, kind, start, end):
    return float(edges[0, EDGE_KINDS.index(kind), start, end])


def test_anatomy_gives_parents_children_and_sides():
    edges = GraphEdges()(REGION_ROW, torch.zeros(1, 26, 3))
    assert edge(edges, "parent", ZONE, LEFT) == 1
    assert edge(edges, "child", LEFT, ZONE) == 1
    assert edge(edges, "parent", LEFT, ZONE) == 0
    assert edge(edges, "mirror", LEFT, RIGHT) == edge(edges, "mirror", RIGHT, LEFT) == 1
    assert edge(edges, "parent", ZONE, RIGHT) == 0
    assert not edges[0, EDGE_KINDS.index("located_at")].any()
    assert set(PARENT_OF_REGION) | set(PARENT_OF_REGION.values()) <= set(REGIONS)


def test_a_finding_joins_the_regions_where_it_is_located():
    findings = torch.zeros(1, 26, 3)
    findings[0, [ZONE, RIGHT], 1] = 0.9
    findings[0, 0, 2] = 0.9
    findings.requires_grad_()
    edges = GraphEdges()(REGION_ROW, findings)
    assert edge(edges, "located_at", ZONE, RIGHT) > 0.5
    assert edge(edges, "located_at", ZONE, 0) == 0
    edges.sum().backward()
    assert findings.grad.abs().sum() > 0


def test_padding_has_no_edge():
    regions = torch.tensor([[LEFT, -1, RIGHT]])
    edges = GraphEdges()(regions, torch.ones(1, 3, 2))
    assert not edges[0, :, 1].any()
    assert not edges[0, :, :, 1].any()
    assert edge(edges, "mirror", 0, 2) == 1
