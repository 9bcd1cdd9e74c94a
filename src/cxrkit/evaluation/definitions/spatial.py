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
        "intersection_over_predicted",
        "IoP",
        "over questions with reference boxes where a box is predicted: area that predicted and reference "
        "boxes cover in common, divided by the area that the predicted boxes cover (a point under several "
        "boxes counts once); mean over questions; 0..1",
        "no question with reference boxes and a predicted box with area",
    ),
    Definition(
        "intersection_over_target",
        "IoT",
        "over questions with reference boxes: area that predicted and reference boxes cover in common, "
        "divided by the area that the reference boxes cover; no predicted box counts 0; mean over questions; "
        "0..1",
        "no question with a reference box with area",
    ),
    Definition(
        "pointing_game",
        "pointing game",
        "over questions with reference boxes: share whose highest-scored predicted box has its centre in a "
        "reference box, edges included; no predicted box counts as a miss; 0..1",
        "no question with reference boxes",
    ),
    *(
        Definition(
            f"detection_map_{percent}",
            f"mAP@0.{percent}",
            f"COCO's average precision at IoU {percent / 100:g} over questions with reference boxes: one "
            "class, each question an image, no crowd, all areas, at most 100 boxes per question (maxDets), "
            "precision at 101 recalls; only predicted boxes enter, which are those scored 0.5 or more; 0..1",
            "no question with reference boxes",
        )
        for percent in (50, 75)
    ),
    Definition(
        "detection_map_mean",
        "mean of mAP@0.5 and mAP@0.75",
        "mean of the two (not COCO's mean over ten IoU thresholds); 0..1",
        "no question with reference boxes",
    ),
    Definition(
        "box_calibration_error",
        "calibration error of box scores",
        "over predicted boxes of questions with reference boxes: mean over ten bins of equal width, weighted "
        "by their size, of |mean score - share with IoU > 0.5 with a reference box|; n counts boxes; 0..1, 0 "
        "is best",
        "no predicted box on a question with reference boxes",
    ),
    Definition(
        "multi_region_f1",
        "multi-region F1",
        "over questions with two or more supporting regions: mean of 2 |common| / (|named| + |supporting|), "
        "where the named regions are those of the nodes scored 0.5 or more; 0..1",
        "no question with two or more supporting regions",
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
