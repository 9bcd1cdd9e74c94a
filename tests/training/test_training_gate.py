"""Training refuses data that no passing analysis has seen."""

import json

import pytest

from cxrkit.errors import AnalysisMissingError
from cxrkit.training.gate import require_analysis

COMMAND = "python analyze_data.py --config x.yaml"
GRADE_A = {"quality_grade": "A", "view_filter": "frontal_only"}


def write(folder, *, fingerprint="abc", filters=GRADE_A, vqa=(), classify=()):
    content = {
        "index_fingerprint": fingerprint,
        "filter": {**filters, "minimum_rating": 4},
        "ready_for": {"vqa": not vqa, "classify": not classify},
        "reasons_for": {"vqa": list(vqa), "classify": list(classify)},
    }
    (folder / "analysis_report.json").write_text(json.dumps(content))


def test_a_passing_report_of_the_same_data_lets_training_start(tmp_path):
    write(tmp_path)
    require_analysis("abc", tmp_path, COMMAND)
    for task in ("vqa", "classify"):
        require_analysis("abc", tmp_path, COMMAND, filters=GRADE_A, task=task)


def test_no_report_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(AnalysisMissingError, match="DATA ANALYSIS NOT FOUND") as caught:
        require_analysis("abc", tmp_path, COMMAND)
    assert COMMAND in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_report_of_other_data_does_not_count(tmp_path):
    write(tmp_path, fingerprint="other")
    with pytest.raises(AnalysisMissingError, match="for these data"):
        require_analysis("abc", tmp_path, COMMAND)


@pytest.mark.parametrize(("name", "value"), [("quality_grade", "A++"), ("view_filter", "all")])
def test_a_report_of_another_filter_does_not_count(tmp_path, name, value):
    write(tmp_path)
    with pytest.raises(AnalysisMissingError, match="DATA ANALYSIS NOT FOUND") as caught:
        require_analysis("abc", tmp_path, COMMAND, filters=GRADE_A | {name: value})
    assert f"data.{name} {value}" in caught.value.expected
    assert f"data.{name} {GRADE_A[name]}" in caught.value.found
    assert COMMAND in caught.value.next_step


def test_the_grade_of_questions_does_not_matter_to_the_classifier(tmp_path):
    write(tmp_path)
    require_analysis("abc", tmp_path, COMMAND, filters=GRADE_A | {"quality_grade": "B"}, task="classify")
    with pytest.raises(AnalysisMissingError, match="DATA ANALYSIS NOT FOUND"):
        require_analysis("abc", tmp_path, COMMAND, filters={"view_filter": "all"}, task="classify")


def test_a_failing_report_says_why(tmp_path):
    write(tmp_path, vqa=["no test studies"])
    with pytest.raises(AnalysisMissingError, match="no test studies"):
        require_analysis("abc", tmp_path, COMMAND)


@pytest.mark.parametrize(("fails", "passes"), [("vqa", "classify"), ("classify", "vqa")])
def test_the_verdict_is_that_of_the_task(tmp_path, fails, passes):
    write(tmp_path, **{fails: ["nothing to learn"]})
    require_analysis("abc", tmp_path, COMMAND, task=passes)
    with pytest.raises(AnalysisMissingError, match=f"did not pass for {fails}") as caught:
        require_analysis("abc", tmp_path, COMMAND, task=fails)
    assert caught.value.found == "nothing to learn"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"ready": true}', b"\xff\xfe{}", b"\x80", b'{"filter": 3}', b"null"]
)
def test_a_damaged_report_is_no_report(tmp_path, data):
    (tmp_path / "analysis_report.json").write_bytes(data)
    with pytest.raises(AnalysisMissingError, match="NOT READABLE"):
        require_analysis("abc", tmp_path, COMMAND)


def test_the_report_of_an_analysis_is_what_the_gate_reads(workspace, tmp_path):
    from cxrkit.analysis import Thresholds, analyze
    from cxrkit.data.index import Index

    index = Index.open(workspace)
    report = analyze(index, tmp_path, quality_grade="B", thresholds=Thresholds(rejected_image_share=1.0))
    filters = {"quality_grade": "B", "view_filter": "frontal_only"}
    for task, ready in report.data["ready_for"].items():
        assert ready, report.data["reasons_for"]
        require_analysis(index.fingerprint, tmp_path, COMMAND, filters=filters, task=task)
    with pytest.raises(AnalysisMissingError):
        require_analysis(index.fingerprint, tmp_path, COMMAND, filters=filters | {"quality_grade": "A"})
