"""The page of an evaluation: its sections, confusion, curves, gallery, PDF, and what it says of nothing."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import confusion_matrix, multilabel_confusion_matrix

from cxrkit.evaluation.classification_scores import score_classification
from cxrkit.evaluation.films import Film
from cxrkit.evaluation.pages.answer_arrays import AnswerArrays
from cxrkit.evaluation.pages.chosen_questions import choose_questions
from cxrkit.evaluation.pages.chosen_studies import choose_studies
from cxrkit.evaluation.pages.confusion import class_counts, confusion_of
from cxrkit.evaluation.pages.curve_points import class_curves
from cxrkit.evaluation.pages.examples import question_examples
from cxrkit.evaluation.pages.finding_figures import model_rows
from cxrkit.evaluation.pages.report_page import write_page
from cxrkit.evaluation.predictions import write_predictions
from cxrkit.evaluation.publish import publish_scores
from cxrkit.evaluation.vqa_scores import score_vqa
from cxrkit.inference.schema import with_metadata
from cxrkit.metrics.classification import auroc
from cxrkit.models.calibration import ClassCalibration, ModelCalibration, ScoreGroup
from cxrkit.vocabulary import ANSWER_HEADS, FINDINGS, Head


def films(_):
    return Film(np.full((64, 64), 90, np.uint8), 0.1, 2.0, 0.0)


def page_of(table, folder, score=score_vqa, lookup=None):
    write_page(score(table, n_resamples=20), table, folder / "page.html", lookup)
    return (folder / "page.html").read_text()


def headings(page):
    return re.findall(r"<h2>([^<]+)</h2>", page)


@pytest.fixture(scope="module")
def vqa_page(vqa_table, tmp_path_factory):
    return page_of(vqa_table, tmp_path_factory.mktemp("vqa"))


@pytest.fixture(scope="module")
def classify_page(classify_table, tmp_path_factory):
    return page_of(classify_table, tmp_path_factory.mktemp("classify"), score_classification)


def test_the_vqa_page_has_its_sections_and_the_curves_of_every_head(vqa_page):
    assert {"Headline figures", "Answers by head", "Confusion", "Curves", "Definitions"} <= set(
        headings(vqa_page)
    )
    for head in ("Binary", "Category", "Region", "Severity"):
        assert f"{head} head: ROC curves" in vqa_page
        assert f"{head} head: precision and recall" in vqa_page
        assert f"{head} head: what answering only the surest questions would gain" in vqa_page
    assert vqa_page.count("share of right answers<") == 2
    assert vqa_page.count("share of positives of all pairs of question and class<") == 2


def test_the_classifier_page_has_predictive_values_and_curves(classify_page):
    assert {"Findings", "Curves of the findings", "Calibration of the findings"} <= set(
        headings(classify_page)
    )
    for words in ("PPV [95 % interval]", "NPV", "MCC", "Counts of the decisions", "Reliability: stated"):
        assert words in classify_page
    assert "saved without a calibration" in classify_page


def test_scores_are_said_in_words_where_the_model_knows(classify_table, tmp_path):
    groups = (ScoreGroup(0.5, 40, 2), ScoreGroup(1.0, 50, 24))
    classes = {name: ClassCalibration(0.31, 1.2, 90, 26, groups) for name in FINDINGS}
    calibration = ModelCalibration("validate", "studies", {"classifier": classes}, {})
    metadata = json.loads(classify_table.schema.metadata[b"cxrkit"])
    table = with_metadata(classify_table, metadata | {"calibration": calibration.to_json()})
    page = page_of(table, tmp_path, score_classification, films)
    assert "positive above 0.31; of 50 validation studies scored like this 48 % were positive" in page
    assert "<b>Edema</b>" in page, "the films' likeliest findings are said in the same words"


@pytest.mark.parametrize("page", ["vqa_page", "classify_page"])
def test_without_films_the_page_has_no_film_and_loads_nothing(page, request):
    text = request.getfixturevalue(page)
    assert "Example films" not in text
    assert '<article class="film">' not in text
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)


def test_confusion_is_that_of_sklearn(vqa_table):
    for head in (Head.BINARY, Head.SEVERITY):
        rows = AnswerArrays.of_table(vqa_table, head, "model")
        classes = range(rows.reference.shape[1])
        expected = confusion_matrix(rows.reference.argmax(1), rows.predicted.argmax(1), labels=classes)
        assert confusion_of(rows).tolist() == expected.tolist()
    for head in (Head.CATEGORY, Head.REGION):
        rows = AnswerArrays.of_table(vqa_table, head, "model")
        expected = multilabel_confusion_matrix(rows.reference, rows.predicted)
        found = class_counts(rows.reference, rows.predicted)
        assert found[:, [3, 1, 2, 0]].tolist() == expected.reshape(-1, 4).tolist()


def test_arrays_are_those_of_the_table_in_the_order_of_the_questions(vqa_table):
    shuffled = vqa_table.take(np.random.default_rng(1).permutation(vqa_table.num_rows))
    first = AnswerArrays.of_table(vqa_table, Head.REGION, "model")
    second = AnswerArrays.of_table(shuffled, Head.REGION, "model")
    assert (first.probabilities == second.probabilities).all()
    row = vqa_table.slice(int(first.places[5]), 1).to_pylist()[0]
    assert np.flatnonzero(first.predicted[5]).tolist() == row["classes_predicted"]
    assert (row["condition"], row["head"]) == ("model", "region")


def test_curves_are_those_of_the_commonest_classes_with_both_values():
    generator = np.random.default_rng(0)
    labels = generator.random((4000, 5)) < np.array([0.1, 0.4, 0.0, 0.2, 1.1])
    scores = generator.random((4000, 5)) + 0.3 * labels
    roc, precision = class_curves(list("abcde"), labels, scores, most=2)
    assert [curve.name for curve in roc] == [curve.name for curve in precision] == ["b", "d"]
    assert roc[0].score == auroc(labels[:, 1], scores[:, 1]).value
    x, y = np.asarray(roc[0].x), np.asarray(roc[0].y)
    assert len(x) == 1000
    assert (x[0], y[0], x[-1], y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert abs(np.trapezoid(y, x) - roc[0].score) < 1e-3


def test_the_gallery_shows_right_wrong_and_uncertain_answers(vqa_table):
    chosen = list(choose_questions(vqa_table))
    assert chosen == list(choose_questions(vqa_table))
    rows = [vqa_table.slice(place, 1).to_pylist()[0] for place, _ in chosen]
    assert len({row["dicom_id"] for row in rows}) == len(rows)
    for row, (_, verdict) in zip(rows, chosen, strict=True):
        right = set(row["classes_reference"]) == set(row["classes_predicted"])
        assert row["condition"] == "model"
        assert verdict in (("right", "uncertain (right)") if right else ("wrong", "uncertain (wrong)"))
    for head in ANSWER_HEADS:
        of_head = AnswerArrays.of_table(vqa_table, head, "model")
        sure = dict(zip(of_head.places.tolist(), of_head.confidence.tolist(), strict=True))
        (unsure,) = (place for place, word in chosen if place in sure and word.startswith("uncertain"))
        shown = {row["dicom_id"] for row in rows}
        films_of = {place: vqa_table.column("dicom_id")[place].as_py() for place in sure}
        assert all(sure[unsure] <= value for place, value in sure.items() if films_of[place] not in shown)


def test_studies_are_right_wrong_or_near_the_thresholds(classify_table):
    place = classify_table.column_names.index("probabilities")
    noisy = np.array(classify_table.column("probabilities").to_pylist(), dtype=float)
    noisy = np.clip(noisy + np.random.default_rng(3).normal(0, 0.1, noisy.shape), 0, 1)
    field = classify_table.schema.field(place)
    table = classify_table.set_column(place, field, pa.array(noisy.tolist(), field.type))
    rows = model_rows(table.replace_schema_metadata(classify_table.schema.metadata), "classifier")
    chosen = choose_studies(rows)
    decided = ~np.isnan(rows.thresholds)
    mistakes = (rows.flagged != rows.labels)[:, decided].sum(1)
    words = [word.split(":")[0] for _, word in chosen]
    assert words == ["right"] * 3 + ["wrong"] * 3 + ["uncertain"] * 3
    assert [mistakes[place] for place, _ in chosen[:3]] == [0, 0, 0]
    assert [mistakes[place] for place, _ in chosen[3:6]] == sorted(mistakes)[::-1][:3]
    assert len({place for place, _ in chosen}) == 9


def with_attention(table):
    """Attention of the model on 2 x 2 tokens of a square of 400 pixels."""
    seen = [name == "model" for name in table.column("condition").to_pylist()]
    numbers = pa.list_(pa.float32())
    attention = [[0.5, 0.25, 0.25, 0.0] if is_model else None for is_model in seen]
    table = table.append_column("attention", pa.array(attention, numbers))
    return table.append_column("square_px", pa.array([[0.0, 0.0, 400.0, 400.0]] * len(seen), numbers))


def test_attention_lies_over_the_film_where_it_was_stored(vqa_table, tmp_path):
    items = question_examples(with_attention(vqa_table), films)
    assert items[0].heat.square == (2.0, 0.0, 42.0, 40.0)
    # An even share of attention has no colour.
    assert items[0].heat.rgba()[..., 3].tolist() == [[153, 0], [0, 0]]
    page = page_of(with_attention(vqa_table), tmp_path, lookup=films)
    assert page.count('<image class="heat"') == page.count('<article class="film">') > 4
    assert "No attention is drawn" not in page
    without = page_of(vqa_table, tmp_path, lookup=films)
    assert without.count("No attention is drawn") == 1
    assert '<image class="heat"' not in without


def test_a_gallery_without_boxes_says_so(vqa_table, tmp_path):
    rows = vqa_table.to_pylist()
    for row in rows:
        row |= {"boxes_reference": [], "has_boxes_reference": False, "boxes_predicted": [], "box_scores": []}
    bare = pa.Table.from_pylist(rows, schema=vqa_table.schema)
    assert "No boxes are drawn" in page_of(bare, tmp_path, lookup=films)
    assert "No boxes are drawn" not in page_of(vqa_table, tmp_path, lookup=films)


def test_nothing_to_draw_is_said_in_words(vqa_table, classify_table, tmp_path):
    no_severity = vqa_table.filter(pc.field("head") != "severity")
    first = AnswerArrays.of_table(no_severity, Head.BINARY, "model").reference[:, 1]
    rows = no_severity.to_pylist()
    for row in rows:
        if row["head"] == "binary":
            row["classes_reference"] = [1]
    one_class = pa.Table.from_pylist(rows, schema=no_severity.schema)
    page = page_of(one_class, tmp_path)
    assert first.any()
    assert page.count("Severity: no question of this head in the split.") == 2
    assert "Binary: no ROC or precision-recall curve, no class has both values." in page
    place = classify_table.column_names.index("labels")
    field = classify_table.schema.field(place)
    zeros = pa.array([[0.0] * 14] * classify_table.num_rows, field.type)
    page = page_of(classify_table.set_column(place, field, zeros), tmp_path, score_classification)
    assert "No ROC or precision-recall curve: no finding has both values." in page
    assert "No reliability curves: no label is positive." in page


def test_the_pdf_is_there_when_asked_for_and_always_the_same(vqa_table, tmp_path):
    write_predictions(vqa_table, tmp_path / "predictions.parquet")
    path = tmp_path / "predictions.parquet"
    first = publish_scores(path, tmp_path, n_resamples=20, pdf=True).pdf_path.read_bytes()
    assert first.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", first)) > 3
    assert b"/CreationDate" not in first
    assert publish_scores(path, tmp_path, n_resamples=20, pdf=True).pdf_path.read_bytes() == first
    result = publish_scores(path, tmp_path, n_resamples=20)
    assert result.pdf_path is None
    assert not (tmp_path / "report.pdf").exists(), "an old PDF beside a new report would mislead"
