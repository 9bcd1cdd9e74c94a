"""External question sets, on tiny made-up folders in their layouts: reading, asking, scoring."""

import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from small_network import build, small_config

from cxrkit.cli import main
from cxrkit.data.external_sets import read_question_set
from cxrkit.data.external_sets.film import read_film
from cxrkit.data.external_sets.records import picture_of
from cxrkit.errors import ArtifactError, DataLayoutError, SettingsError
from cxrkit.evaluation.transfer.scores import score_transfer
from cxrkit.evaluation.transfer.table import read_external
from cxrkit.inference.external import route
from cxrkit.inference.external_schema import EXTERNAL_SCHEMA, with_external_metadata
from cxrkit.vocabulary.question_texts import type_of_text

# (image, organ, question, answer, answer type, phrase type)
RAD = (
    ("a.jpg", "CHEST", "Is there a pneumothorax?", "No", "CLOSED ", "test_freeform"),
    ("a.jpg", "CHEST", "Where is the pleural effusion?", "Left lower lung zone", "OPEN", "test_para"),
    ("b.jpg", "CHEST", "Is the heart enlarged or normal?", "Enlarged", "CLOSED", "test_freeform"),
    ("b.jpg", "CHEST", "What plane is this film in?", "PA", "OPEN", "test_freeform"),
    ("b.jpg", "CHEST", "Is there cardiomegaly?", "yes", "CLOSED", "test_freeform"),
    ("b.jpg", "CHEST", "What abnormality is seen?", "Pneumonia", "OPEN", "freeform"),
    ("c.jpg", "HEAD", "Is there a bleed?", "Yes", "CLOSED", "test_freeform"),
)
# (image, language, location, modality, question, answer, answer type)
SLAKE = (
    ("xmlab0", "en", "Lung", "X-Ray", "Does the picture contain a nodule?", "No", "CLOSED"),
    ("xmlab0", "zh", "Lung", "X-Ray", "...", "...", "OPEN"),
    ("xmlab1", "en", "Lung", "CT", "Is there a mass?", "Yes", "CLOSED"),
    ("xmlab2", "en", "Abdomen", "X-Ray", "Is there a mass?", "Yes", "CLOSED"),
    ("xmlab0", "en", "Chest_lung", "X-Ray", "Which findings are there?", "Effusion", "OPEN"),
)


