"""The workspace: same content whatever the container, nothing half-finished, nothing foreign overwritten."""

import json
import os
import shutil
import time

import numpy as np
import pytest
from handmade_release import (
    HEIGHT,
    STUDIES,
    WIDTH,
    answer,
    dicom_id,
    film_bytes,
    localization,
    make_release,
    place,
    question,
    zip_bytes,
)

from cxrkit.data.films.stored import ImageStore
from cxrkit.data.index import Index
from cxrkit.data.prepare import ensure_workspace, prepare_workspace
from cxrkit.data.rejects import read_rejects
from cxrkit.errors import ArtifactError, CxrkitError, DataLayoutError, SettingsError
from cxrkit.vocabulary import ANSWER_HEADS, FINDING_INDEX, QUESTION_TYPE_NAMES, REGION_INDEX

SIZE = 32


def prepare(release, folder, *, mimic=None, qba=None, mimic_options=None, qba_options=None, **more):
    mimic_root = release.write_mimic(folder / "mimic", **(mimic_options or {}))
    qba_root = release.write_qba(folder / "qba", **(qba_options or {}))
    return prepare_workspace(
        mimic_root / mimic if mimic else mimic_root,
        qba_root / qba if qba else qba_root,
        folder / "workspace",
        SIZE,
        **more,
    )


