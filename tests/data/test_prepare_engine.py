"""Before, during and between runs of `prepare`: estimates, refusals, resumption, independence of the way."""

import os
import shutil
from collections import namedtuple
from itertools import pairwise

import numpy as np
import pytest
from handmade_release import STUDIES, make_release

from cxrkit.data.index import Index, units
from cxrkit.data.index.artifact import INDEX_FILES
from cxrkit.data.index.chunk_builder import build_chunk
from cxrkit.data.prepare import prepare_workspace
from cxrkit.errors import ArtifactError, CxrkitError
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
    assert not (tmp_path / "workspace" / ".preparing").exists()


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


def test_a_dead_worker_is_told(synthetic_root, tmp_path, monkeypatch):
    monkeypatch.setattr(units, "STUDIES_PER_CHUNK", 20)
    monkeypatch.setattr("cxrkit.data.index.builder.build_chunk", _die)
    with pytest.raises(CxrkitError, match="a worker process died") as caught:
        prepare(synthetic_root, tmp_path / "workspace", workers=2)
    assert "--workers" in caught.value.next_step


def _die(state, unit):
    os._exit(9)
