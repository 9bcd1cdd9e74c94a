"""Several prediction files on the same questions, compared with the first of them."""

from cxrkit.evaluation.comparison.publish import ComparisonResult, compare_predictions

__all__ = ["ComparisonResult", "compare_predictions"]
