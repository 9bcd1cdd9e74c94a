"""Metrics of explanations: attention, and what answers lose when parts of their input are taken away."""

from cxrkit.evaluation.definitions.definition import Definition

_REGION = "over questions with reference boxes"
_SAMPLE = "over a sample of answered questions, drawn over patients"

# What takes the place of the model's own order, map or choice of nodes.
EXPLANATION_CONTROLS: dict[str, str] = {
    "uniform_map": "a map that attends to every visual token alike",
    "average_map": "the model's mean attention over all questions, the same for each: attention that knows "
    "neither film nor question",
    "random_order": "the same patches in random order",
    "random_nodes": "as many random nodes of the same graph that do not support the answer",
}

EXPLANATION_METRICS = (
    Definition(
        "attention_iou",
        "attention IoU (top fifth of the tokens)",
        f"{_REGION}: IoU of the fifth of the visual tokens with the highest attention (0.8 quantile, equal "
        "values together; cells of the film's square) with what the boxes cover; mean over questions; 0..1",
        "no question with reference boxes and attention",
    ),
    Definition(
        "attention_mass_inside",
        "attention inside the region",
        f"{_REGION}: share of the attention over the visual tokens that lies inside the boxes; mean over "
        "questions; 0..1, a uniform map gives the boxes' share of the square",
        "no question with reference boxes and attention",
    ),
    Definition(
        "attention_pointing_game",
        "pointing game of attention",
        f"{_REGION}: share whose most attended visual token has its centre in a reference box; among equals "
        "the share of those inside; 0..1",
        "no question with reference boxes and attention",
    ),
    Definition(
        "attention_entropy",
        "attention entropy",
        "over all questions: entropy of the attention over the visual tokens divided by log(tokens); mean "
        "over questions; 0 one token has all, 1 all have the same",
        "no question with attention, or one visual token only",
    ),
    Definition(
        "deletion_area",
        "area under the deletion curve",
        f"{_SAMPLE}: area under the probability of the originally chosen answer against the share of patches "
        "made black, the most attended first; 0..1, small when the attended patches carried the answer; the "
        "probability of a set is the mean over its classes, an empty set has none",
        "no explained question with a chosen class and attention",
    ),
    Definition(
        "insertion_area",
        "area under the insertion curve",
        f"{_SAMPLE}: area under the probability of the originally chosen answer against the share of patches "
        "shown on an empty film, the most attended first; 0..1, large when the attended patches carry it",
        "no explained question with a chosen class and attention",
    ),
    Definition(
        "region_ablation_drop",
        "loss without the supporting nodes",
        f"{_SAMPLE}: probability of the originally chosen answer minus that without the nodes that support "
        "the reference answer; the film stays whole; mean over questions; -1..1",
        "no explained question with a chosen class, supporting nodes, and as many others",
    ),
    Definition(
        "region_ablation_changes",
        "answers changed without the supporting nodes",
        f"{_SAMPLE}: share whose chosen classes differ without the nodes that support the reference answer; "
        "0..1",
        "no explained question with a chosen class, supporting nodes, and as many others",
    ),
)
