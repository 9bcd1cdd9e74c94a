"""Region pooling and box conversions."""

import pytest
import torch

from cxrkit.models.scene_graph import SceneGraphHead, cxcywh_to_xyxy, pool_regions, xyxy_to_cxcywh


def test_box_conversions_are_inverse_and_corners_ordered():
    boxes = torch.rand(5, 2, 2).sort(1).values.flatten(1)
    torch.testing.assert_close(cxcywh_to_xyxy(xyxy_to_cxcywh(boxes)), boxes)
    corners = cxcywh_to_xyxy(torch.tensor([0.5, 0.5, -0.2, 0.4]))
    assert (corners[2:] > corners[:2]).all()


def test_pooling_reads_only_its_box():
    features = torch.zeros(1, 1, 8, 8)
    features[0, 0, :4, :4] = 3.0
    boxes = torch.tensor([[[0.0, 0.0, 0.45, 0.45], [0.6, 0.6, 1.0, 1.0]]])
    pooled = pool_regions(features, boxes)
    assert pooled[0, 0].tolist() == pytest.approx([3.0, 3.0], abs=0.3)
    assert pooled[0, 1].tolist() == [0.0, 0.0]


def test_pooling_survives_empty_and_outside_boxes():
    boxes = torch.tensor([[[0.5, 0.5, 0.5, 0.5], [1.2, 1.2, 1.5, 1.5], [-1.0, -1.0, -0.5, -0.5]]])
    assert torch.isfinite(pool_regions(torch.randn(1, 4, 6, 6), boxes)).all()


def test_untrained_head_predicts_the_reference_boxes():
    head = SceneGraphHead(channels=16, entities=3, heads=4, dropout=0.0).eval()
    reference = torch.tensor([0.1, 0.2, 0.5, 0.9]).repeat(26, 1)
    head.set_reference_boxes(reference)
    graph = head(torch.randn(2, 16, 4, 4))
    torch.testing.assert_close(
        cxcywh_to_xyxy(graph.boxes_cxcywh_rel), reference.expand(2, -1, -1), atol=1e-4, rtol=0
    )
    assert graph.finding_logits.shape == (2, 26, 3)
    assert float(graph.finding_logits.detach().sigmoid().mean()) < 0.05
