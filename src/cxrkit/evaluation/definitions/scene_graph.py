"""Metrics of the predicted scene graph."""

from cxrkit.evaluation.definitions.definition import Definition

SCENE_GRAPH_METRICS = (
    Definition(
        "region_box_iou",
        "region box IoU",
        "mean IoU of the predicted and the data set's box, over the regions that have one; 0..1",
        "no region with a reference box",
    ),
    Definition(
        "presence_accuracy",
        "presence accuracy",
        "share of (film, region) pairs for which presence (probability 0.5 or more) is as in the data set's "
        "graph; 0..1, compare with the empty film, which gives the commonest",
        "no film with a scene graph",
    ),
    Definition(
        "finding_auroc",
        "finding AUROC in the graph",
        "mean over entities, then over regions, of the AUROC of the entity's probability in the region; "
        "entities that a region has on all films or on none are left out; 0..1, chance 0.5",
        "no entity with both values",
    ),
)
