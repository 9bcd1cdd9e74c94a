"""Metrics of answers, by class and as text."""

from cxrkit.evaluation.definitions.definition import Definition

ANSWER_METRICS = (
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
        "answer_names_reference_class",
        "answer names a class of the reference",
        "over open questions whose reference names one of the 14 findings or 26 regions: share whose answer "
        "names one of the same; 0..1",
        "no reference that names a finding or region",
    ),
)
