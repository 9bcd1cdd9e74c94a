"""Reader of MIMIC-Ext-CXR-QBA: records, vocabularies, lenient shapes."""

import json
import zipfile

import msgspec
import pytest
from handmade_release import STUDIES, make_release, zip_bytes

from cxrkit.data.index.ratings import BAD_RATING, parse_rating
from cxrkit.data.qba.decoding import Decoder, RecordError
from cxrkit.data.qba.layout import find_qba
from cxrkit.data.qba.member_reader import MemberError
from cxrkit.data.qba.members import ZippedStudies, study_key
from cxrkit.data.qba.records import Answer, Observation, modifier_values, polarity, region_names
from cxrkit.data.qba.vocabularies import NAME_LIMIT, read_vocabularies
from cxrkit.data.rejects import RejectLog
from cxrkit.errors import DataLayoutError

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
    assert parse_rating(rating) == BAD_RATING


def test_everything_may_be_missing_or_null():
    empty = {
        "questions": [{}, {"answers": None}, {"answers": [{}]}, {"answers": [{"localization": {"a": None}}]}]
    }
    questions, broken = Decoder().questions(json.dumps(empty).encode(), KEY)
    assert (len(questions), broken) == (4, [])
    assert Decoder().questions(b'{"questions": []}', KEY) == ([], [])
    scene, problems = Decoder().scene_graph(b'{"regions": {"heart": null}, "observations": null}', KEY)
    assert scene.regions == {"heart": None}
    assert problems == []


@pytest.mark.parametrize("answer_id", [1, "7f3a", None])
def test_answer_ids_may_be_numbers_or_text(answer_id):
    data = json.dumps({"questions": [{"question_id": "a", "answers": [{"answer_id": answer_id}]}]})
    assert len(Decoder().questions(data.encode(), KEY)[0]) == 1


def test_one_broken_question_does_not_cost_the_others():
    data = json.dumps(
        {"questions": [{"question_id": "a"}, {"question_id": 3}, {"question_id": "c"}]}
    ).encode()
    questions, problems = Decoder().questions(data, KEY)
    assert [question.question_id for question in questions] == ["a", "c"]
    assert [(problem.code, problem.where) for problem in problems] == [("malformed_question", "question 1")]


@pytest.mark.parametrize("content", [{}, {"questions": None}])
def test_a_file_without_questions_is_counted(content):
    questions, problems = Decoder().questions(json.dumps(content).encode(), KEY)
    assert questions == []
    assert [(problem.code, problem.kind) for problem in problems] == [("no_questions", "member")]


@pytest.mark.parametrize(
    ("name", "value", "code", "detail"),
    [
        ("obs_entities", ["edema", None], "malformed_element", "obs_entities[1]"),
        ("obs_entities", [3, "edema"], "malformed_element", "obs_entities[0]"),
        ("regions", ["heart", {"region": 5}], "malformed_element", "regions[1]"),
        ("regions", [float("nan"), "heart"], "malformed_element", "regions[0]"),
    ],
)
def test_one_broken_name_costs_that_name_only(name, value, code, detail):
    answers = [{"text": "Yes.", name: value}]
    data = json.dumps({"questions": [{"question_id": "a", "answers": answers}, {"question_id": "b"}]})
    questions, problems = Decoder().questions(data.encode(), KEY)
    assert [question.question_id for question in questions] == ["a", "b"]
    assert problems == [(code, "element", "question 0", detail, "a")]
    kept = questions[0].answers[0]
    names = kept.obs_entities if name == "obs_entities" else region_names(kept.regions)
    assert names == (["edema"] if name == "obs_entities" else ["heart"])


def test_names_of_nested_answers_are_looked_at_too():
    answers = [{"sub_answers": [{"obs_entities": ["edema", None]}]}]
    data = json.dumps({"questions": [{"question_id": "a", "answers": answers}]})
    questions, problems = Decoder().questions(data.encode(), KEY)
    assert questions[0].answers[0].sub_answers[0].obs_entities == ["edema"]
    assert [problem.detail for problem in problems] == ["obs_entities[1]"]


