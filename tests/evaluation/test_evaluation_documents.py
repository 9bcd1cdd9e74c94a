"""The documents say what the code writes: every key, column and definition stands there."""

import re
from pathlib import Path

import pytest

from cxrkit.evaluation.classification_scores import score_classification
from cxrkit.evaluation.definitions import CONDITIONS, DEFINITIONS
from cxrkit.evaluation.pages.strata import STRATA
from cxrkit.evaluation.report import SCHEMA_VERSION
from cxrkit.evaluation.text_pairs import BERTSCORE
from cxrkit.evaluation.vqa_scores import score_vqa
from cxrkit.inference.explanation_columns import OPTIONAL_COLUMNS
from cxrkit.inference.schema import CLASSIFY_SCHEMA, CONSISTENCY_SCHEMA, VQA_SCHEMA, graph_schema
from cxrkit.vocabulary import REGIONS

DOCS = Path(__file__).parents[2] / "docs"
ONE_ENTITY = graph_schema(1)


def rows(document, heading):
    """First cells, and the cell after, of the tables between a heading and the next."""
    text = (DOCS / document).read_text()
    part = re.split(r"^#+ ", text.split(f"\n{heading}\n", 1)[1], flags=re.MULTILINE)[0]
    cells = (re.split(r"(?<!\\)\|", line)[1:3] for line in part.splitlines() if line.startswith("| `"))
    return {name.strip().strip("`"): kind.strip() for name, kind in cells}


@pytest.fixture(scope="module")
def reports(vqa_table, classify_table):
    return [score_vqa(vqa_table, n_resamples=20), score_classification(classify_table, n_resamples=20)]


def test_every_key_of_a_report_is_described(reports):
    found = set().union(*reports)
    described = rows("evaluation_report.md", "## `evaluation_report.json`")
    assert found == set(described)
    assert f"`schema_version` is **{SCHEMA_VERSION}**" in (DOCS / "evaluation_report.md").read_text()


@pytest.mark.parametrize(
    ("part", "heading"),
    [
        ("metrics", "### An entry of `metrics` and `strata`"),
        ("differences", "### An entry of `differences`"),
        ("evidence", "### An entry of `evidence`"),
    ],
)
def test_the_keys_of_an_entry_are_those_described(reports, part, heading):
    found = {key for report in reports for entry in report[part] for key in entry}
    assert found == set(rows("evaluation_report.md", heading))


def test_conditions_are_those_of_the_code():
    assert rows("evaluation_report.md", "### Conditions") == CONDITIONS


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        (
            "## `predictions.parquet` of a VQA model",
            {field.name: str(field.type) for field in VQA_SCHEMA}
            | {name: str(kind) for name, kind in OPTIONAL_COLUMNS}
            | {BERTSCORE: "float"},
        ),
        ("## `predictions.parquet` of a classifier", {f.name: str(f.type) for f in CLASSIFY_SCHEMA}),
        ("## `consistency_predictions.parquet`", {f.name: str(f.type) for f in CONSISTENCY_SCHEMA}),
        (
            "## `graph_predictions.parquet`",
            {f.name: str(f.type) for f in ONE_ENTITY}
            | {"finding_probabilities": f"fixed_size_list<item: float>[{len(REGIONS)} E]"},
        ),
    ],
)
def test_columns_and_types_are_those_of_the_schemas(heading, columns):
    assert rows("evaluation_report.md", heading) == columns


def test_every_definition_stands_in_the_document_as_in_the_code():
    text = (DOCS / "metrics.md").read_text()
    for entry in DEFINITIONS.values():
        cells = (entry.title, entry.text, entry.undefined_when)
        told = " | ".join(cell.replace("|", "&#124;") for cell in cells)
        assert f"| `{entry.definition_id}` | {told} |" in text
    described = rows("metrics.md", "## Every definition")
    assert set(described) == {entry.definition_id for entry in DEFINITIONS.values()}


def test_every_stratum_is_described(vqa_table):
    told = {name for key in rows("evaluation_report.md", "### Groups") for name in key.split("`, `")}
    assert told == set(STRATA)