def index_bytes(folder):
    root = folder / "workspace" / "index"
    return {path.name: path.read_bytes() for path in root.iterdir() if path.name != "fingerprint.json"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    return folder, prepare(make_release(), folder)


@pytest.fixture
def index(plain):
    return Index.open(plain[0] / "workspace")


def codes(folder):
    return [row.code for row in read_rejects(folder / "workspace" / "index" / "rejects.csv")]


def texts(index, table, column):
    rows = index.column(table, column)
    return [index.texts.column("text")[int(row)].as_py() for row in rows]


def test_counts(plain):
    _, summary = plain
    assert summary.counts["patients"] == {"train": 1, "validate": 1, "test": 1, "total": 3}
    assert summary.counts["studies"] == {"train": 2, "validate": 1, "test": 1, "total": 4}
    assert summary.counts["images"] == {"train": 4, "validate": 1, "test": 1, "total": 6}
    assert summary.counts["questions"]["total"] == 28
    assert summary.counts["questions_by_type"]["B12_describe_device"]["total"] == 4
    assert summary.counts["views"] == {"frontal": 4, "lateral": 1, "unknown": 1}
    assert summary.counts["ratings"]["5_A+"] == 28
    assert summary.counts["unmapped_entities"] == {"hernia": 4}
    assert summary.counts["rejects"] == {}
    assert not summary.unchanged


def test_films_and_studies(index):
    assert index.column("studies", "study_id").tolist() == [study for _, study in STUDIES]
    assert index.column("studies", "split").tolist() == [0, 0, 1, 2]
    assert index.column("studies", "num_images").tolist() == [1, 3, 1, 1]
    assert index.column("studies", "first_image").tolist() == [0, 1, 4, 5]
    assert index.column("images", "study_row").tolist() == [0, 1, 1, 1, 2, 3]
    assert index.column("images", "view").tolist() == [0, 0, 1, 3, 0, 0]
    assert index.images.column("view_position").to_pylist() == ["PA", "AP", "LATERAL", "", "AP", "PA"]
    assert index.images.column("path")[0].as_py() == f"files/{place(STUDIES[0])}/{dicom_id(1)}.jpg"
    assert all(index.image_path(row).is_file() for row in range(6))


def test_labels(index):
    chexpert = index.column("studies", "chexpert")
    assert chexpert.shape == (4, 14)
    assert chexpert.dtype == np.float32
    assert (chexpert[:, FINDING_INDEX["Pleural Effusion"]] == 1).all()
    assert (chexpert[:, FINDING_INDEX["Edema"]] == -1).all()
    assert (chexpert[:, FINDING_INDEX["Pneumonia"]] == 0).all()
    assert np.isnan(chexpert[:, FINDING_INDEX["Fracture"]]).all()
    radiologist = index.column("studies", "radiologist")
    assert np.isnan(radiologist[:3]).all()
    assert radiologist[3, FINDING_INDEX["Lung Opacity"]] == 1


def test_questions_and_boxes(index):
    span = slice(0, int(index.column("studies", "num_questions")[0]))
    kinds = [QUESTION_TYPE_NAMES[code] for code in index.column("questions", "question_type")[span]]
    assert kinds == [entry["question_type"] for entry in make_release().questions[STUDIES[0]]["questions"]]
    row = kinds.index("D02_has_finding")
    assert texts(index, "questions", "question_text")[row] == "Is there an effusion?"
    assert texts(index, "questions", "question_id_text")[row] == "D02_has_finding_001"
    assert index.column("questions", "binary_target")[row] == 1
    assert index.column("questions", "head")[row] == ANSWER_HEADS.index("binary")
    assert index.column("questions", "head")[kinds.index("A_indication")] == -1
    assert index.column("questions", "node_target")[row] == 1 << REGION_INDEX["left lung"]
    assert index.column("questions", "num_boxes")[row] == 1
    box = int(index.column("questions", "first_box")[row])
    assert index.column("answer_boxes", "question_row")[box] == row
    assert [index.column("answer_boxes", name)[box] for name in ("x1", "y1", "x2", "y2")] == [10, 10, 50, 60]
    assert index.column("questions", "severity_target")[kinds.index("D04_how_severe_is_finding")] == 1
    describe = kinds.index("B01_describe_all")
    assert texts(index, "questions", "answer_text")[describe] == "Effusion. Heart fine."
    assert index.column("questions", "category_target")[describe] == 1 << FINDING_INDEX["Pleural Effusion"]


def test_equal_texts_are_stored_once(index):
    stored = index.texts.column("text").to_pylist()
    assert len(stored) == len(set(stored))


def test_scene_graph(index):
    assert index.column("region_boxes", "node").tolist() == [REGION_INDEX["left lung"], -1] * 4
    assert index.vocabularies.regions == ("left lung", "right lung", "lungs")
    assert index.vocabularies.entities == ("consolidation", "pleural effusion", "hernia")
    assert index.vocabularies.categories == ("ANATOMICAL_FINDING", "DISEASE")
    assert index.vocabularies.subcategories == ("PLEURA",)
    assert index.column("observations", "parent").tolist() == [-1, 0] * 4
    assert index.column("observations", "positiveness").tolist() == [1, 0] * 4
    assert index.column("observations", "severity").tolist() == [1, -1] * 4
    assert index.observations.column("entities").to_pylist()[:2] == [[1], [2]]
    assert index.column("studies", "has_scene_graph").all()


def test_columns_are_read_only_and_memory_mapped(index):
    column = index.column("questions", "question_type")
    assert column is index.column("questions", "question_type")
    assert not column.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 3


def test_image_store_rows_are_index_rows(plain, index):
    store = ImageStore.open(plain[0] / "workspace")
    assert (store.size, store.count) == (SIZE, index.images.num_rows)
    # The films differ in a constant only.
    means = [store.read(row)[12:20, 4:28].mean() for row in range(store.count)]
    numbers = [int(dicom[:8], 16) for dicom in index.images.column("dicom_id").to_pylist()]
    assert np.allclose(np.diff(means), np.diff(numbers), atol=0.6)
    with pytest.raises(IndexError):
        store.read(store.count)


def nested_region_names(release):
    for record in release.questions.values():
        for entry in record["questions"]:
            for given in entry["answers"]:
                given["regions"] = [{"region": name, "distances": []} for name in given.get("regions", [])]
    for record in release.scenes.values():
        for seen in record["observations"].values():
            seen["regions"] = [region["region"] for region in seen["regions"]]


def modifiers_by_type(release):
    for record in release.questions.values():
        for entry in record["questions"]:
            for given in entry["answers"]:
                given["modifiers"] = {kind: [value] for kind, value in given.get("modifiers", [])}
    for record in release.scenes.values():
        for seen in record["observations"].values():
            modifiers = seen.get("modifiers", {})
            seen["modifiers"] = [[kind, value] for kind, values in modifiers.items() for value in values]


def bare_question_types(release):
    for record in release.questions.values():
        for entry in record["questions"]:
            entry["question_type"] = entry["question_type"].split("_", 1)[1]


def columns_in_another_order(release):
    for part in ("metadata", "split", "chexpert", "negbio", "test_labels"):
        setattr(release, part, [dict(reversed(row.items())) for row in getattr(release, part)])


def rows_in_another_order(release):
    for part in ("metadata", "split", "chexpert", "negbio"):
        getattr(release, part).reverse()


def lung_opacity_by_its_own_name(release):
    for row in release.test_labels:
        row["Lung Opacity"] = row.pop("Airspace Opacity")


def blank_views_as_nan(release):
    for row in release.metadata:
        row["ViewPosition"] = row["ViewPosition"] or "nan"


def unknown_keys(release):
    release.metadata = [row | {"AcquisitionDeviceProcessingDescription": "x"} for row in release.metadata]
    for record in release.questions.values():
        record["unheard_of"] = [1]
        record["questions"][0]["answers"][0]["unheard_of"] = {"a": None}


def other_names_in_dataset_info(release):
    info = release.info
    release.info = {
        "vocabulary": {
            "regions": {name: number for number, name in enumerate(info["region_names"])},
            "entities": [{"name": name} for name in info["finding_entities"]],
            "by_category": {"DISEASE": ["consolidation"]},
        },
        "categories": info["obs_categories"],
    }


def nulls(release):
    for record in release.questions.values():
        for entry in record["questions"]:
            entry["variables"] = None
            for given in entry["answers"]:
                given.setdefault("localization", None)
                given["sub_answers"] = None


RESHAPES = [
    nested_region_names,
    modifiers_by_type,
    bare_question_types,
    columns_in_another_order,
    rows_in_another_order,
    lung_opacity_by_its_own_name,
    blank_views_as_nan,
    unknown_keys,
    other_names_in_dataset_info,
    nulls,
]
CONTAINERS = {
    "plain_csv": {"mimic_options": {"gzipped": False}},
    "files_folder_given": {"mimic": "files"},
    "without_files_folder": {"mimic_options": {"files_folder": "."}},
    "no_prefix_in_zips": {"qba_options": {"qa_prefix": "", "scene_prefix": ""}},
    "scene_graph_zip": {"qba_options": {"scene_archive": "scene_graph.zip"}},
    "extracted": {"qba_options": {"zipped": False}},
    "extracted_scene_graphs": {"qba_options": {"zipped": False, "scene_prefix": "scene_graphs/scene_data/"}},
    "extracted_bare": {"qba_options": {"zipped": False, "qa_prefix": "", "scene_prefix": ""}},
    "one_worker": {"workers": 1},
    "three_workers": {"workers": 3},
}


@pytest.mark.parametrize("reshape", RESHAPES, ids=lambda reshape: reshape.__name__)
def test_reshaped_inputs_give_the_same_index(plain, tmp_path, reshape):
    release = make_release()
    reshape(release)
    summary = prepare(release, tmp_path)
    assert index_bytes(tmp_path) == index_bytes(plain[0])
    assert summary.fingerprint == plain[1].fingerprint


@pytest.mark.parametrize("container", CONTAINERS)
def test_other_containers_give_the_same_index(plain, tmp_path, container):
    summary = prepare(make_release(), tmp_path, **CONTAINERS[container])
    assert index_bytes(tmp_path) == index_bytes(plain[0])
    assert summary.fingerprint == plain[1].fingerprint
    store, first = (ImageStore.open(folder / "workspace") for folder in (tmp_path, plain[0]))
    assert all(np.array_equal(store.read(row), first.read(row)) for row in range(first.count))
    assert Index.open(tmp_path / "workspace").image_path(0).is_file()


def test_export_folder(plain, tmp_path):
    release = make_release()
    release.write_mimic(tmp_path / "mimic")
    release.write_qba(tmp_path / "qba" / "exports" / "A_frontal", scene_archive="scene_graph.zip")
    # The vocabularies lie in the release root only.
    shutil.move(tmp_path / "qba" / "exports" / "A_frontal" / "metadata", tmp_path / "qba" / "metadata")
    export = tmp_path / "qba" / "exports" / "A_frontal"
    assert (
        prepare_workspace(tmp_path / "mimic", export, tmp_path / "workspace", SIZE).fingerprint
        == plain[1].fingerprint
    )


def test_archive_is_read_when_a_folder_exists_besides(plain, tmp_path):
    shortened = make_release()
    shortened.questions = {STUDIES[0]: shortened.questions[STUDIES[0]]}
    shortened.write_qba(tmp_path / "qba", zipped=False)
    assert prepare(make_release(), tmp_path).fingerprint == plain[1].fingerprint


def test_another_content_gives_another_fingerprint(plain, tmp_path):
    release = make_release()
    release.questions[STUDIES[0]]["questions"][3]["answers"][0]["text"] = "No, there is none."
    assert prepare(release, tmp_path).fingerprint != plain[1].fingerprint


def test_without_dataset_info_the_names_are_learned(tmp_path):
    release = make_release()
    release.info = None
    prepare(release, tmp_path)
    index = Index.open(tmp_path / "workspace")
    assert set(index.vocabularies.regions) == {"left lung", "lungs"}
    vocabularies = json.loads((tmp_path / "workspace" / "index" / "vocabularies.json").read_text())
    assert vocabularies["sources"]["regions"] == "files"
    assert vocabularies["appended"]["regions"] == 2


def test_without_qba(tmp_path):
    mimic = make_release().write_mimic(tmp_path / "mimic")
    summary = prepare_workspace(mimic, None, tmp_path / "workspace", SIZE)
    index = Index.open(tmp_path / "workspace")
    assert summary.counts["questions"]["total"] == 0
    assert index.mimic_ext_cxr_qba_path is None
    assert index.column("questions", "head").shape == (0,)
    assert not index.column("studies", "has_questions").any()


def test_without_scene_graphs(tmp_path):
    release = make_release()
    release.scenes = {}
    prepare(release, tmp_path)
    index = Index.open(tmp_path / "workspace")
    assert not index.column("studies", "has_scene_graph").any()
    assert index.column("studies", "has_questions").all()


def test_second_run_does_nothing_until_an_input_changes(tmp_path):
    prepare(make_release(), tmp_path)
    marker = tmp_path / "workspace" / "index" / "fingerprint.json"
    before = marker.stat().st_mtime_ns
    arguments = (tmp_path / "mimic", tmp_path / "qba", tmp_path / "workspace")
    assert prepare_workspace(*arguments, SIZE).unchanged
    assert marker.stat().st_mtime_ns == before
    assert not prepare_workspace(*arguments, SIZE + 1).unchanged
    assert not prepare_workspace(*arguments, SIZE, force=True).unchanged
    later = time.time_ns() + 10**9
    os.utime(tmp_path / "qba" / "qa.zip", ns=(later, later))
    assert not prepare_workspace(*arguments, SIZE).unchanged
    (tmp_path / "workspace" / "index" / "texts.arrow").write_bytes(b"")
    assert not prepare_workspace(*arguments, SIZE).unchanged
    assert Index.open(tmp_path / "workspace").texts.num_rows > 0


def test_a_mended_film_is_noticed(tmp_path):
    release = make_release()
    name = f"{place(STUDIES[0])}/{dicom_id(1)}.jpg"
    data = release.films.pop(name)
    assert prepare(release, tmp_path).counts["rejects"] == {"missing_image": 1, "study_without_image": 1}
    (tmp_path / "mimic" / "files" / name).parent.mkdir(parents=True)
    (tmp_path / "mimic" / "files" / name).write_bytes(data)
    summary = prepare_workspace(tmp_path / "mimic", tmp_path / "qba", tmp_path / "workspace", SIZE)
    assert summary.counts["rejects"] == {}


@pytest.mark.parametrize("name", ["notes.txt", "index/notes.txt", "images/film.jpg"])
def test_foreign_files_are_never_overwritten(tmp_path, name):
    path = tmp_path / "workspace" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(ArtifactError, match=path.name):
        prepare(make_release(), tmp_path)
    assert path.read_text() == "mine"


def test_workspace_inside_the_raw_data_is_refused(tmp_path):
    mimic = make_release().write_mimic(tmp_path / "mimic")
    for workspace in (mimic, mimic / "new", mimic / "files" / "p10" / "new"):
        for given in (mimic, mimic / "files"):
            with pytest.raises(ArtifactError, match="inside a data set") as caught:
                prepare_workspace(given, None, workspace, SIZE)
            assert "--workspace" in caught.value.next_step
    assert not (mimic / "new").exists()


def test_workspace_inside_the_questions_is_refused(tmp_path):
    release = make_release()
    mimic, qba = release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba")
    with pytest.raises(ArtifactError, match="inside a data set"):
        prepare_workspace(mimic, qba, qba / "workspace", SIZE)
    # A folder that only begins alike is another one.
    assert prepare_workspace(mimic, qba, tmp_path / "qba-workspace", SIZE).counts["images"]["total"] == 6


def test_half_written_workspace_is_not_opened_but_made_anew(tmp_path):
    prepare(make_release(), tmp_path)
    workspace = tmp_path / "workspace"
    (workspace / "index" / "fingerprint.json").unlink()
    with pytest.raises(ArtifactError, match="not finished"):
        Index.open(workspace)
    with pytest.raises(ArtifactError, match="not finished"):
        ImageStore.open(workspace)
    with pytest.raises(ArtifactError, match="not finished"):
        ensure_workspace(tmp_path / "mimic", tmp_path / "qba", workspace)
    assert not prepare_workspace(tmp_path / "mimic", tmp_path / "qba", workspace, SIZE).unchanged
    assert Index.open(workspace).images.num_rows == 6


def test_an_interrupted_run_leaves_no_workspace(tmp_path):
    def stop(stage, done, total):
        if stage == "index":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(make_release(), tmp_path, progress=stop)
    with pytest.raises(ArtifactError, match="no prepared workspace"):
        Index.open(tmp_path / "workspace")
    assert {path.name for path in (tmp_path / "workspace").iterdir()} == {".prepare.lock", ".preparing"}
    # The next run goes on with what is there and leaves nothing of it behind.
    prepare_workspace(tmp_path / "mimic", tmp_path / "qba", tmp_path / "workspace", SIZE)
    names = {path.name for path in (tmp_path / "workspace").iterdir()}
    assert names == {".prepare.lock", "images", "index"}


def test_an_interrupted_run_keeps_the_old_workspace(tmp_path):
    first = prepare(make_release(), tmp_path)

    def stop(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_workspace(
            tmp_path / "mimic", tmp_path / "qba", tmp_path / "workspace", SIZE, force=True, progress=stop
        )
    assert Index.open(tmp_path / "workspace").fingerprint == first.fingerprint


@pytest.mark.parametrize(
    "name", ["images", "images/manifest.json", "images/shard-00000.bin", "images/geometry.arrow"]
)
def test_a_workspace_without_its_images_is_made_anew(tmp_path, name):
    prepare(make_release(), tmp_path)
    arguments = (tmp_path / "mimic", tmp_path / "qba", tmp_path / "workspace", SIZE)
    path = tmp_path / "workspace" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert not prepare_workspace(*arguments).unchanged
    assert ImageStore.open(tmp_path / "workspace").count == 6
    assert prepare_workspace(*arguments).unchanged


@pytest.mark.parametrize("text", ["{}", "[]", "garbage"])
@pytest.mark.parametrize(
    "name", ["index/fingerprint.json", "index/vocabularies.json", "index/rejects.csv", "images/manifest.json"]
)
def test_a_damaged_workspace_heals(tmp_path, name, text):
    prepare(make_release(), tmp_path)
    path = tmp_path / "workspace" / name
    # The size stays, so that only the content tells.
    path.write_text(text.ljust(path.stat().st_size, "\n" if name.endswith("json") else "x"))
    summary = prepare_workspace(tmp_path / "mimic", tmp_path / "qba", tmp_path / "workspace", SIZE)
    assert not summary.unchanged
    assert Index.open(tmp_path / "workspace").fingerprint == summary.fingerprint
    assert ImageStore.open(tmp_path / "workspace").count == 6


def touch(path):
    later = time.time_ns() + 10**9
    os.utime(path, ns=(later, later))


@pytest.mark.parametrize("changed", ["qba/qa.zip", "mimic/mimic-cxr-2.0.0-split.csv.gz"])
def test_ensure_refuses_data_that_changed_since(tmp_path, changed):
    prepare(make_release(), tmp_path)
    arguments = (tmp_path / "mimic", tmp_path / "qba", tmp_path / "workspace")
    ensure_workspace(*arguments)
    touch(tmp_path / changed)
    for given in (arguments, (None, None, tmp_path / "workspace")):
        with pytest.raises(
            ArtifactError, match="the data changed since the workspace was prepared"
        ) as caught:
            ensure_workspace(*given)
        assert f"cxrkit prepare --mimic_cxr_path {tmp_path / 'mimic'}" in caught.value.next_step
        assert "--set data.image_store_size=32" in caught.value.next_step
    prepare_workspace(*arguments, SIZE)
    ensure_workspace(*arguments)


@pytest.mark.parametrize("gone", ["mimic", "qba", "qba/qa.zip"])
def test_ensure_opens_a_workspace_whose_sources_are_out_of_reach(tmp_path, gone, caplog):
    prepare(make_release(), tmp_path)
    (tmp_path / gone).rename(tmp_path / "away")
    assert ensure_workspace(None, None, tmp_path / "workspace").images.num_rows == 6
    assert "cannot be told" in caplog.text


def test_progress_reaches_the_total(tmp_path):
    calls = []
    prepare(make_release(), tmp_path, progress=lambda *call: calls.append(call))
    assert ("images", 6, 6) in calls
    assert ("index", 4, 4) in calls


def test_ensure_prepares_then_opens(tmp_path):
    release = make_release()
    mimic, qba = release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba")
    workspace = tmp_path / "workspace"
    made = ensure_workspace(mimic, qba, workspace, SIZE)
    assert ensure_workspace(mimic, qba, workspace).fingerprint == made.fingerprint
    assert ensure_workspace(None, None, workspace).fingerprint == made.fingerprint
    other = release.write_mimic(tmp_path / "other")
    with pytest.raises(ArtifactError, match="another MIMIC-CXR-JPG") as caught:
        ensure_workspace(other, qba, workspace)
    assert "--workspace" in caught.value.next_step
    with pytest.raises(ArtifactError, match="image size"):
        ensure_workspace(mimic, qba, workspace, SIZE + 1)
    with pytest.raises(ArtifactError, match="no prepared workspace"):
        ensure_workspace(None, None, tmp_path / "elsewhere")


def test_settings_are_checked(tmp_path):
    with pytest.raises(SettingsError, match="image_store_size"):
        prepare_workspace(tmp_path, None, tmp_path / "workspace", 3)
    with pytest.raises(SettingsError, match="workers"):
        prepare_workspace(tmp_path, None, tmp_path / "workspace", SIZE, workers=0)


def drop_metadata(release):
    release.metadata = []


def drop_column(release):
    for row in release.metadata:
        del row["ViewPosition"]


def drop_label_column(release):
    for row in release.chexpert:
        del row["Edema"]


def tear_patient(release):
    release.split[1]["split"] = "test"


def unknown_split(release):
    release.split[0]["split"] = "val"


def no_films(release):
    release.films = dict.fromkeys(release.films, b"")


ERRORS = {
    drop_metadata: "metadata.csv",
    drop_column: "ViewPosition",
    drop_label_column: "Edema",
    tear_patient: "p10000001",
    unknown_split: "'val'",
    no_films: "truncated_image",
}


@pytest.mark.parametrize("damage", ERRORS, ids=lambda damage: damage.__name__)
def test_errors_name_the_culprit(tmp_path, damage):
    release = make_release()
    damage(release)
    with pytest.raises(DataLayoutError, match=ERRORS[damage]) as caught:
        prepare(release, tmp_path)
    assert caught.value.expected
    assert caught.value.found
    assert caught.value.next_step


def test_resized_films_need_the_original_release(tmp_path):
    release = make_release()
    release.films = {name: film_bytes(0, WIDTH // 2, HEIGHT // 2) for name in release.films}
    release.films[next(iter(release.films))] = b""
    with pytest.raises(DataLayoutError, match="no film can be used") as caught:
        prepare(release, tmp_path)
    assert "size_mismatch 5, truncated_image 1" in caught.value.found
    assert "resized" in caught.value.next_step
    assert "original" in caught.value.next_step


def test_unusable_labels_are_told_before_films_are_decoded(tmp_path):
    release = make_release()
    for row in release.chexpert:
        row["Edema"] = "maybe"
    calls = []
    with pytest.raises(DataLayoutError, match="chexpert") as caught:
        prepare(release, tmp_path, progress=lambda *call: calls.append(call))
    assert "invalid_label 4" in caught.value.found
    assert calls == []


def test_optional_tables_without_rows(tmp_path):
    mimic = make_release().write_mimic(tmp_path / "mimic")
    for name in ("mimic-cxr-2.0.0-negbio.csv", "mimic-cxr-2.1.0-test-set-labeled.csv"):
        header = ",".join(["study_id", *FINDING_INDEX]) + "\n"
        (mimic / f"{name}.gz").unlink(missing_ok=True)
        (mimic / name).write_text(header)
    prepare_workspace(mimic, None, tmp_path / "workspace", SIZE)
    index = Index.open(tmp_path / "workspace")
    assert not index.column("studies", "has_negbio").any()
    assert not index.column("studies", "has_radiologist").any()
    assert index.column("studies", "has_chexpert").all()


@pytest.mark.parametrize("part", ["qa.zip", "scene_data.zip"])
def test_damaged_archive_is_named(tmp_path, part):
    release = make_release()
    mimic, qba = release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba")
    (qba / part).write_bytes((qba / part).read_bytes()[:200])
    with pytest.raises(DataLayoutError, match=part):
        prepare_workspace(mimic, qba, tmp_path / "workspace", SIZE)


@pytest.mark.parametrize("missing", ["mimic", "qba", "qa.zip"])
def test_missing_inputs(tmp_path, missing):
    release = make_release()
    mimic, qba = release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba")
    if missing == "qa.zip":
        (qba / missing).unlink()
    else:
        shutil.rmtree(tmp_path / missing)
    with pytest.raises(DataLayoutError, match=missing):
        prepare_workspace(mimic, qba, tmp_path / "workspace", SIZE)


def test_all_missing_tables_are_named_at_once(tmp_path):
    (tmp_path / "mimic").mkdir()
    with pytest.raises(DataLayoutError) as caught:
        prepare_workspace(tmp_path / "mimic", None, tmp_path / "workspace", SIZE)
    for name in ("metadata", "split", "chexpert", "files"):
        assert name in caught.value.expected


def test_rejects_of_questions(tmp_path):
    release = make_release()
    entries = release.questions[STUDIES[0]]["questions"]
    fine = [answer("Yes.")]
    entries += [
        question("D02_has_smell", "Smell?", fine),
        question("D06_has_device", "?", []),
        question("D06_has_device", "?", [answer("x") | {"answer_type": "details"}], 2),
        question("D06_has_device", " ", fine, 3),
        question("D06_has_device", "?", fine, 4, question_quality={"rating": "7_S"}),
        question("D06_has_device", "?", fine, 5, question_id=None),
        question("D06_has_device", "?", fine, 6) | {"answers": "broken"},
        entries[0],
    ]
    summary = prepare(release, tmp_path)
    assert summary.counts["rejects"] == {
        "duplicate_question": 1,
        "empty_question": 1,
        "malformed_question": 1,
        "missing_question_id": 1,
        "no_answers": 2,
        "unknown_question_type": 1,
        "unknown_rating": 1,
    }
    assert summary.counts["questions"]["total"] == 28
    rejects = (tmp_path / "workspace" / "index" / "rejects.csv").read_text()
    assert "Smell" not in rejects
    assert "D02_has_smell_001" in rejects
    assert codes(tmp_path) == sorted(codes(tmp_path))


def test_rejects_of_boxes(tmp_path):
    release = make_release()
    dicom = dicom_id(1)
    boxes = [
        [0.0, 0.0, 5.0, 5.0],
        [0.0, 0.0, 5.0, 5.0],
        [-1.0, 0.0, WIDTH + 1.0, HEIGHT],
        [0.0, 0.0, WIDTH + 2.0, 5.0],
        [5.0, 5.0, 5.0, 9.0],
        [1.0, 2.0, 3.0],
    ]
    placed = localization(dicom, boxes) | localization(dicom_id(77), boxes[:2])
    release.questions[STUDIES[0]]["questions"] = [
        question("D02_has_finding", "?", [answer("Yes.", localization=placed, regions=["heart"])])
    ]
    summary = prepare(release, tmp_path)
    expected = {"box_malformed": 1, "box_on_unknown_image": 1, "box_outside_image": 1, "box_unordered": 1}
    assert summary.counts["rejects"] == expected
    assert summary.counts["dropped_boxes"] == 2
    index = Index.open(tmp_path / "workspace")
    assert index.column("questions", "num_boxes")[0] == 2


@pytest.mark.parametrize(
    ("fallback", "quality", "valid"),
    [(False, 4, True), (False, 3, True), (False, 2, False), (True, 4, False)],
)
def test_only_trustworthy_boxes_ground_an_answer(tmp_path, fallback, quality, valid):
    release = make_release()
    placed = localization(dicom_id(1), [[1.0, 1.0, 9.0, 9.0]], quality, fallback)
    release.questions[STUDIES[0]]["questions"] = [
        question("D02_has_finding", "?", [answer("Yes.", localization=placed, regions=["heart"])])
    ]
    prepare(release, tmp_path)
    index = Index.open(tmp_path / "workspace")
    assert index.column("questions", "node_valid")[0] == valid
    assert index.column("questions", "num_boxes")[0] == 1


def test_ratings_fall_back_to_the_answers(tmp_path):
    release = make_release()
    rated = [
        answer("Yes.", answer_quality={"rating": "6_A++"}),
        answer("Yes.", answer_quality={"rating": "3_B"}),
    ]
    release.questions[STUDIES[0]]["questions"] = [
        question("D02_has_finding", "?", rated, 1, question_quality={}),
        question("D02_has_finding", "?", [answer("Yes.")], 2, question_quality=None),
        question("D02_has_finding", "?", rated, 3, question_quality={"rating": "0_"}),
        question("D02_has_finding", "?", rated, 4, question_quality={"rating": 5}),
    ]
    prepare(release, tmp_path)
    assert Index.open(tmp_path / "workspace").column("questions", "rating")[:4].tolist() == [3, 0, 0, 5]


def test_rejects_of_studies_and_members(tmp_path):
    release = make_release()
    stranger = (19000009, 59000009)
    release.questions[stranger] = {"questions": [{}, {}, {}]}
    release.questions[STUDIES[1]] = b'{"questions": ['
    release.scenes[STUDIES[1]] = {"observations": 3}
    release.questions[STUDIES[2]]["study_id"] = "s51111111"
    del release.films[f"{place(STUDIES[3])}/{dicom_id(4)}.jpg"]
    summary = prepare(release, tmp_path)
    assert summary.counts["rejects"] == {
        "id_mismatch": 1,
        "malformed_json": 2,
        "missing_image": 1,
        "study_not_in_metadata": 1,
        "study_without_image": 1,
    }
    details = {row.code: row.detail for row in read_rejects(tmp_path / "workspace" / "index" / "rejects.csv")}
    assert details["study_not_in_metadata"] == "3 questions"
    assert details["study_without_image"] == "7 questions"
    assert summary.counts["studies"] == {"train": 2, "validate": 1, "test": 0, "total": 3}
    index = Index.open(tmp_path / "workspace")
    assert index.column("studies", "has_questions").tolist() == [True, False, False]
    assert index.column("studies", "has_scene_graph").tolist() == [True, False, True]


def test_member_names(tmp_path):
    release = make_release()
    mimic, qba = release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba")
    name = f"{place(STUDIES[0])}.qa.json"
    record = json.dumps(release.questions[STUDIES[0]]).encode()
    members = {
        f"qa/{name}": record,
        name: b"{}",
        "qa/p10/odd.qa.json": b"{}",
        f"__MACOSX/qa/{place(STUDIES[0])[:14]}/._s50000001.qa.json": b"",
    }
    (qba / "qa.zip").write_bytes(zip_bytes(members))
    summary = prepare_workspace(mimic, qba, tmp_path / "workspace", SIZE)
    assert summary.counts["rejects"] == {"duplicate_member": 1, "unexpected_member": 1}
    assert summary.counts["questions"]["total"] == 7


def test_corrupt_member_is_counted(tmp_path):
    release = make_release()
    mimic, qba = release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba")
    data = bytearray((qba / "qa.zip").read_bytes())
    data[120:140] = bytes(20)
    (qba / "qa.zip").write_bytes(data)
    summary = prepare_workspace(mimic, qba, tmp_path / "workspace", SIZE)
    assert summary.counts["rejects"] == {"corrupt_member": 1}
    assert summary.counts["questions"]["total"] == 21


def test_boxes_on_a_rejected_film_are_counted_once_per_film(tmp_path):
    release = make_release()
    del release.films[f"{place(STUDIES[1])}/{dicom_id(2)}.jpg"]
    summary = prepare(release, tmp_path)
    assert summary.counts["rejects"] == {"box_on_rejected_image": 1, "missing_image": 1}
    assert summary.counts["dropped_boxes"] == 6
    assert summary.counts["images"]["total"] == 5


def test_png_films_are_accepted(plain, tmp_path):
    release = make_release()
    name = f"{place(STUDIES[0])}/{dicom_id(1)}"
    del release.films[f"{name}.jpg"]
    release.films[f"{name}.png"] = film_bytes(0, form="PNG")
    prepare(release, tmp_path)
    index = Index.open(tmp_path / "workspace")
    assert index.images.column("path")[0].as_py() == f"files/{name}.png"
    assert index.image_path(0).is_file()


@pytest.mark.parametrize("suffix", ["JPG", "jpeg", "JPEG", "PNG"])
def test_other_film_suffixes_are_found(tmp_path, suffix):
    release = make_release()
    name = f"{place(STUDIES[0])}/{dicom_id(1)}"
    release.films[f"{name}.{suffix}"] = release.films.pop(f"{name}.jpg")
    assert prepare(release, tmp_path).counts["rejects"] == {}
    index = Index.open(tmp_path / "workspace")
    assert index.image_path(0).name == f"{dicom_id(1)}.{suffix}"
    assert index.image_path(0).is_file()


def test_broken_elements_do_not_cost_their_files(tmp_path):
    release = make_release()
    entries = release.questions[STUDIES[0]]["questions"]
    entries[1]["answers"][0]["localization"] = localization(dicom_id(1), [[10.0, float("nan"), 50.0, 60.0]])
    entries[3]["answers"][0]["obs_entities"] = ["pleural effusion", None]
    scene = release.scenes[STUDIES[1]]
    scene["regions"]["lungs"]["localization"] = localization(dicom_id(2), [[1.0, None, 3.0, 4.0]])
    release.questions[STUDIES[2]]["questions"] = None
    summary = prepare(release, tmp_path)
    assert summary.counts["rejects"] == {"box_malformed": 2, "malformed_element": 1, "no_questions": 1}
    assert summary.counts["questions"]["total"] == 21
    rows = {row.code: row for row in read_rejects(tmp_path / "workspace" / "index" / "rejects.csv")}
    assert rows["malformed_element"].question_id == "D02_has_finding_001"
    assert rows["malformed_element"].where == f"{place(STUDIES[0])}.qa.json:question 3"
    assert rows["no_questions"].where == f"{place(STUDIES[2])}.qa.json"
    index = Index.open(tmp_path / "workspace")
    assert index.column("studies", "has_scene_graph").all()
    assert index.column("studies", "num_region_boxes").tolist() == [2, 1, 2, 2]


def test_scene_graph_cross_checks(tmp_path):
    release = make_release()
    release.questions[STUDIES[0]]["questions"][0]["obs_ids"] = ["O09", "OIND"]
    release.scenes[STUDIES[0]]["observations"]["O01"]["regions"] = ["stomach"]
    release.scenes[STUDIES[0]]["observations"]["O07.01"] = {}
    counts = prepare(release, tmp_path).counts
    assert counts["cross_checks"] == {
        "observations_in_regions_outside_the_graph": 1,
        "observations_without_their_parent": 1,
        "questions_on_unknown_observations": 1,
    }
    assert counts["unmapped_regions"] == {"stomach": 1}


def test_two_runs_at_once_are_refused(tmp_path):
    release = make_release()

    def second(stage, done, total):
        with pytest.raises(ArtifactError, match="another process"):
            prepare_workspace(tmp_path / "mimic", tmp_path / "qba", tmp_path / "workspace", SIZE)

    prepare(release, tmp_path, progress=second)


def test_a_workspace_that_cannot_be_written(tmp_path):
    release = make_release()
    (tmp_path / "blocked").write_text("a file")
    with pytest.raises(CxrkitError):
        prepare_workspace(
            release.write_mimic(tmp_path / "mimic"), None, tmp_path / "blocked" / "workspace", SIZE
        )
