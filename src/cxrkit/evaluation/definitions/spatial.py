"""Metrics of predicted boxes and node scores."""

from cxrkit.evaluation.definitions.definition import Definition

SPATIAL_METRICS = (
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
)