@pytest.mark.parametrize("bad", [[1.0, None, 3.0, 4.0], [1, 2, "x", 4], None, [1, float("nan"), 3, 4], 7])
def test_one_broken_box_costs_that_box_only(bad):
    good = [1, 2, 30, 40]
    placed = {"film": {"bboxes": [good, bad], "localization_quality": 4}}
    data = json.dumps({"questions": [{"question_id": "a", "answers": [{"localization": placed}]}]})
    questions, problems = Decoder().questions(data.encode(), KEY)
    assert questions[0].answers[0].localization["film"].bboxes == [good]
    assert problems == [("box_malformed", "box", "question 0", "bboxes[1]", "a")]
    scene, problems = Decoder().scene_graph(
        json.dumps({"regions": {"heart": {"localization": placed}, "svc": {"localization": {}}}}).encode(),
        KEY,
    )
    assert list(scene.regions) == ["heart", "svc"]
    assert scene.regions["heart"].localization["film"].bboxes == [good]
    assert problems == [("box_malformed", "box", "region heart", "bboxes[1]", "")]


def test_huge_and_infinite_numbers_are_no_boxes():
    boxes = "[[Infinity,0,1,1],[1" + "0" * 400 + ",0,1,1],[0,0,1,1]]"
    text = '{"questions": [{"answers": [{"localization": {"f": {"bboxes": ' + boxes + "}}}]}]}"
    questions, problems = Decoder().questions(text.encode(), KEY)
    assert questions[0].answers[0].localization["f"].bboxes == [[0, 0, 1, 1]]
    assert [problem.detail for problem in problems] == ["bboxes[0]", "bboxes[1]"]


def test_not_a_number_means_missing_as_python_writes_it():
    entry = {"question_id": "a", "answers": [{"text": "Yes.", "positiveness": float("nan")}]}
    entry |= {"question_quality": {"rating": float("nan")}, "variables": float("nan")}
    questions, problems = Decoder().questions(json.dumps({"questions": [entry]}).encode(), KEY)
    assert problems == []
    assert questions[0].answers[0].positiveness is None
    assert questions[0].question_quality.rating is None


def test_broken_parts_of_a_scene_graph_cost_themselves_only():
    content = {
        "observations": {
            "O01": {"obs_entities": ["edema"]},
            "O02": 3,
            "O03": {"obs_entities": ["edema", None]},
        },
        "regions": {"heart": {"localization": 3}, "svc": None},
        "obs_relations": [7, {"parent_observation_id": "O01", "child_observation_id": "O03"}],
    }
    scene, problems = Decoder().scene_graph(json.dumps(content).encode(), KEY)
    assert list(scene.observations) == ["O01", "O03"]
    assert scene.observations["O03"].obs_entities == ["edema"]
    assert list(scene.regions) == ["svc"]
    assert len(scene.obs_relations) == 1
    assert [problem.where for problem in problems] == [
        "observation O02",
        "observation O03",
        "region heart",
        "relation 0",
    ]
    assert {problem.code for problem in problems} == {"malformed_element"}


def test_a_sound_file_is_decoded_alike_by_both_ways():
    from cxrkit.data.qba.salvage import salvage_questions, salvage_scene_graph

    release = make_release()
    questions, scene = (part[STUDIES[0]] for part in (release.questions, release.scenes))
    direct = Decoder()
    salvaged, problems = salvage_questions(questions)
    assert (salvaged.questions, problems) == direct.questions(json.dumps(questions).encode(), STUDIES[0])
    assert salvage_scene_graph(scene) == direct.scene_graph(json.dumps(scene).encode(), STUDIES[0])


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b'{"questions": [{"question_id": "a"}, {"question_id": "b"', "about 2 questions lost"),
        (b'{"study_id": "s51111111", "questions": [{}, {}, {}]}', "3 questions lost"),
    ],
)
def test_the_loss_of_a_whole_file_is_counted(data, detail):
    with pytest.raises(RecordError) as caught:
        Decoder().questions(data, KEY)
    assert caught.value.detail.endswith(detail)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"NaN", b'{"questions": 3}', b"\xff\xfe", b'{"study_id": []}']
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
    content = {**ids, "questions": []}
    assert Decoder().questions(json.dumps(content).encode(), KEY) == ([], [])


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


