"""Before, during and between runs of `prepare`: estimates, refusals, resumption, independence of the way."""

import errno
import json
import os
import pickle
import shutil
from collections import namedtuple
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from handmade_release import STUDIES, make_release

from cxrkit.data.films.opener import films_of
from cxrkit.data.index import Index, units
from cxrkit.data.index.artifact import INDEX_FILES, table_ends
from cxrkit.data.index.chunk_builder import build_chunk
from cxrkit.data.index.schemas import TABLES
from cxrkit.data.prepare import prepare_workspace
from cxrkit.data.rejects import read_rejects
from cxrkit.errors import ArtifactError, CxrkitError
from cxrkit.hardware import usable_cores
from cxrkit.vocabulary import SPLITS

SIZE = 32


def prepare(root, workspace, **more):
    return prepare_workspace(root / "mimic-cxr-jpg", root / "mimic-ext-cxr-qba", workspace, SIZE, **more)


def index_bytes(workspace):
    return {name: (workspace / "index" / name).read_bytes() for name in INDEX_FILES}


@pytest.fixture(scope="module")
def undisturbed(synthetic_root, tmp_path_factory):
    workspace = tmp_path_factory.mktemp("undisturbed") / "workspace"
    prepare(synthetic_root, workspace, workers=1)
    return workspace


@pytest.mark.parametrize(("studies_per_chunk", "workers"), [(1, 1), (7, 1), (10_000, 1), (6, 2)])
def test_chunks_and_processes_leave_no_trace(
    synthetic_root, undisturbed, tmp_path, monkeypatch, studies_per_chunk, workers
):
    monkeypatch.setattr(units, "STUDIES_PER_CHUNK", studies_per_chunk)
    prepare(synthetic_root, tmp_path / "workspace", workers=workers)
    assert index_bytes(tmp_path / "workspace") == index_bytes(undisturbed)


def test_names_that_only_the_files_have_are_numbered_alike(synthetic_root, tmp_path, monkeypatch):
    root = tmp_path / "data"
    shutil.copytree(synthetic_root, root, copy_function=os.link)
    info = root / "mimic-ext-cxr-qba" / "metadata" / "dataset_info.json"
    info.unlink()
    prepare(root, tmp_path / "one")
    monkeypatch.setattr(units, "STUDIES_PER_CHUNK", 3)
    prepare(root, tmp_path / "many")
    assert index_bytes(tmp_path / "one") == index_bytes(tmp_path / "many")
    assert len(Index.open(tmp_path / "many").vocabularies.regions) > 20