def picture(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.random.default_rng(seed).integers(0, 255, (90, 70), dtype=np.uint8)
    Image.fromarray(np.stack([grey] * 3, -1)).save(path)


@pytest.fixture
def vqa_rad(tmp_path):
    folder = tmp_path / "rad"
    records = [
        {
            "qid": number, "image_name": image, "image_organ": organ, "question": question, "answer": answer,
            "answer_type": kind, "phrase_type": phrase, "question_type": "PRES",
        }
        for number, (image, organ, question, answer, kind, phrase) in enumerate(RAD)
    ]  # fmt: skip
    for place, name in enumerate(("a.jpg", "b.jpg")):
        picture(folder / "VQA_RAD Image Folder" / name, place)
    (folder / "VQA_RAD Dataset Public.json").write_text(json.dumps(records))
    return folder


@pytest.fixture
def slake(tmp_path):
    folder = tmp_path / "slake"
    records = [
        {
            "qid": number, "img_id": number, "img_name": f"{image}/source.jpg", "q_lang": language,
            "location": location, "modality": modality, "question": question, "answer": answer,
            "answer_type": kind, "content_type": "Abnormality",
        }
        for number, (image, language, location, modality, question, answer, kind) in enumerate(SLAKE)
    ]  # fmt: skip
    picture(folder / "imgs/xmlab0/source.jpg")
    (folder / "test.json").write_text(json.dumps(records))
    return folder


@pytest.fixture
def model_folder(tmp_path):
    folder = tmp_path / "model"
    build(small_config()).save_pretrained(folder)
    return folder


def test_vqa_rad_keeps_the_chest_and_counts_the_rest(vqa_rad):
    found = read_question_set("vqa_rad", vqa_rad, "test")
    assert [question.question_id for question in found.questions] == ["0", "1", "2", "3", "4"]
    assert (found.total, dict(found.left_out)) == (6, {"not a chest picture": 1})
    assert found.questions[0].is_closed
    assert len(read_question_set("vqa_rad", vqa_rad, "train").questions) == 1
    assert len(read_question_set("vqa_rad", vqa_rad, "all").questions) == 6


def test_slake_keeps_english_chest_radiographs(slake):
    found = read_question_set("slake", slake)
    assert [question.question_id for question in found.questions] == ["0", "4"]
    assert dict(found.left_out) == {"not in English": 1, "not a radiograph": 1, "not a chest picture": 1}
    assert found.questions[0].film == slake / "imgs/xmlab0/source.jpg"


def test_every_question_is_asked_or_counted(vqa_rad):
    found = read_question_set("vqa_rad", vqa_rad)
    routed, left_out = route(found)
    assert [(one.asked.question_id, one.kind.name) for one in routed] == [
        ("0", "D02_has_finding"),
        ("1", "D03_where_is_finding"),
        ("4", "D02_has_finding"),
    ]
    assert left_out == {
        "not a chest picture": 1,
        "closed question whose answer is neither yes nor no": 1,
        "asks what no question type asks": 1,
    }
    assert len(routed) + sum(left_out.values()) == found.total


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Is there a left pleural effusion?", "D02_has_finding"),
        ("Are there any tubes or lines?", None),
        ("Is there an endotracheal tube?", "D06_has_device"),
        ("Is the left lung abnormal?", "C03_is_abnormal_region"),
        ("Is this a normal film?", "B04_is_normal"),
        ("Does this film look abnormal?", "B03_is_abnormal"),
        ("How severe is the pulmonary edema?", "D04_how_severe_is_finding"),
        ("Where is the chest tube?", "D07_where_is_device"),
        ("What abnormalities are in the left lung?", "C02_describe_abnormal_region"),
        ("What devices are there?", "B12_describe_device"),
        ("What is the age of the patient?", None),
        ("", None),
    ],
)
def test_types_of_texts(text, name):
    found = type_of_text(text)
    assert (found.name if found else None) == name


def test_missing_films_are_named_and_never_replaced(vqa_rad):
    (vqa_rad / "VQA_RAD Image Folder/b.jpg").unlink()
    with pytest.raises(DataLayoutError, match=r"1 films.*missing") as caught:
        read_question_set("vqa_rad", vqa_rad)
    assert "b.jpg" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no VQA_RAD Dataset Public.json"),
        ("{", "cannot be read"),
        ("{}", "holds no questions"),
        ("[3]", "entry 0"),
        ('[{"qid": 1, "image_name": null}]', "without text: image_name"),
    ],
)
def test_other_files_are_told(vqa_rad, content, told):
    path = vqa_rad / "VQA_RAD Dataset Public.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataLayoutError) as caught:
        read_question_set("vqa_rad", vqa_rad)
    assert told in str(caught.value)


def test_an_id_that_occurs_twice_and_unknown_names_are_told(slake):
    path = slake / "test.json"
    records = json.loads(path.read_text())
    path.write_text(json.dumps([*records, records[0]]))
    with pytest.raises(DataLayoutError, match="occur twice"):
        read_question_set("slake", slake)
    with pytest.raises(SettingsError, match="slake has test, validate, train"):
        read_question_set("slake", slake, "all")
    with pytest.raises(SettingsError, match="unknown"):
        read_question_set("pathvqa", slake)


