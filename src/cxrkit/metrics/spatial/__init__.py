"""Metrics of boxes, question by question: matching, areas, pointing, detection, and how to read scores.

All boxes are corners x1, y1, x2, y2 in one unit, `[n, 4]`; n may be 0. A box with a corner that is not
finite, or without width or height (inverted ones too), is kept as a box that covers nothing: it counts
wherever boxes are counted, overlaps with nothing, hits nothing and cannot be hit.
"""

from cxrkit.metrics.spatial.questions import BoxGroup, QuestionBoxes, without_degenerate
from cxrkit.metrics.spatial.scores import BoxScores, score_boxes

__all__ = ["BoxGroup", "BoxScores", "QuestionBoxes", "score_boxes", "without_degenerate"]
