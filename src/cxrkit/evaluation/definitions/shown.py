"""Which figures are shown first, and for parts of the questions or studies."""

from cxrkit.evaluation.definitions.heads import CLASSIFIER, GROUNDING, RADIOLOGIST
from cxrkit.vocabulary import Head

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
# What is shown for parts of the questions or studies.
GROUP_METRICS: dict[str, tuple[str, ...]] = {
    Head.BINARY: ("accuracy", "balanced_accuracy"),
    Head.CATEGORY: ("exact_set_match", "micro_f1_over_sets"),
    Head.REGION: ("exact_set_match", "micro_f1_over_sets"),
    Head.SEVERITY: ("accuracy", "balanced_accuracy"),
    GROUNDING: ("mean_iou", "pointing_accuracy"),
    CLASSIFIER: ("mean_auroc_of_defined_findings", "mean_average_precision_of_defined_findings"),
}