def call(*words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


@pytest.mark.parametrize("name", ["vqa_rad", "slake"])
def test_the_verb_asks_scores_and_reports(name, request, model_folder, tmp_path, capsys):
    folder = request.getfixturevalue(name)
    words = ["transfer", "--model_path", model_folder, "--dataset", name, "--data_path", folder]
    assert call(*words, "--output_dir", tmp_path / "out") == 0
    shown = capsys.readouterr()
    assert "left out: 1 not a chest picture" in shown.err + shown.out
    report = json.loads((tmp_path / "out/transfer_report.json").read_text())
    table = read_external(tmp_path / "out/transfer_predictions.parquet")
    assert score_transfer(table) == report
    assert score_transfer(table.take(list(range(table.num_rows))[::-1])) == report
    assert report["n_questions_asked"] + sum(report["left_out"].values()) == report["n_questions_in_split"]
    assert all("over films" in entry["interval_method"] for entry in report["metrics"])
    assert "Transfer to" in (tmp_path / "out/transfer_report.html").read_text()


def test_a_damaged_film_ends_in_words(vqa_rad, model_folder, tmp_path, capsys):
    path = vqa_rad / "VQA_RAD Image Folder/b.jpg"
    path.write_bytes(path.read_bytes()[:400])
    words = ["transfer", "--model_path", model_folder, "--dataset", "vqa_rad", "--data_path", vqa_rad]
    assert call(*words, "--output_dir", tmp_path / "out") == 2
    assert f"the film {path} cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "out/transfer_report.json").exists()


def test_a_model_that_needs_a_given_graph_is_refused(vqa_rad, tmp_path, capsys):
    build(small_config(), scene_graph_source="oracle", trained_sources=("oracle",)).save_pretrained(
        tmp_path / "oracle"
    )
    words = ["transfer", "--model_path", tmp_path / "oracle", "--dataset", "vqa_rad", "--data_path", vqa_rad]
    assert call(*words) == 2
    assert "without a data set's scene graph" in capsys.readouterr().err


def table_of(truth, scores):
    rows = [
        {
            "condition": condition, "question_id": str(place), "image_name": f"{place // 3}",
            "question": "Is there edema?", "question_type": "D02_has_finding", "head": "binary",
            "answer_reference": "Yes" if positive else "no", "sentence_predicted": "",
            "answer_predicted": "yes" if score > 0.5 else "no", "probability_yes": score,
        }
        for condition in ("model", "blank_image")
        for place, (positive, score) in enumerate(zip(truth, scores, strict=True))
    ]  # fmt: skip
    metadata = {"dataset": "slake", "split": "test", "checkpoint": "x", "graph_source": "none"}
    return with_external_metadata(
        pa.Table.from_pylist(rows, EXTERNAL_SCHEMA), {**metadata, "n_total": len(truth), "left_out": {}}
    )


def test_figures_equal_scikit_learn():
    generator = np.random.default_rng(3)
    truth = generator.random(60) < 0.3
    scores = np.round(generator.random(60), 2).astype(np.float32).astype(float)
    report = score_transfer(table_of(truth.tolist(), scores.tolist()), n_resamples=50)
    found = {
        (entry["questions"], entry["name"], entry["condition"]): entry["value"] for entry in report["metrics"]
    }
    assert found["yes_no", "accuracy", "model"] == pytest.approx(
        accuracy_score(truth, scores > 0.5), abs=1e-9
    )
    assert found["yes_no", "balanced_accuracy", "model"] == pytest.approx(
        balanced_accuracy_score(truth, scores > 0.5), abs=1e-9
    )
    assert found["yes_no", "auroc", "model"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-9)
    assert found["yes_no", "accuracy", "majority"] == pytest.approx(
        max(truth.mean(), 1 - truth.mean()), abs=1e-9
    )
    assert found["open", "answer_exact_match", "model"] is None


def test_another_table_is_refused():
    with pytest.raises(ArtifactError, match="no answers to an external question set"):
        score_transfer(pa.table({"condition": ["model"]}))


def test_pictures_of_many_levels_keep_their_range(tmp_path):
    ramp = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    film = read_film(tmp_path / "deep.png", 64)
    assert film.min() == 0
    assert film.max() == 255
    assert 120 < film.mean() < 135


@pytest.mark.parametrize("name", ["../outside.jpg", "x" * 400, "a\0b"])
def test_names_that_lead_nowhere_are_refused(tmp_path, name):
    with pytest.raises(DataLayoutError, match="cannot be in the set's folder"):
        picture_of(tmp_path, name)
