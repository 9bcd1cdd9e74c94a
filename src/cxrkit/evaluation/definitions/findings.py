"""Metrics of the 14 findings."""

from cxrkit.evaluation.definitions.definition import Definition

MIN_POSITIVE_STUDIES = 20

FINDING_METRICS = (
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