def test_finished_chunks_are_not_made_again(synthetic_root, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(units, "STUDIES_PER_CHUNK", 5)
    made = []

    def build_and_stop(state, unit):
        made.append(unit.number)
        if len(made) == 4:
            raise KeyboardInterrupt
        return build_chunk(state, unit)

    monkeypatch.setattr("cxrkit.data.index.builder.build_chunk", build_and_stop)
    with pytest.raises(KeyboardInterrupt):
        prepare(synthetic_root, tmp_path / "workspace", workers=1)
    reported = []
    prepare(synthetic_root, tmp_path / "workspace", workers=1, progress=lambda *call: reported.append(call))
    assert made[:4] == [0, 1, 2, 3]
    assert made[4:] == list(range(3, made[-1] + 1))
    # The bar of the second run starts where the first one stopped.
    assert next(done for stage, done, _ in reported if stage == "index") == 15
    assert index_bytes(tmp_path / "workspace") == index_bytes(undisturbed)


def test_a_damaged_chunk_is_made_again(synthetic_root, undisturbed, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(units, "STUDIES_PER_CHUNK", 10)

    def stop(stage, done, total):
        if stage == "index" and done >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(synthetic_root, tmp_path / "workspace", workers=1, progress=stop)
    chunk = next((tmp_path / "workspace" / ".preparing").glob("chunks-*/chunk-000001"))
    chunk.write_bytes(chunk.read_bytes()[:-3])
    prepare(synthetic_root, tmp_path / "workspace", workers=1)
    assert "chunk-000001 of the interrupted run is damaged" in caplog.text
    assert index_bytes(tmp_path / "workspace") == index_bytes(undisturbed)


@pytest.mark.parametrize("change", ["questions", "films", "table"])
def test_what_an_interrupted_run_left_of_other_data_is_not_used(tmp_path, change):
    release = make_release()
    first = sorted(release.films)[0]
    film = release.films.pop(first)
    release.write_mimic(tmp_path / "mimic")
    release.write_qba(tmp_path / "qba")

    def stop(stage, done, total):
        if stage == "joining":
            raise KeyboardInterrupt

    arguments = (tmp_path / "mimic", tmp_path / "qba")
    with pytest.raises(KeyboardInterrupt):
        prepare_workspace(*arguments, tmp_path / "workspace", SIZE, progress=stop)
    if change == "questions":
        release.questions[STUDIES[0]]["questions"][3]["answers"][0]["text"] = "No, there is none."
    elif change == "films":
        release.films[first] = film
    else:
        release.metadata[0]["Rows"] = str(int(release.metadata[0]["Rows"]) + 1)
    for path in arguments:
        shutil.rmtree(path)
    release.write_mimic(tmp_path / "mimic")
    release.write_qba(tmp_path / "qba")
    prepare_workspace(*arguments, tmp_path / "workspace", SIZE)
    prepare_workspace(*arguments, tmp_path / "fresh", SIZE)
    assert index_bytes(tmp_path / "workspace") == index_bytes(tmp_path / "fresh")


@pytest.mark.parametrize("moves", range(4))
def test_publishing_goes_on_where_it_was(tmp_path, monkeypatch, moves):
    release = make_release()
    arguments = (release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba"))
    expected = prepare_workspace(*arguments, tmp_path / "workspace", SIZE)
    rename, done = type(tmp_path).rename, []

    def stop(path, target):
        if path.parent.name == ".preparing" or path.name == ".fingerprint.json":
            done.append(path)
            if len(done) > moves:
                raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(type(tmp_path), "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare_workspace(*arguments, tmp_path / "workspace", SIZE, force=True)
    monkeypatch.undo()
    called = []
    again = prepare_workspace(
        *arguments, tmp_path / "workspace", SIZE, progress=lambda *call: called.append(call)
    )
    assert again.fingerprint == expected.fingerprint
    # Once the parts are ready, nothing of them is made again.
    assert again.unchanged
    assert called == []
    assert Index.open(tmp_path / "workspace").fingerprint == expected.fingerprint
    # What was not ready yet is kept: a run with its settings would go on with it.
    assert (tmp_path / "workspace" / ".preparing").exists() == (moves == 0)


def test_the_estimate_comes_first_and_is_near(synthetic_root, tmp_path):
    calls = []
    summary = prepare(
        synthetic_root,
        tmp_path / "workspace",
        announce=calls.append,
        progress=lambda *call: calls.append(call),
    )
    estimate = calls[0]
    assert calls[1][0] == "images"
    questions = summary.counts["questions"]["total"]
    assert estimate.questions == pytest.approx(questions, rel=0.15)
    assert estimate.films == summary.counts["images"]["total"]
    written = sum(path.stat().st_size for path in (tmp_path / "workspace").rglob("*") if path.is_file())
    assert written < estimate.disk_bytes < 6 * written
    assert estimate.film_seconds > 0
    assert estimate.index_seconds > 0


def test_a_small_disk_is_refused_before_anything_is_written(synthetic_root, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**12, 10**12 - 10**4, 10**4))
    calls = []
    with pytest.raises(ArtifactError, match="disk is too small") as caught:
        prepare(synthetic_root, tmp_path / "workspace", progress=lambda *call: calls.append(call))
    assert calls == []
    assert "--workspace" in caught.value.next_step
    left = [path for path in (tmp_path / "workspace").rglob("*") if path.is_file()]
    assert [path.name for path in left] == [".prepare.lock"]


def test_more_processes_than_cores_are_no_faster(synthetic_root, tmp_path):
    estimates = []
    for workers in (usable_cores(), 64):
        prepare(synthetic_root, tmp_path / str(workers), workers=workers, announce=estimates.append)
    few, many = estimates
    assert many.index_seconds > few.index_seconds / 4
    assert many.memory_bytes > few.memory_bytes
    assert few.left_bytes == 0


def test_an_interrupted_run_is_told_in_the_estimate(synthetic_root, tmp_path):
    def stop(stage, done, total):
        if stage == "joining":
            raise KeyboardInterrupt

    estimates = []
    for progress in (stop, None):
        with suppress(KeyboardInterrupt):
            prepare(synthetic_root, tmp_path / "w", progress=progress, announce=estimates.append)
    assert estimates[0].left_bytes == 0
    assert estimates[1].left_bytes > 10**5
    assert estimates[1].disk_bytes < estimates[0].disk_bytes


@pytest.mark.parametrize("table", [f"{name}.arrow" for name in TABLES])
def test_a_damaged_description_of_columns_is_found_at_opening(undisturbed, tmp_path, table):
    shutil.copytree(undisturbed, tmp_path / "workspace")
    path = tmp_path / "workspace" / "index" / table
    sound = path.read_bytes()
    ends = table_ends(path)
    assert ends["head"] + ends["tail"] < 20_000
    places = [*range(0, ends["head"], 97), *range(len(sound) - ends["tail"], len(sound), 89)]
    for place in places:
        damaged = bytearray(sound)
        damaged[place] ^= 0x41
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="damaged"):
            Index.open(tmp_path / "workspace")


def test_every_flipped_bit_of_the_record_is_found(undisturbed, tmp_path):
    shutil.copytree(undisturbed, tmp_path / "workspace")
    path = tmp_path / "workspace" / "index" / "fingerprint.json"
    sound = path.read_bytes()
    meaning = json.loads(sound)
    for place in range(0, len(sound), 13):
        damaged = bytearray(sound)
        damaged[place] ^= 1 << place % 7
        path.write_bytes(damaged)
        try:
            Index.open(tmp_path / "workspace")
        except ArtifactError:
            continue
        # White space between values carries nothing.
        assert json.loads(damaged) == meaning


def test_films_of_another_run_are_not_mixed_with_an_open_index(synthetic_root, tmp_path):
    prepare(synthetic_root, tmp_path / "workspace")
    index = Index.open(tmp_path / "workspace")
    message = pickle.dumps(index), pickle.dumps(films_of(index))
    root = synthetic_root / "mimic-cxr-jpg"
    prepare_workspace(root, None, tmp_path / "workspace", SIZE + 1, workers=1)
    with pytest.raises(ArtifactError, match="prepared again"):
        films_of(index)
    for part in message:
        with pytest.raises(ArtifactError, match="prepared again"):
            pickle.loads(part)


def test_an_old_part_that_cannot_be_removed_does_not_hinder_the_new_one(tmp_path, monkeypatch):
    release = make_release()
    arguments = (release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba"))
    prepare_workspace(*arguments, tmp_path / "workspace", SIZE)
    (tmp_path / "workspace" / "images" / ".nfs0001").write_text("in use")
    remove = shutil.rmtree

    def remove_most(path, **options):
        # As on a network disk while another process has a file open.
        if not list(Path(path).rglob(".nfs*")):
            remove(path, **options)

    monkeypatch.setattr("shutil.rmtree", remove_most)
    prepare_workspace(*arguments, tmp_path / "workspace", SIZE + 1)
    prepare_workspace(*arguments, tmp_path / "workspace", SIZE + 2)
    monkeypatch.undo()
    index = Index.open(tmp_path / "workspace")
    assert films_of(index).size == SIZE + 2
    assert not prepare_workspace(*arguments, tmp_path / "workspace", SIZE).unchanged
    assert not (tmp_path / "workspace" / ".preparing").exists()


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e999"])
@pytest.mark.parametrize("kind", ["question", "scene"])
def test_a_number_without_end_in_a_box_costs_that_box(tmp_path, number, kind):
    release = make_release()
    mark = 4711.0
    if kind == "question":
        questions = release.questions[STUDIES[0]]["questions"]
        answers = [answer for question in questions for answer in question["answers"]]
        answer = next(answer for answer in answers if answer.get("localization"))
        next(iter(answer["localization"].values()))["bboxes"].append([1.0, 2.0, mark, 9.0])
    else:
        region = next(iter(release.scenes[STUDIES[0]]["regions"].values()))
        next(iter(region["localization"].values()))["bboxes"].append([1.0, 2.0, mark, 9.0])
    mimic, qba = release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba", zipped=False)
    for path in qba.rglob("*.json"):
        path.write_text(path.read_text().replace("4711.0", number))
    summary = prepare_workspace(mimic, qba, tmp_path / "workspace", SIZE)
    assert set(summary.counts["rejects"]) == {"box_malformed"}
    assert summary.counts["questions"]["total"] == 28


def test_one_fault_in_many_questions_is_one_reject(tmp_path):
    release = make_release()
    for question in release.questions[STUDIES[0]]["questions"]:
        for answer in question["answers"]:
            for place in answer.get("localization", {}).values():
                place["bboxes"] = [[0, 0, 10**6, 10]]
    mimic, qba = release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba")
    summary = prepare_workspace(mimic, qba, tmp_path / "workspace", SIZE)
    assert summary.counts["rejects"] == {"box_outside_image": 1}
    (row,) = read_rejects(tmp_path / "workspace" / "index" / "rejects.csv")
    assert row.where.endswith(f"s{STUDIES[0][1]}.qa.json")
    assert row.detail.endswith("boxes")


def test_a_finished_workspace_on_a_read_only_disk_is_up_to_date(tmp_path, monkeypatch):
    release = make_release()
    arguments = (release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba"))
    prepare_workspace(*arguments, tmp_path / "workspace", SIZE)

    def refuse(workspace):
        raise OSError(errno.EROFS, "Read-only file system", str(workspace))

    monkeypatch.setattr("cxrkit.data.prepare.run.lock_workspace", refuse)
    assert prepare_workspace(*arguments, tmp_path / "workspace", SIZE).unchanged
    with pytest.raises(ArtifactError, match="cannot be read or written") as caught:
        prepare_workspace(*arguments, tmp_path / "workspace", SIZE, force=True)
    assert "permissions" in caught.value.next_step


def test_a_patient_in_two_splits_is_found_at_opening(undisturbed, tmp_path):
    shutil.copytree(undisturbed, tmp_path / "workspace")
    index = Index.open(tmp_path / "workspace")
    subjects = index.column("studies", "subject_id")
    row = int(np.flatnonzero(subjects[1:] == subjects[:-1])[0])
    splits = index.column("studies", "split")
    path = tmp_path / "workspace" / "index" / "studies.arrow"
    data = bytearray(path.read_bytes())
    place = data.index(splits.tobytes())
    data[place + row] = (splits[row] + 1) % len(SPLITS)
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="1 patient is in more than one split") as caught:
        Index.open(tmp_path / "workspace")
    assert f"p{subjects[row]}" in caught.value.found


def test_a_question_is_looked_up_with_its_study(undisturbed):
    index = Index.open(undisturbed)
    for row in (0, index.questions.num_rows // 2, index.questions.num_rows - 1):
        record = index.question(row)
        study = int(index.column("questions", "study_row")[row])
        assert record.study_id == index.column("studies", "study_id")[study]
        assert record.question_id.startswith(record.question_type)
        assert record.question == index.text(index.column("questions", "question_text")[row])
        assert len(record.boxes_xyxy_px) == index.column("questions", "num_boxes")[row]
        assert {record.study_id} == {
            int(index.column("images", "study_id")[film]) for film in record.image_rows
        }
        assert set(record.box_image_rows.tolist()) <= set(record.image_rows)
    with pytest.raises(IndexError):
        index.question(index.questions.num_rows)


def test_columns_are_views_of_the_files(undisturbed):
    index = Index.open(undisturbed)
    for table in ("questions", "answer_boxes", "region_boxes", "observations", "studies"):
        for field in getattr(index, table).schema:
            if field.name in ("obs_id", "entities", "regions"):
                continue
            column = index.column(table, field.name)
            assert not column.flags.owndata
            assert not column.flags.writeable
    assert index.column("questions", "category_valid").dtype == bool
    offsets, values = index.ragged("observations", "entities")
    lists = index.observations.column("entities").to_pylist()
    assert [values[a:b].tolist() for a, b in pairwise(offsets)] == lists
    assert not values.flags.writeable


def test_an_index_shows_no_content(undisturbed):
    index = Index.open(undisturbed)
    shown = repr(index)
    assert len(shown) < 300
    assert f"{index.questions.num_rows:,} questions" in shown
    assert index.text(0) not in shown


@pytest.mark.parametrize(
    ("method", "column"), [("ragged", "positiveness"), ("column", "entities"), ("column", "obs_id")]
)
def test_a_column_of_another_kind_is_told(undisturbed, method, column):
    index = Index.open(undisturbed)
    for _ in range(2):
        with pytest.raises(TypeError, match=f"observations.{column}"):
            getattr(index, method)("observations", column)


def test_why_a_workspace_is_made_anew_is_told(tmp_path, caplog):
    caplog.set_level("INFO", logger="cxrkit")
    release = make_release()
    arguments = (release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba"))
    prepare_workspace(*arguments, tmp_path / "workspace", SIZE)
    assert "made anew" not in caplog.text
    prepare_workspace(*arguments, tmp_path / "workspace", SIZE, image_store_padding="none")
    assert "image_store_padding was square, now none" in caplog.text
    os.utime(tmp_path / "qba" / "qa.zip", ns=(10**18, 10**18))
    prepare_workspace(*arguments, tmp_path / "workspace", SIZE, image_store_padding="none")
    assert "the tables and questions changed" in caplog.text


@pytest.mark.parametrize("name", ["vocabularies.json", "rejects.csv"])
def test_a_changed_letter_of_a_small_file_is_found_at_opening(undisturbed, tmp_path, name):
    shutil.copytree(undisturbed, tmp_path / "workspace")
    path = tmp_path / "workspace" / "index" / name
    text = path.read_text()
    path.write_text(text.replace("e", "a", 1))
    with pytest.raises(ArtifactError, match=name):
        Index.open(tmp_path / "workspace")


def test_a_dead_worker_is_told(synthetic_root, tmp_path, monkeypatch):
    monkeypatch.setattr(units, "STUDIES_PER_CHUNK", 20)
    monkeypatch.setattr("cxrkit.data.index.builder.build_chunk", _die)
    with pytest.raises(CxrkitError, match="a worker process died") as caught:
        prepare(synthetic_root, tmp_path / "workspace", workers=2)
    assert "--workers" in caught.value.next_step


def _die(state, unit):
    os._exit(9)
