import csv
import gzip
import hashlib
import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cxrkit.boxes import lies_in_image
from cxrkit.data.synthetic import write_dataset
from cxrkit.data.synthetic.cohort import plan_cohort, plan_patient
from cxrkit.data.synthetic.quality import RATINGS
from cxrkit.data.synthetic.region_tree import lies_in
from cxrkit.data.synthetic.truth import DRAWABLE
from cxrkit.errors import CxrkitError
from cxrkit.vocabulary import FINDINGS, QUESTION_TYPE_NAMES, REGIONS, find_question_type, severity_class

# Keys and columns of a sample of real films in the same layout, copied from it.
LAYOUT = json.loads((Path(__file__).parent / "released_layout.json").read_text())
KEYS, MIMIC_COLUMNS, QBA_COLUMNS = LAYOUT["keys"], LAYOUT["mimic_columns"], LAYOUT["qba_columns"]
RELATIONS = ("located_at_relations", "obs_relations", "obs_sent_relations", "region_region_relations")
PATIENTS, SEED, SIZE = 20, 5, 96


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("synthetic") / "set"
    write_dataset(output, patients=PATIENTS, seed=SEED, image_size=SIZE)
    return output


def read_table(path: Path) -> list[dict[str, str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return list(csv.DictReader(io.StringIO(text)))


def read_archive(path: Path, ending: str) -> dict[int, dict]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(ending)]
        return {int(Path(name).name[1:9]): json.loads(archive.read(name)) for name in names}


@pytest.fixture(scope="module")
def questions(root: Path) -> dict[int, dict]:
    return read_archive(root / "mimic-ext-cxr-qba" / "qa.zip", ".qa.json")


@pytest.fixture(scope="module")
def graphs(root: Path) -> dict[int, dict]:
    return read_archive(root / "mimic-ext-cxr-qba" / "scene_data.zip", ".scene_graph.json")


@pytest.fixture(scope="module")
def truth(root: Path) -> dict[int, dict]:
    lines = (root / "truth" / "studies.jsonl").read_text().splitlines()
    return {line["study_id"]: line for line in map(json.loads, lines)}


def every_answer(answers: list[dict]) -> list[dict]:
    return [one for answer in answers for one in (answer, *every_answer(answer["sub_answers"]))]


def file_digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_film_files_agree_with_lists_and_metadata(root: Path) -> None:
    mimic = root / "mimic-cxr-jpg"
    rows = read_table(mimic / "mimic-cxr-2.0.0-metadata.csv.gz")
    listed = (mimic / "IMAGE_FILENAMES").read_text().splitlines()
    sums = dict(reversed(line.split(" ")) for line in (mimic / "SHA256SUMS.txt").read_text().splitlines())
    expected = {
        f"files/p{row['subject_id'][:2]}/p{row['subject_id']}/s{row['study_id']}/{row['dicom_id']}.jpg"
        for row in rows
    }
    on_disk = {path.relative_to(mimic).as_posix() for path in mimic.rglob("*.jpg")}
    assert set(listed) == expected == on_disk == set(sums)
    for row, path in zip(rows, listed, strict=True):
        assert row["dicom_id"] in path
        assert hashlib.sha256((mimic / path).read_bytes()).hexdigest() == sums[path]
        with Image.open(mimic / path) as image:
            assert image.mode == "L"
            assert image.size == (int(row["Columns"]), int(row["Rows"]))
            assert min(image.size) == SIZE
            assert max(image.size) <= 1.2 * SIZE + 1


@pytest.mark.parametrize("name", MIMIC_COLUMNS)
def test_mimic_columns(root: Path, name: str) -> None:
    data = (root / "mimic-cxr-jpg" / name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
    assert text.splitlines()[0].split(",") == MIMIC_COLUMNS[name]
    assert len(text.splitlines()) > 1


@pytest.mark.parametrize("name", QBA_COLUMNS)
def test_qba_tables_in_both_forms(root: Path, name: str) -> None:
    folder = root / "mimic-ext-cxr-qba" / "metadata"
    text = gzip.decompress((folder / f"{name}.csv.gz").read_bytes()).decode()
    assert text.splitlines()[0].split(",") == QBA_COLUMNS[name]
    table = pq.read_table(folder / f"{name}.parquet")
    rows = read_table(folder / f"{name}.csv.gz")
    assert table.num_rows == len(rows) > 0
    ids = [column for column in QBA_COLUMNS[name] if column.endswith("_id")]
    assert table.column_names[-len(ids) :] == ids
    assert json.loads(table.schema.metadata[b"pandas"])["index_columns"] == ids
    assert [{key: str(row[key]) for key in ids} for row in table.select(ids).to_pylist()] == [
        {key: row[key] for key in ids} for row in rows
    ]


def test_json_has_the_keys_of_the_real_layout(questions: dict, graphs: dict, root: Path) -> None:
    for record in questions.values():
        assert list(record) == ["patient_id", "study_id", "questions"]
        for question in record["questions"]:
            assert list(question) == KEYS["question"]
            for answer in every_answer(question["answers"]):
                assert list(answer) == KEYS["answer"]
                assert all(isinstance(name, str) for name in answer["regions"])
                assert all(len(pair) == 2 for pair in answer["modifiers"])
                assert all(list(place) == KEYS["location"] for place in answer["localization"].values())
    for graph in graphs.values():
        assert list(graph) == KEYS["graph"]
        for observation in graph["observations"].values():
            assert list(observation) == KEYS["observation"]
            assert list(observation["modifiers"]) == ["temporal", "severity", "texture", "spread"]
            assert all(set(item) == {"region", "distances"} for item in observation["regions"])
        for name in RELATIONS:
            assert all(list(relation) == KEYS[name] for relation in graph[name])
        if graph["indication"] is not None:
            assert list(graph["indication"]) == KEYS["indication"]
            assert graph["indication"]["answer_for_indication"]["obs_id"] == "OIND"
    studies = read_archive(root / "mimic-ext-cxr-qba" / "scene_data.zip", ".metadata.json")
    assert all(list(study) == KEYS["study"] for study in studies.values())
    info = json.loads((root / "mimic-ext-cxr-qba" / "metadata" / "dataset_info.json").read_text())
    assert list(info) == KEYS["dataset_info"]


def test_members_lie_in_the_documented_folders(root: Path) -> None:
    for name, folder in (("qa.zip", "qa"), ("scene_data.zip", "scene_data")):
        with zipfile.ZipFile(root / "mimic-ext-cxr-qba" / name) as archive:
            for member in archive.infolist():
                top, group, patient, file = member.filename.split("/")
                assert (top, group) == (folder, patient[:3])
                assert patient.startswith("p1")
                assert file.startswith("s5")
                assert member.date_time == (1980, 1, 1, 0, 0, 0)


def test_names_used_are_in_the_vocabularies(root: Path, questions: dict, graphs: dict) -> None:
    info = json.loads((root / "mimic-ext-cxr-qba" / "metadata" / "dataset_info.json").read_text())
    for record in questions.values():
        for question in record["questions"]:
            for answer in every_answer(question["answers"]):
                assert set(answer["regions"]) <= set(info["regions"])
                assert set(answer["obs_entities"]) <= set(info["finding_entities"])
                assert set(answer["obs_categories"]) <= set(info["finding_categories"])
                assert set(answer["obs_subcategories"]) <= set(info["finding_subcategories"])
                assert all(value in info["modifiers"][kind] for kind, value in answer["modifiers"])
    for graph in graphs.values():
        assert set(graph["regions"]) <= set(info["regions"])
        assert {relation["relation_type"] for relation in graph["region_region_relations"]} == set(
            info["region_relation_types"]
        )


def test_all_question_types_and_mostly_negatives(questions: dict) -> None:
    asked = [question for record in questions.values() for question in record["questions"]]
    assert {question["question_type"] for question in asked} == set(QUESTION_TYPE_NAMES)
    assert 60 <= len(asked) / len(questions) <= 125
    positive = [
        any(
            answer["positiveness"] == "pos"
            for answer in question["answers"]
            if answer["answer_type"] == "main_answer"
        )
        for question in asked
    ]
    assert 0.1 < np.mean(positive) < 0.3
    kinds = Counter(
        answer["answer_type"] for question in asked for answer in every_answer(question["answers"])
    )
    assert set(kinds) == {"main_answer", "details", "related_information"}
    texts = Counter(question["question"] for question in asked)
    assert len(asked) / len(texts) > 5
    ratings = Counter(question["question_quality"]["rating"] for question in asked)
    assert set(ratings) == set(RATINGS)
    assert 0.5 < ratings["3_B"] / len(asked) < 0.67
    assert 0.14 < ratings["0_"] / len(asked) < 0.25


def test_question_ids_are_unique_and_carry_the_type(questions: dict) -> None:
    for record in questions.values():
        names = [question["question_id"] for question in record["questions"]]
        assert len(set(names)) == len(names)
        for question in record["questions"]:
            assert question["question_id"].rpartition("_")[0] == question["question_type"]
            numbers = [answer["answer_id"] for answer in every_answer(question["answers"])]
            assert numbers == list(range(1, len(numbers) + 1))


def test_yes_and_no_agree_with_positiveness(questions: dict) -> None:
    words = Counter()
    for record in questions.values():
        for question in record["questions"]:
            kind = find_question_type(question["question_type"])
            assert kind is not None
            assert question["question_strategy"] == kind.strategy
            lead = question["answers"][0]
            assert lead["answer_type"] == "main_answer"
            if kind.head == "binary":
                word = lead["text"].replace(",", " ").split()[0]
                words[word] += 1
                assert word in ("Yes", "No")
                assert (word == "Yes") == ((lead["positiveness"] == "pos") != kind.yes_means_normal)
    assert set(words) == {"Yes", "No"}


def test_answers_are_true_of_what_was_drawn(questions: dict, truth: dict) -> None:
    for study_id, record in questions.items():
        drawn = {finding["placed"]["entity"]: finding["placed"] for finding in truth[study_id]["findings"]}
        lesions = {entity for entity in drawn if not DRAWABLE[entity].is_device}
        for question in record["questions"]:
            kind, lead = question["question_type"], question["answers"][0]
            positive = lead["positiveness"] == "pos"
            asked = question["variables"].get("finding") or question["variables"].get("device")
            if kind in ("B03_is_abnormal", "B04_is_normal", "B02_describe_abnormal"):
                assert positive == bool(lesions)
            elif kind == "B13_has_devices" and not question["variables"]:
                assert positive == bool(drawn.keys() - lesions)
            elif asked is not None:
                assert positive == (asked in drawn)
            elif kind == "C03_is_abnormal_region":
                region = question["variables"]["region"]
                hit = [lies_in(region, tuple(drawn[entity]["regions"])) for entity in lesions]
                assert positive == (True in hit)
            if kind in ("D03_where_is_finding", "D07_where_is_device") and positive:
                named = {name for region in lead["regions"] for name in REGIONS if lies_in(region, (name,))}
                assert set(drawn[asked]["regions"]) <= named
            if kind == "D04_how_severe_is_finding" and positive:
                words = [value for key, value in lead["modifiers"] if key == "severity"]
                assert [severity_class(word) for word in words] in ([], [drawn[asked]["severity"]])


def test_boxes_are_those_of_the_drawn_regions(root: Path, questions: dict, graphs: dict, truth: dict) -> None:
    rows = read_table(root / "mimic-cxr-jpg" / "mimic-cxr-2.0.0-metadata.csv.gz")
    sizes = {row["dicom_id"]: (int(row["Columns"]), int(row["Rows"])) for row in rows}
    qualities = Counter()
    for study_id, record in questions.items():
        for question in record["questions"]:
            for answer in every_answer(question["answers"]):
                assert set(answer["localization"]) == {film["dicom_id"] for film in truth[study_id]["films"]}
                for image_id, place in answer["localization"].items():
                    qualities[place["localization_quality"]] += 1
                    boxes = np.array(place["bboxes"]).reshape(-1, 4)
                    width, height = sizes[image_id]
                    assert lies_in_image(boxes, width, height, tolerance_px=0.0).all()
                    assert place["is_fallback"] == (place["localization_quality"] == 1)
                    assert bool(place["bboxes"]) == (place["localization_quality"] > 0)
    assert set(qualities) == {0, 1, 2, 3, 4}
    for study_id, graph in graphs.items():
        for film in truth[study_id]["films"]:
            if film["projection"] == "LATERAL":
                continue
            for name, box in film["region_boxes"].items():
                place = graph["regions"][name]["localization"][film["dicom_id"]]
                assert np.allclose(place["bboxes"], [box], atol=0.051)


def test_graphs_hang_together(graphs: dict) -> None:
    children = 0
    for graph in graphs.values():
        observations = graph["observations"]
        assert [key for key in observations if "." not in key] == graph["top_level_obs_ids"]
        for relation in graph["obs_relations"]:
            children += 1
            child = observations[relation["child_observation_id"]]
            assert child["child_type"] == relation["child_type"] == "associated_with"
            assert child["obs_id"].startswith(relation["parent_observation_id"] + ".")
        for relation in graph["located_at_relations"]:
            assert relation["region"] in graph["regions"]
            assert relation["observation_id"] in observations
        for relation in graph["obs_sent_relations"]:
            assert relation["sentence_id"] in graph["sentences"]
    assert children > 0


def test_labels_follow_the_drawing(root: Path, truth: dict) -> None:
    rows = read_table(root / "mimic-cxr-jpg" / "mimic-cxr-2.0.0-chexpert.csv.gz")
    assert len(truth) * 0.9 <= len(rows) <= len(truth)
    seen = Counter()
    for row in rows:
        findings = truth[int(row["study_id"])]["findings"]
        drawn = {DRAWABLE[finding["placed"]["entity"]].finding for finding in findings}
        for name in FINDINGS:
            seen[row[name]] += 1
            if name == "No Finding":
                assert row[name] in ("", "1.0")
                assert row[name] == "" or drawn <= {"Support Devices"}
            elif name == "Lung Opacity" and drawn & {"Pneumonia", "Consolidation"}:
                continue
            else:
                assert (row[name] in ("1.0", "-1.0")) == (name in drawn)
    assert set(seen) == {"", "1.0", "0.0", "-1.0"}
    assert seen[""] > 0.5 * sum(seen.values())


def test_radiologist_file_holds_the_truth_of_some_test_studies(root: Path, truth: dict) -> None:
    rows = read_table(root / "mimic-cxr-jpg" / "mimic-cxr-2.1.0-test-set-labeled.csv")
    test_studies = {study_id for study_id, line in truth.items() if line["split"] == "test"}
    assert 0 < len(rows) < len(test_studies)
    for row in rows:
        findings = truth[int(row["study_id"])]["findings"]
        drawn = {DRAWABLE[finding["placed"]["entity"]].finding for finding in findings}
        assert int(row["study_id"]) in test_studies
        assert (row["Pleural Effusion"] == "1.0") == ("Pleural Effusion" in drawn)
        assert (row["No Finding"] == "1.0") == (drawn <= {"Support Devices"})


def test_splits_are_by_patient_and_all_there(root: Path) -> None:
    rows = read_table(root / "mimic-cxr-jpg" / "mimic-cxr-2.0.0-split.csv.gz")
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["subject_id"], set()).add(row["split"])
    assert all(len(names) == 1 for names in splits.values())
    counts = Counter(next(iter(names)) for names in splits.values())
    assert counts == {"train": 14, "validate": 2, "test": 4}


def test_cohort_resembles_the_real_one() -> None:
    tasks = plan_cohort(700, seed=11, image_size=512)
    assert {str(task.subject_id)[:2] for task in tasks} == {str(group) for group in range(10, 20)}
    patients = [plan_patient(task, task.generators(1)[0]) for task in tasks]
    studies = [(patient.split, study) for patient in patients for study in patient.studies]
    assert len({study.study_id for _, study in studies}) == len(studies)
    assert 2.1 < len(studies) / len(patients) < 2.7
    assert max(len(patient.studies) for patient in patients) == 8
    labels: dict[str, Counter] = {"train": Counter(), "validate": Counter(), "test": Counter()}
    entities: list[set[str]] = []
    for split, study in studies:
        drawn = {finding.placed.entity for finding in study.findings}
        entities.append(drawn)
        labels[split].update({DRAWABLE[entity].finding for entity in drawn})
        labels[split]["abnormal"] += any(not DRAWABLE[entity].is_device for entity in drawn)
        labels[split]["studies"] += 1
    share = {split: count["abnormal"] / count["studies"] for split, count in labels.items()}
    assert abs(share["train"] - 0.76) < 0.05
    assert abs(share["test"] - 0.89) < 0.05
    test = labels["test"]
    assert sum(test[name] / test["studies"] >= 0.09 for name in FINDINGS) >= 9
    with_effusion = [drawn for drawn in entities if "pleural effusion" in drawn]
    for other in ("atelectasis", "pulmonary edema", "cardiomegaly"):
        assert np.mean([other in drawn for drawn in with_effusion]) > 1.3 * np.mean(
            [other in drawn for drawn in entities]
        )
    intubated = [drawn for drawn in entities if "endotracheal tube" in drawn]
    assert np.mean(["nasogastric tube" in drawn for drawn in intubated]) > 0.4
    lateral = [any(not film.is_frontal for film in study.films) for _, study in studies]
    assert 0.25 < np.mean(lateral) < 0.42
    assert all(any(film.is_frontal for film in study.films) for _, study in studies)
    assert any(film.is_frontal and not film.view_position for _, study in studies for film in study.films)


def test_same_seed_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    for name, seed, workers in (("one", 3, 1), ("two", 3, 2), ("other", 4, 1)):
        write_dataset(tmp_path / name, patients=4, seed=seed, image_size=64, workers=workers)
    one, two, other = (file_digests(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert not {path for path in one if path.endswith(".jpg")} & set(other)


def test_summary_counts_and_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    summary = write_dataset(
        tmp_path / "set",
        patients=3,
        seed=0,
        image_size=64,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]
    films = len(list((tmp_path / "set").rglob("*.jpg")))
    assert (
        summary.counts["films"] == films == summary.counts["frontal_films"] + summary.counts["lateral_films"]
    )
    assert summary.counts["patients"] == 3
    marker = json.loads((tmp_path / "set" / "synthetic.json").read_text())
    assert marker["counts"] == dict(summary.counts)


def test_refuses_a_folder_that_holds_other_files(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CxrkitError, match="not empty"):
        write_dataset(tmp_path, patients=1, seed=0, image_size=64)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_interrupted_run_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "set", patients=3, seed=0, image_size=64, progress=interrupt)
    assert (tmp_path / "set" / "UNFINISHED").exists()
    assert not (tmp_path / "set" / "synthetic.json").exists()
    assert not list((tmp_path / "set" / "mimic-cxr-jpg").glob("*.csv.gz"))
    with pytest.raises(CxrkitError, match="interrupted"):
        write_dataset(tmp_path / "set", patients=3, seed=0, image_size=64)


@pytest.mark.parametrize(
    ("argument", "value"), [("patients", 0), ("seed", -1), ("image_size", 8), ("workers", 0)]
)
def test_out_of_range_arguments_are_refused(tmp_path: Path, argument: str, value: int) -> None:
    arguments = {"patients": 1, "seed": 0, "image_size": 64, "workers": 1} | {argument: value}
    with pytest.raises(CxrkitError, match=f"{argument} is out of range"):
        write_dataset(tmp_path / "set", **arguments)
    assert not (tmp_path / "set").exists()
