"""Scoring again: the same predictions give the same report, whatever file they lie in."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxrkit.cli import main
from cxrkit.evaluation.content_hash import content_hash, hash_of_ids
from cxrkit.evaluation.publish import publish_evaluation


def call(*words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


@pytest.fixture(params=["vqa", "classify"])
def evaluated(request, tmp_path, vqa_table, classify_table, graph_table):
    if request.param == "vqa":
        return publish_evaluation(vqa_table, tmp_path / "first", graphs=graph_table)
    return publish_evaluation(classify_table, tmp_path / "first")


def test_scoring_again_gives_the_same_bytes(evaluated, tmp_path, capsys):
    before = evaluated.report_path.read_bytes(), evaluated.html_path.read_bytes()
    assert call("score", evaluated.predictions_path) == 0
    assert (evaluated.report_path.read_bytes(), evaluated.html_path.read_bytes()) == before
    assert "1,000 resamples of patients" in capsys.readouterr().out


def test_the_pdf_is_written_and_named_when_asked_for(evaluated, capsys):
    assert call("score", evaluated.predictions_path, "--resamples", "100", "--pdf") == 0
    path = evaluated.report_path.with_name("report.pdf")
    assert path.read_bytes().startswith(b"%PDF")
    assert "report.pdf" in capsys.readouterr().out


def test_a_file_of_another_machine_gives_the_same_bytes(evaluated, tmp_path):
    """Rows in another order, other chunks, another compression, large types, no dictionary."""
    for path in evaluated.predictions_path.parent.glob("*.parquet"):
        table = pq.read_table(path)
        order = list(range(table.num_rows))[::-1]
        large = pa.schema(
            [
                field.with_type(pa.large_string()) if field.type == pa.string() else field
                for field in table.schema
            ],
            table.schema.metadata,
        )
        (tmp_path / "other").mkdir(exist_ok=True)
        pq.write_table(
            table.take(order).cast(large), tmp_path / "other" / path.name,
            compression="none", use_dictionary=False, row_group_size=17,
        )  # fmt: skip
    assert call("score", tmp_path / "other", "--output_dir", tmp_path / "again") == 0
    assert (tmp_path / "again/evaluation_report.json").read_bytes() == evaluated.report_path.read_bytes()


def test_one_other_answer_gives_another_hash(vqa_table):
    rows = vqa_table.to_pylist()
    rows[5]["answer_predicted"] += "."
    changed = pa.Table.from_pylist(rows, vqa_table.schema)
    assert content_hash(changed) != content_hash(vqa_table)
    assert content_hash(vqa_table.take(list(range(vqa_table.num_rows))[::-1])) == content_hash(vqa_table)
    moved = vqa_table.replace_schema_metadata({b"cxrkit": b"{}"})
    assert content_hash(moved) != content_hash(vqa_table)
    assert hash_of_ids(["ab", "c"]) == hash_of_ids(["c", "ab"]) != hash_of_ids(["a", "bc"])


def test_neither_model_nor_torch_is_needed(evaluated, tmp_path):
    program = (
        "import sys\nfrom cxrkit.cli import main\n"
        f"try:\n    main(['score', {str(evaluated.predictions_path)!r}, '--resamples', '100'])\n"
        "except SystemExit as ended:\n    assert not ended.code, ended.code\n"
        "print(sorted({'torch', 'timm', 'transformers'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith("[]")


def test_the_report_of_other_predictions_is_not_replaced_in_silence(
    evaluated, make_vqa_table, tmp_path, capsys
):
    other = publish_evaluation(make_vqa_table(seed=3), tmp_path / "second")
    words = ("score", other.predictions_path, "--output_dir", evaluated.report_path.parent)
    before = evaluated.report_path.read_bytes()
    assert call(*words) == 2
    assert "another predictions" in capsys.readouterr().err
    assert evaluated.report_path.read_bytes() == before
    assert call(*words, "--overwrite") == 0
    assert evaluated.report_path.read_bytes() == other.report_path.read_bytes()


def test_a_report_tells_what_its_figures_mean(evaluated):
    report = json.loads(evaluated.report_path.read_text())
    assert report["n_resamples"] == 1000
    for entry in report["metrics"]:
        assert {"name", "value", "interval", "n", "definition_id"} <= set(entry)
        assert report["definitions"][entry["definition_id"]]["text"]
        assert entry["value"] is not None or entry["undefined_reason"]


def test_missing_predictions_are_told(tmp_path, capsys):
    assert call("score", tmp_path) == 2
    assert "no predictions" in capsys.readouterr().err
