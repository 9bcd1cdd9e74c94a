"""Prediction files, the report's files and the page."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest

from cxrkit.errors import ArtifactError
from cxrkit.evaluation.content_hash import content_hash
from cxrkit.evaluation.films import Film
from cxrkit.evaluation.predictions import read_metadata, read_predictions, write_predictions
from cxrkit.evaluation.publish import publish_evaluation
from cxrkit.evaluation.report import read_report
from cxrkit.evaluation.vqa_scores import score_vqa
from cxrkit.inference.schema import VQA_SCHEMA, with_metadata


def test_predictions_survive_the_disk(vqa_table, classify_table, tmp_path):
    for table, task in ((vqa_table, "vqa"), (classify_table, "classify")):
        write_predictions(table, tmp_path / "p.parquet")
        stored = read_predictions(tmp_path / "p.parquet", task)
        # NaN differs from itself, so tables with blanks are compared as text.
        assert str(stored.to_pylist()) == str(table.to_pylist())
        assert stored.schema.metadata == table.schema.metadata


def test_looser_types_are_brought_to_the_schema_and_further_columns_kept(vqa_table, tmp_path):
    loose = pa.Table.from_pylist(vqa_table.slice(0, 8).to_pylist())
    loose = loose.append_column("attention", pa.array([[0.5]] * 8))
    write_predictions(loose.replace_schema_metadata(vqa_table.schema.metadata), tmp_path / "p.parquet")
    stored = read_predictions(tmp_path / "p.parquet")
    assert stored.schema.types[: len(VQA_SCHEMA)] == VQA_SCHEMA.types
    assert stored.column_names[-1] == "attention"


def test_one_flipped_byte_is_noticed(vqa_table, tmp_path):
    path = tmp_path / "p.parquet"
    write_predictions(vqa_table, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_predictions(path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_predictions(path)


def test_missing_foreign_and_future_files_are_refused(vqa_table, classify_table, tmp_path):
    with pytest.raises(ArtifactError, match="no predictions"):
        read_predictions(tmp_path / "p.parquet")
    write_predictions(classify_table, tmp_path / "p.parquet")
    with pytest.raises(ArtifactError, match="another task"):
        read_predictions(tmp_path / "p.parquet", "vqa")
    future = with_metadata(vqa_table, {"task": "vqa", "schema_version": 99})
    with pytest.raises(ArtifactError, match="schema_version 99"):
        write_predictions(future, tmp_path / "p.parquet")
    nulls = pa.array([None] * vqa_table.num_rows, pa.string())
    with pytest.raises(ArtifactError, match="question: 840 nulls"):
        write_predictions(
            vqa_table.set_column(vqa_table.column_names.index("question"), "question", nulls),
            tmp_path / "q.parquet",
        )
    assert not (tmp_path / "q.parquet").exists()


def _films(dicom_id):
    return None if dicom_id == "film-0-0" else Film(np.full((64, 64), 90, np.uint8), 0.1, 2.0, 0.0)


def test_an_evaluation_leaves_three_files_that_agree(vqa_table, tmp_path):
    result = publish_evaluation(vqa_table, tmp_path, _films)
    report = read_report(result.report_path)
    assert report == json.loads(json.dumps(score_vqa(read_predictions(result.predictions_path))))
    assert result.table[0][0] == "Binary: balanced accuracy"
    page = result.html_path.read_text()
    assert "Binary: balanced accuracy" in page
    assert "D04_how_severe_is_finding" in page
    assert page.count('<article class="film">') >= 6
    assert "an empty film in place of the film" in page
    assert "oracle: upper bound (leaks the answer)" in page
    assert "Predicted scene graph" not in page
    assert "&lt;b&gt;an effusion" in page, "texts of the data are escaped"
    assert "films and texts of patients" in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert "10000003" not in page
    assert "film-1-1" not in page, "no identifiers of patients or films on the page"


def test_the_same_predictions_give_the_same_bytes(vqa_table, tmp_path):
    first, second = (publish_evaluation(vqa_table, tmp_path / name) for name in ("a", "b"))
    assert first.report_path.read_bytes() == second.report_path.read_bytes()
    assert first.html_path.read_bytes() == second.html_path.read_bytes()


def test_without_films_the_page_shows_no_texts_of_patients(vqa_table, tmp_path):
    page = publish_evaluation(vqa_table, tmp_path).html_path.read_text()
    assert "an effusion" not in page
    assert "Example films" not in page


def test_the_classifier_has_its_page(classify_table, tmp_path):
    result = publish_evaluation(classify_table, tmp_path, lambda _: Film(np.zeros((32, 32), np.uint8)))
    page = result.html_path.read_text()
    assert "undefined: 0 of 120 studies are positive" in page
    assert "ROC curves of the findings" in page
    assert page.count('<article class="film">') == 6, "three right, three uncertain, none wrong"


def test_a_failing_evaluation_leaves_no_older_report_behind(vqa_table, tmp_path):
    result = publish_evaluation(vqa_table, tmp_path)
    with pytest.raises(ArtifactError):
        publish_evaluation(vqa_table.slice(1), tmp_path)
    assert not result.report_path.exists()
    assert not result.html_path.exists()
    with pytest.raises(ArtifactError, match="no evaluation report"):
        read_report(result.report_path)


def test_damaged_reports_are_refused(tmp_path):
    path = tmp_path / "evaluation_report.json"
    path.write_text("{")
    with pytest.raises(ArtifactError, match="damaged"):
        read_report(path)
    path.write_text('{"schema_version": 7}')
    with pytest.raises(ArtifactError, match="schema_version 7"):
        read_report(path)


def test_boxes_move_with_the_film():
    film = Film(np.zeros((10, 10), np.uint8), scale=0.5, pad_x=1.0, pad_y=3.0)
    assert film.place(np.array([[2.0, 4.0, 8.0, 10.0]])).tolist() == [[2.0, 5.0, 5.0, 8.0]]


def test_texts_kept_once_change_neither_report_nor_hash(vqa_table, tmp_path):
    write_predictions(vqa_table, tmp_path / "p.parquet")
    plain = read_predictions(tmp_path / "p.parquet")
    coded = read_predictions(tmp_path / "p.parquet", coded=True)
    assert pa.types.is_dictionary(coded.schema.field("question").type)
    assert content_hash(coded) == content_hash(plain)
    assert score_vqa(coded, n_resamples=50) == score_vqa(plain, n_resamples=50)


@pytest.mark.parametrize(
    "content", [b"{", b"[1]", b"\xff\xfe", b'{"schema_version": 5, "task": "classify", "split": "test"}']
)
def test_damaged_metadata_are_told(vqa_table, content):
    with pytest.raises(ArtifactError, match=r"damaged|kind"):
        read_metadata(vqa_table.replace_schema_metadata({b"cxrkit": content}))