def test_more_names_than_the_index_can_number(tmp_path):
    names = ["left lung", *(f"region {number}" for number in range(NAME_LIMIT - 1))]
    tables, _ = vocabularies(tmp_path, {"regions": names})
    assert len(tables["regions"].number) == NAME_LIMIT
    with pytest.raises(DataLayoutError, match="too many different regions") as caught:
        tables["regions"].find("one more")
    assert caught.value.found == "32,768 in dataset_info.json"
    with pytest.raises(DataLayoutError, match="too many different regions"):
        vocabularies(tmp_path, {"regions": [*names, "one more"]})


def test_an_archive_without_questions(tmp_path):
    release = make_release()
    root = release.write_qba(tmp_path)
    (root / "qa.zip").write_bytes(zip_bytes({"qa/README.txt": b"", "qa/p10/odd.qa.json": b"{}"}))
    with pytest.raises(DataLayoutError, match="has no questions") as caught:
        find_qba(root, RejectLog())
    assert "unexpected_member 1" in caught.value.found


@pytest.mark.parametrize("zipped", [True, False])
def test_studies_come_sorted(tmp_path, zipped):
    release = make_release()
    release.questions = dict(reversed(release.questions.items()))
    files = find_qba(release.write_qba(tmp_path, zipped=zipped), RejectLog())
    assert [study_key(code) for code in files.questions.codes] == STUDIES
    content = files.questions.reader().read(files.questions.place(2))
    assert json.loads(content)["study_id"] == f"s{STUDIES[2][1]}"


def test_half_a_character_costs_itself_only():
    data = b'{"questions": [{"question_id": "a", "question": "caf\\u00e9 \\ud83d?"}]}'
    questions, problems = Decoder().salvaged_questions(data, KEY)
    assert (questions[0].question, problems) == ("café \ufffd?", [])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("comment", [0, 3000])
def test_members_are_read_as_zipfile_reads_them(tmp_path, method, comment):
    contents = {f"qa/p10/p1000000{n}/s5000000{n}.qa.json": bytes([n]) * 5000 * n for n in range(5)}
    with zipfile.ZipFile(tmp_path / "qa.zip", "w", method) as archive:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name)
            # A long extra field: header and data do not come with one read.
            info.extra = b"\xfe\xca" + comment.to_bytes(2, "little") + bytes(comment)
            archive.writestr(info, content, method)
    with (tmp_path / "led.zip").open("wb") as led:
        led.write(b"something in front" + (tmp_path / "qa.zip").read_bytes())
    for path in (tmp_path / "qa.zip", tmp_path / "led.zip"):
        studies = ZippedStudies(path, "qa", RejectLog())
        reader = studies.reader()
        assert [reader.read(studies.place(row)) for row in range(len(studies))] == list(contents.values())


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_no_flipped_byte_of_a_member_goes_unseen(tmp_path, place):
    content = json.dumps({"questions": list(range(200))}).encode()
    path = tmp_path / "qa.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p10/p10000001/s50000001.qa.json", content)
    studies = ZippedStudies(path, "qa", RejectLog())
    member = studies.place(0)
    data = bytearray(path.read_bytes())
    position = 30 + len("p10/p10000001/s50000001.qa.json") + place % member.packed
    data[position] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(MemberError):
        studies.reader().read(member)


def test_an_archive_cut_off_later_gives_errors_not_data(tmp_path):
    root = make_release().write_qba(tmp_path)
    files = find_qba(root, RejectLog())
    (root / "qa.zip").write_bytes((root / "qa.zip").read_bytes()[:100])
    with pytest.raises(MemberError):
        files.questions.reader().read(files.questions.place(3))


@pytest.mark.parametrize(("method", "wrong"), [(zipfile.ZIP_LZMA, "unusual way"), (None, "encrypted")])
def test_archives_that_cannot_be_read_in_place(tmp_path, method, wrong):
    path = tmp_path / "qa.zip"
    with zipfile.ZipFile(path, "w", method or zipfile.ZIP_STORED) as archive:
        archive.writestr("qa/p10/p10000001/s50000001.qa.json", b"{}")
    if method is None:
        data = bytearray(path.read_bytes())
        data[data.index(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(data)
    with pytest.raises(DataLayoutError, match=wrong):
        ZippedStudies(path, "qa", RejectLog())
