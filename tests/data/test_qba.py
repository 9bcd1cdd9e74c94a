"""Reader of MIMIC-Ext-CXR-QBA: records, vocabularies, lenient shapes."""

import json

import msgspec
import pytest
from handmade_release import STUDIES, make_release

from cxrkit.data.index.question_rows import QuestionError, parse_rating
from cxrkit.data.qba.decoding import Decoder, RecordError
from cxrkit.data.qba.layout import find_qba
from cxrkit.data.qba.records import Answer, Observation, modifier_values, polarity, region_names
from cxrkit.data.qba.vocabularies import read_vocabularies
from cxrkit.data.rejects import RejectLog

KEY = (10000001, 50000001)


def vocabularies(tmp_path, content):
    path = tmp_path / "dataset_info.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    rejects = RejectLog()
    return read_vocabularies(path, rejects), rejects


@pytest.mark.parametrize(
    "regions",
    [
        ["heart", {"region": "svc", "distances": []}],
        [{"region": "heart"}, "svc"],
        ["heart", "svc", {"region": None}],
    ],
)
def test_regions_in_either_shape(regions):
    decoded = msgspec.convert({"regions": regions}, Observation)
    assert region_names(decoded.regions) == ["heart", "svc"]


@pytest.mark.parametrize(
    "modifiers",
    [
        [["severity", "mild"], ["spread", "focal"]],
        {"severity": ["mild"], "spread": ["focal"], "temporal": []},
        {"severity": "mild", "texture": None},
        [["severity", "mild"], ["severity"], []],
    ],
)
def test_modifiers_in_either_shape(modifiers):
    decoded = msgspec.convert({"modifiers": modifiers}, Answer)
    assert list(modifier_values(decoded.modifiers, "severity")) == ["mild"]


@pytest.mark.parametrize(("word", "code"), [("pos", 1), ("NEG", 0), ("neutral", -1), ("", -1), (None, -1)])
def test_polarity(word, code):
    assert polarity(word) == code


@pytest.mark.parametrize(
    ("rating", "number"),
    [("6_A++", 6), ("0_", 0), ("0_U", 0), ("4_A", 4), (3, 3), ("5", 5), (None, None), ("", None)],
)
def test_ratings(rating, number):
    assert parse_rating(rating) == number


@pytest.mark.parametrize("rating", ["7_S", "A", "-1_X", "10_A", 9])
def test_unknown_ratings(rating):
    with pytest.raises(QuestionError, match="unknown_rating"):
        parse_rating(rating)


def test_everything_may_be_missing_or_null():
    empty = {
        "questions": [{}, {"answers": None}, {"answers": [{}]}, {"answers": [{"localization": {"a": None}}]}]
    }
    questions, broken = Decoder().questions(json.dumps(empty).encode(), KEY)
    assert (len(questions), broken) == (4, [])
    assert Decoder().questions(b"{}", KEY) == ([], [])
    scene = Decoder().scene_graph(b'{"regions": {"heart": null}, "observations": null}', KEY)
    assert scene.regions == {"heart": None}


@pytest.mark.parametrize("answer_id", [1, "7f3a", None])
def test_answer_ids_may_be_numbers_or_text(answer_id):
    data = json.dumps({"questions": [{"question_id": "a", "answers": [{"answer_id": answer_id}]}]})
    assert len(Decoder().questions(data.encode(), KEY)[0]) == 1


def test_one_broken_question_does_not_cost_the_others():
    data = json.dumps(
        {"questions": [{"question_id": "a"}, {"question_id": 3}, {"question_id": "c"}]}
    ).encode()
    questions, broken = Decoder().questions(data, KEY)
    assert [question.question_id for question in questions] == ["a", "c"]
    assert [position for position, _ in broken] == [1]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"questions": 3}', b"\xff\xfe", b'{"questions": [NaN]}']
)
def test_malformed_files(data):
    with pytest.raises(RecordError) as caught:
        Decoder().questions(data, KEY)
    assert caught.value.code == "malformed_json"


def test_very_deep_nesting_is_no_crash():
    data = b'{"questions": [{"answers": [' + b'{"sub_answers": [' * 100_000
    with pytest.raises(RecordError):
        Decoder().questions(data, KEY)


@pytest.mark.parametrize(
    "ids", [{"patient_id": "p19999999"}, {"study_id": "s50000009"}, {"study_id": 50000009}]
)
def test_ids_inside_must_fit_the_name(ids):
    with pytest.raises(RecordError) as caught:
        Decoder().questions(json.dumps(ids).encode(), KEY)
    assert caught.value.code == "id_mismatch"


@pytest.mark.parametrize(
    "ids", [{"patient_id": "p10000001", "study_id": "s50000001"}, {"study_id": 50000001}, {}]
)
def test_ids_with_and_without_prefix(ids):
    assert Decoder().questions(json.dumps(ids).encode(), KEY) == ([], [])


def test_vocabularies_are_recognised_by_content(tmp_path):
    content = {
        "a": {"LUNG_FIELD": ["consolidation"], "PLEURA": ["pleural effusion"]},
        "b": {"consolidation": 0, "pleural effusion": 1, "infection": 2},
        "c": [{"name": "left lung"}, {"name": "heart"}],
        "d": {"0": "DISEASE", "1": "DEVICE"},
        "modifiers": {"severity": ["mild"]},
    }
    tables, _ = vocabularies(tmp_path, content)
    assert list(tables["regions"].number) == ["left lung", "heart"]
    assert list(tables["entities"].number) == ["consolidation", "pleural effusion", "infection"]
    assert list(tables["categories"].number) == ["DISEASE", "DEVICE"]
    assert list(tables["subcategories"].number) == ["LUNG_FIELD", "PLEURA"]
    assert {table.source for table in tables.values()} == {"dataset_info.json"}


def test_new_names_are_appended_and_counted(tmp_path):
    tables, _ = vocabularies(tmp_path, {"regions": ["left lung"]})
    assert [tables["regions"].find(name) for name in ("spleen", "left lung", "spleen")] == [1, 0, 1]
    assert tables["regions"].appended == 1
    assert tables["entities"].source == "files"


def test_broken_vocabulary_file_is_a_counted_reject(tmp_path):
    tables, rejects = vocabularies(tmp_path, "{")
    assert rejects.counts() == {"malformed_json": 1}
    assert tables["regions"].number == {}


@pytest.mark.parametrize("zipped", [True, False])
def test_studies_come_sorted(tmp_path, zipped):
    release = make_release()
    release.questions = dict(reversed(release.questions.items()))
    files = find_qba(release.write_qba(tmp_path, zipped=zipped), RejectLog())
    assert files.questions.keys == STUDIES
    assert json.loads(files.questions.read(STUDIES[2]))["study_id"] == f"s{STUDIES[2][1]}"
