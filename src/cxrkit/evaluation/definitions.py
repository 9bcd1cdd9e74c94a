"""What every figure of a report means, in words."""

from dataclasses import dataclass

from cxrkit.vocabulary import Head

GROUNDING = "grounding"
CLASSIFIER = "classifier"
RADIOLOGIST = "radiologist"  # the classifier against the labels that radiologists gave
SCENE_GRAPH = "scene_graph"
MIN_POSITIVE_STUDIES = 20


@dataclass(frozen=True)
class Definition:
    """A metric of the report.

    Attributes:
        name: its identifier.
        title: what tables call it.
        text: how it is computed, its range, its chance level.
        undefined_when: when it has no value.
    """

    name: str
    title: str
    text: str
    undefined_when: str


_ALL = (
    Definition("accuracy", "accuracy", "share of questions whose class is right; 0..1", "no questions"),
    Definition(
        "balanced_accuracy",
        "balanced accuracy",
        "mean recall over the classes present among the references; 0..1, chance 1 / classes",
        "no questions",
    ),
    Definition(
        "macro_f1", "macro F1", "mean F1 over the classes present among the references; 0..1", "no questions"
    ),
    Definition(
        "auroc",
        "AUROC",
        "area under the ROC curve from the probability of the positive class; 0..1, chance 0.5",
        "only one value among the references",
    ),
    Definition(
        "average_precision",
        "average precision",
        "area under the precision-recall steps, without interpolation; 0..1, chance = share of positives",
        "no positive among the references",
    ),
    Definition(
        "exact_set_match",
        "exact set match",
        "share of questions whose predicted set equals the reference set; two empty sets are equal; 0..1",
        "no questions",
    ),
    Definition(
        "jaccard",
        "Jaccard index",
        "mean over questions of |intersection| / |union| of the sets; two empty sets count 1; 0..1",
        "no questions",
    ),
    Definition(
        "micro_f1_over_sets",
        "micro F1 over sets",
        "2 TP / (2 TP + FP + FN) over all pairs of question and class; 0..1",
        "every reference and predicted set is empty",
    ),
    Definition(
        "micro_f1_over_findings",
        "micro F1 over findings",
        "micro F1 over the pairs of question and finding, No Finding left out: most references are just "
        "No Finding, and an answer that never names a finding would pass for a good one; 0..1",
        "no finding in any reference or predicted set",
    ),
    Definition(
        "macro_f1_over_sets",
        "macro F1 over sets",
        "mean F1 over the classes that occur in a reference set; 0..1",
        "every reference set is empty",
    ),
    Definition(
        "macro_auroc",
        "macro AUROC",
        "mean AUROC over the classes with both values among the references; 0..1, chance 0.5",
        "no class has both values among the references",
    ),
    Definition(
        "mean_average_precision_over_classes",
        "mean average precision over classes",
        "mean average precision over the classes with a positive; no detection metric; 0..1",
        "no class has a positive",
    ),
    Definition(
        "answer_exact_match",
        "exact match of the answer text",
        "share of answers equal to the reference after lower-casing, without punctuation and articles; 0..1",
        "no questions",
    ),
    Definition(
        "answer_token_f1",
        "token F1 of the answer text",
        "mean F1 of the words shared by answer and reference, after the same normalisation; 0..1",
        "no questions",
    ),
    Definition(
        "mean_iou",
        "mean IoU",
        "over questions with reference boxes: summed IoU of the best one-to-one matching divided by the "
        "larger number of boxes (a box without partner counts 0); 0..1",
        "no question with reference boxes",
    ),
    Definition(
        "pointing_accuracy",
        "pointing accuracy (IoU > 0.5)",
        "over questions with reference boxes: share whose highest-scored predicted box has IoU > 0.5 with a "
        "reference box; no predicted box counts as a miss; 0..1",
        "no question with reference boxes",
    ),
    Definition(
        "no_box_correctness",
        "no-box correctness",
        "over questions without reference boxes: share for which no box is predicted; 0..1",
        "every question has reference boxes",
    ),
    Definition(
        "node_average_precision",
        "average precision of node scores",
        "over questions whose supporting regions are known: mean of each question's average precision of the "
        "26 node scores; 0..1, chance about the share of supporting regions",
        "no question with known supporting regions",
    ),
    Definition(
        "node_calibration_error",
        "calibration error of node scores",
        "over pairs of question and node where the supporting regions are known: mean over ten bins of equal "
        "width, weighted by their size, of |mean score - share of supporting nodes|; 0..1, 0 is best",
        "no question with known supporting regions",
    ),
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
    Definition(
        "mean_auroc_of_defined_findings",
        "mean AUROC",
        "mean AUROC over all findings with both values; blank and -1 count as 0; 0..1, chance 0.5",
        "no finding has both values",
    ),
    Definition(
        "mean_auroc_of_frequent_findings",
        "mean AUROC of frequent findings",
        f"mean AUROC over the findings with both values and at least {MIN_POSITIVE_STUDIES} positive "
        "studies; blank and -1 count as 0; 0..1, chance 0.5",
        f"no finding has at least {MIN_POSITIVE_STUDIES} positive studies and a negative one",
    ),
    Definition(
        "f1_at_validation_threshold",
        "F1 at the validation threshold",
        "2 TP / (2 TP + FP + FN) with the finding's threshold, which has the highest F1 on the validation "
        "split; 0..1",
        "no threshold, or nothing positive or flagged",
    ),
    Definition(
        "sensitivity",
        "sensitivity",
        "TP / (TP + FN), the share of positive studies at or above the validation threshold; 0..1",
        "no threshold, or no positive study",
    ),
    Definition(
        "specificity",
        "specificity",
        "TN / (TN + FP), the share of negative studies below the validation threshold; 0..1",
        "no threshold, or no negative study",
    ),
    Definition(
        "calibration_error",
        "calibration error",
        "mean over ten bins of equal width, weighted by their size, of |mean probability - share of "
        "positives|; 0..1, 0 is best",
        "no studies",
    ),
    Definition(
        "mean_average_precision_of_defined_findings",
        "mean average precision",
        "mean average precision over all findings with a positive study; no detection metric; 0..1",
        "no finding has a positive study",
    ),
    Definition(
        "mean_f1_at_validation_thresholds",
        "mean F1",
        "mean F1 at the validation thresholds over the findings with a threshold and a positive study; 0..1",
        "no finding has both",
    ),
    Definition(
        "log_loss",
        "loss",
        "mean binary cross-entropy over studies and findings, in nats; 0 or more, 0 is best, "
        "0.693 for probabilities of one half",
        "no studies",
    ),
)
DEFINITIONS: dict[str, Definition] = {entry.name: entry for entry in _ALL}

