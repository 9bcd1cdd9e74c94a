"""Metrics of the 14 findings."""

from cxrkit.evaluation.definitions.definition import Definition

MIN_POSITIVE_STUDIES = 20

FINDING_METRICS: tuple[Definition, ...] = (
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
    Definition(
        "positive_predictive_value",
        "positive predictive value",
        "TP / (TP + FP), the share of flagged studies that are positive, at the validation threshold; 0..1, "
        "depends on how frequent the finding is",
        "no threshold, or nothing flagged",
    ),
    Definition(
        "negative_predictive_value",
        "negative predictive value",
        "TN / (TN + FN), the share of studies below the validation threshold that are negative; 0..1",
        "no threshold, or everything flagged",
    ),
    Definition(
        "matthews_correlation",
        "Matthews correlation",
        "(TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN)) at the validation threshold; -1..1, "
        "0 is chance",
        "no threshold, or labels or decisions all the same",
    ),
    Definition(
        "micro_auroc_of_findings",
        "micro AUROC",
        "AUROC over all pairs of study and finding, ranked together; 0..1, chance 0.5, but the findings' "
        "frequencies alone lift it",
        "only one value among the labels",
    ),
    Definition(
        "micro_average_precision_of_findings",
        "micro average precision",
        "average precision over all pairs of study and finding, ranked together; 0..1",
        "no positive label",
    ),
)
# Each decision figure over all findings: averaged, and from counts added up.
_DECISIONS = tuple(
    entry
    for entry in FINDING_METRICS
    if entry.name
    in (
        "f1_at_validation_threshold",
        "sensitivity",
        "specificity",
        "positive_predictive_value",
        "negative_predictive_value",
        "matthews_correlation",
    )
)
FINDING_METRICS += tuple(
    Definition(
        f"{kind}_{entry.name}",
        f"{kind} {entry.title}",
        f"{how}: {entry.text}",
        "no finding where it is defined" if kind == "macro" else entry.undefined_when,
    )
    for entry in _DECISIONS
    for kind, how in (
        ("macro", "mean over the findings with a threshold, without those where it is undefined"),
        ("micro", "from the counts of all findings with a threshold together"),
    )
)
