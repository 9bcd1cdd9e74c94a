"""Metrics of answers that must agree with each other; no reference answer is used."""

from cxrkit.evaluation.definitions.definition import Definition

_YES = "yes from a probability of 0.5 on"
CONSISTENCY_METRICS = (
    Definition(
        "normal_abnormal_agreement",
        "normal against abnormal, whole film",
        f"share of films for which exactly one of 'is it abnormal?' and 'is it normal?' is answered yes "
        f"({_YES}); 0..1. Control: the second answer is about a film of another patient",
        "the training questions lack one of the two",
    ),
    Definition(
        "normal_abnormal_gap",
        "normal against abnormal, whole film: gap",
        "mean of |P(abnormal) + P(normal) - 1| over films; 0..1, 0 is best",
        "the training questions lack one of the two",
    ),
    Definition(
        "region_normal_abnormal_agreement",
        "normal against abnormal, regions",
        f"the same over all (film, region) pairs ({_YES}); 0..1",
        "the training questions name no region in both forms",
    ),
    Definition(
        "parent_child_agreement",
        "region against its parent",
        f"share of (film, region) pairs with the region judged abnormal ({_YES}) for which the region that "
        "it is a part of is judged abnormal too; 0..1. Control: the parent on a film of another patient",
        "no region that is a part of another was judged abnormal",
    ),
    Definition(
        "mirror_agreement",
        "mirrored film",
        f"share of (film, region with a side) pairs with the same decision ({_YES}) about the region, and "
        "about the region of the other side on the mirrored film; 0..1. Control: on the mirrored film "
        "of another patient",
        "the graph of a mirrored film is not known, or the training questions name no side",
    ),
    Definition(
        "mirror_gap",
        "mirrored film: gap",
        "mean absolute difference of the two probabilities; 0..1, 0 is best",
        "the graph of a mirrored film is not known, or the training questions name no side",
    ),
    Definition(
        "unmirrored_agreement",
        "other side, film not mirrored",
        "as for the mirrored film, but both about the film as it is: what a model gets that does not tell "
        "the sides apart; 0..1",
        "the training questions name no side",
    ),
)