CONDITIONS: dict[str, str] = {
    "model": "the model with film and question",
    "predicted": "the model with the scene graph that it predicts from the film",
    "anatomy": "the same model with the data set's region boxes, and no findings, as its graph",
    "oracle": "the same model with the data set's own scene graph: an upper bound that leaks the answer",
    "none": "the same model without a graph; one trained without may do better",
    "blank_image": "the same model with an empty film in place of the film",
    "shuffled_image": "the same model with the film of another patient in place of the film",
    "question_only": "the answer shares of the very question text in the training split; sees no film",
    "majority": "the answer shares of the question type, or of the label, in the training split",
}

# The figures shown first, each compared with every control.
HEADLINE_METRICS: dict[str, tuple[str, ...]] = {
    Head.BINARY: ("balanced_accuracy", "auroc"),
    Head.CATEGORY: ("micro_f1_over_findings", "micro_f1_over_sets", "macro_auroc"),
    Head.REGION: ("micro_f1_over_sets", "macro_f1_over_sets", "macro_auroc"),
    Head.SEVERITY: ("accuracy", "balanced_accuracy"),
    GROUNDING: ("mean_iou", "pointing_accuracy"),
    CLASSIFIER: (
        "mean_auroc_of_frequent_findings",
        "mean_auroc_of_defined_findings",
        "mean_average_precision_of_defined_findings",
        "mean_f1_at_validation_thresholds",
        "log_loss",
    ),
    RADIOLOGIST: ("mean_auroc_of_frequent_findings", "mean_auroc_of_defined_findings"),
}
# What is shown for each question type.
TYPE_METRICS: dict[str, tuple[str, ...]] = {
    Head.BINARY: ("accuracy", "balanced_accuracy"),
    Head.CATEGORY: ("exact_set_match", "micro_f1_over_sets"),
    Head.REGION: ("exact_set_match", "micro_f1_over_sets"),
    Head.SEVERITY: ("accuracy", "balanced_accuracy"),
}
