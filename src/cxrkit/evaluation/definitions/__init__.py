"""What every figure of a report means, in words."""

from collections.abc import Iterable

from cxrkit.evaluation.definitions.answers import ANSWER_METRICS
from cxrkit.evaluation.definitions.conditions import CONDITIONS
from cxrkit.evaluation.definitions.confidence import CONFIDENCE_METRICS
from cxrkit.evaluation.definitions.consistency import CONSISTENCY_METRICS
from cxrkit.evaluation.definitions.definition import Definition
from cxrkit.evaluation.definitions.explanations import EXPLANATION_CONTROLS, EXPLANATION_METRICS
from cxrkit.evaluation.definitions.findings import FINDING_METRICS, MIN_POSITIVE_STUDIES
from cxrkit.evaluation.definitions.heads import (
    CLASSIFIER,
    CONSISTENCY,
    EXPLANATION,
    GROUNDING,
    RADIOLOGIST,
    SCENE_GRAPH,
)
from cxrkit.evaluation.definitions.scene_graph import SCENE_GRAPH_METRICS
from cxrkit.evaluation.definitions.shown import GROUP_METRICS, HEADLINE_METRICS
from cxrkit.evaluation.definitions.spatial import SPATIAL_METRICS

__all__ = [
    "CLASSIFIER",
    "CONDITIONS",
    "CONSISTENCY",
    "DEFINITIONS",
    "EXPLANATION",
    "EXPLANATION_CONTROLS",
    "GROUNDING",
    "GROUP_METRICS",
    "HEADLINE_METRICS",
    "MIN_POSITIVE_STUDIES",
    "RADIOLOGIST",
    "SCENE_GRAPH",
    "Definition",
    "describe_definitions",
]

DEFINITIONS: dict[str, Definition] = {
    entry.name: entry
    for entry in (
        *ANSWER_METRICS,
        *SPATIAL_METRICS,
        *SCENE_GRAPH_METRICS,
        *FINDING_METRICS,
        *CONFIDENCE_METRICS,
        *EXPLANATION_METRICS,
        *CONSISTENCY_METRICS,
    )
}


def describe_definitions(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Gives what a report says about its metrics, by definition id.

    Args:
        names: of the metrics, with repetitions.
    """
    used = (DEFINITIONS[name] for name in dict.fromkeys(names))
    return {
        entry.definition_id: {
            "title": entry.title,
            "text": entry.text,
            "undefined_when": entry.undefined_when,
        }
        for entry in used
    }
