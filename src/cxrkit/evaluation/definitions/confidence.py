"""Metrics of stated probabilities, of answers and of findings alike."""

from cxrkit.evaluation.definitions.definition import Definition

CONFIDENCE_METRICS = (
    Definition(
        "calibration_error",
        "calibration error",
        "expected calibration error: mean over ten bins of equal width, weighted by their size, of |mean "
        "probability - share of positives|, over all pairs of row and class; 0..1, 0 is best",
        "nothing to score",
    ),
    Definition(
        "adaptive_calibration_error",
        "adaptive calibration error",
        "the same with ten bins of equally many pairs, whose edges are those of the whole data; 0..1, 0 is "
        "best",
        "nothing to score",
    ),
    Definition(
        "brier_score",
        "Brier score",
        "mean squared distance of probability and label over all pairs of row and class; 0..1, 0 is best",
        "nothing to score",
    ),
    Definition(
        "calibration_error_after_temperature",
        "calibration error after temperature scaling",
        "calibration error of the probabilities scaled by the temperature that was fitted on the validation "
        "split and saved with the model; 0..1, 0 is best",
        "the model has no fitted temperature",
    ),
    Definition(
        "risk_coverage_area",
        "area under the risk-coverage curve",
        "mean over answers of the error rate among those at least as sure (a wrong set counts as an error); "
        "0..1, 0 is best, the error rate itself where confidence says nothing",
        "nothing to score",
    ),
)
