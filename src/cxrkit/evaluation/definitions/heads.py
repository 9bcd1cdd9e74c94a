"""Whose figures a line of a report holds, beside the four answer heads."""

GROUNDING = "grounding"
CLASSIFIER = "classifier"
RADIOLOGIST = "radiologist"  # the classifier against the labels that radiologists gave
SCENE_GRAPH = "scene_graph"
EXPLANATION = "explanation"
CONSISTENCY = "consistency"
