"""Training refuses data that no passing analysis has seen."""

import json

import pytest

from cxrkit.errors import AnalysisMissingError
from cxrkit.training.gate import require_analysis

COMMAND = "python analyze_data.py --config x.yaml"


def write(folder, **content):
    (folder / "analysis_report.json").write_text(json.dumps(content))


def test_a_passing_report_of_the_same_data_lets_training_start(tmp_path):
    write(tmp_path, index_fingerprint="abc", ready=True, reasons=[])
    require_analysis("abc", tmp_path, COMMAND)


def test_no_report_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(AnalysisMissingError, match="DATA ANALYSIS NOT FOUND") as caught:
        require_analysis("abc", tmp_path, COMMAND)
    assert COMMAND in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_report_of_other_data_does_not_count(tmp_path):
    write(tmp_path, index_fingerprint="other", ready=True, reasons=[])
    with pytest.raises(AnalysisMissingError, match="for these data"):
        require_analysis("abc", tmp_path, COMMAND)


def test_a_failing_report_says_why(tmp_path):
    write(tmp_path, index_fingerprint="abc", ready=False, reasons=["no test studies"])
    with pytest.raises(AnalysisMissingError, match="no test studies"):
        require_analysis("abc", tmp_path, COMMAND)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ready": true}'])
def test_a_damaged_report_is_no_report(tmp_path, text):
    (tmp_path / "analysis_report.json").write_text(text)
    with pytest.raises(AnalysisMissingError, match="NOT READABLE"):
        require_analysis("abc", tmp_path, COMMAND)
