"""Every figure of boxes and explanations is described in the documentation."""

from pathlib import Path

import pytest

from cxrkit.evaluation.definitions.explanations import EXPLANATION_CONTROLS, EXPLANATION_METRICS
from cxrkit.evaluation.definitions.spatial import SPATIAL_METRICS
from cxrkit.inference.explanation_columns import EXPLANATION_COLUMNS

METRICS = Path(__file__).parents[2] / "docs/metrics.md"


@pytest.mark.parametrize(
    "name",
    [
        *(entry.name for entry in (*SPATIAL_METRICS, *EXPLANATION_METRICS)),
        *EXPLANATION_CONTROLS,
        *(column for column, _ in EXPLANATION_COLUMNS),
    ],
)
def test_name_stands_in_the_documentation(name):
    assert f"`{name}`" in METRICS.read_text()
