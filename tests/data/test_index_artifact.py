"""Opening an index: what is refused, and that nothing grows with the data."""

import json
import pickle

import pytest
from handmade_release import make_release

from cxrkit.data.index import Index
from cxrkit.data.index.schemas import TABLES, table_schema
from cxrkit.data.prepare import prepare_workspace
from cxrkit.data.rejects import REJECT_MEANINGS, Reject, RejectLog, film_remedy, read_rejects
from cxrkit.errors import ArtifactError


@pytest.fixture
def workspace(tmp_path):
    release = make_release()
    mimic, qba = release.write_mimic(tmp_path / "mimic"), release.write_qba(tmp_path / "qba")
    prepare_workspace(mimic, qba, tmp_path / "workspace", 32)
    return tmp_path / "workspace"


def test_missing_workspace(tmp_path):
    with pytest.raises(ArtifactError, match="no prepared workspace") as caught:
        Index.open(tmp_path)
    assert "cxrkit prepare" in caught.value.next_step


@pytest.mark.parametrize(
    "name", [*(f"{table}.arrow" for table in TABLES), "vocabularies.json", "rejects.csv"]
)
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_damaged_file_is_named(workspace, name, damage):
    path = workspace / "index" / name
    data = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(data[:-1])
    with pytest.raises(ArtifactError, match=name):
        Index.open(workspace)


def test_another_schema_version(workspace):
    path = workspace / "index" / "fingerprint.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(ArtifactError, match="another version"):
        Index.open(workspace)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_broken_fingerprint(workspace, text):
    (workspace / "index" / "fingerprint.json").write_text(text)
    with pytest.raises(ArtifactError, match="damaged"):
        Index.open(workspace)


@pytest.mark.parametrize(
    ("key", "value"),
    [("file_bytes", []), ("counts", None), ("sources", {}), ("settings", {}), ("image_list", 3)],
)
def test_fingerprint_with_a_key_of_another_kind(workspace, key, value):
    path = workspace / "index" / "fingerprint.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ArtifactError, match="damaged") as caught:
        Index.open(workspace)
    assert key in caught.value.found


@pytest.mark.parametrize("key", ["fingerprint", "file_bytes", "sources", "counts", "inputs_signature"])
def test_fingerprint_without_a_key(workspace, key):
    path = workspace / "index" / "fingerprint.json"
    record = json.loads(path.read_text())
    del record[key]
    path.write_text(json.dumps(record))
    with pytest.raises(ArtifactError, match="damaged"):
        Index.open(workspace)


@pytest.mark.parametrize("text", ["{}", "[]", '{"regions": 3}', "\x00"])
def test_damaged_vocabularies_of_the_right_size(workspace, text):
    path = workspace / "index" / "vocabularies.json"
    path.write_text(text.ljust(path.stat().st_size))
    with pytest.raises(ArtifactError, match=r"vocabularies\.json is damaged"):
        Index.open(workspace)


@pytest.mark.parametrize("text", ["code,kind\nx,image\n", "nothing", "\x00"])
def test_damaged_rejects_file(tmp_path, text):
    (tmp_path / "rejects.csv").write_text(text + "\nrow")
    with pytest.raises(ValueError, match="damaged"):
        read_rejects(tmp_path / "rejects.csv")


def test_the_remedy_fits_the_commonest_reason():
    assert "download" in film_remedy({"missing_image": 3, "size_mismatch": 2})
    assert "resized" in film_remedy({"missing_image": 3, "size_mismatch": 4})
    assert "same release" in film_remedy({"conflicting_row": 1})
    assert "same release" in film_remedy({})


def test_the_limit_of_trustworthy_boxes_is_kept_once():
    from cxrkit.data.batches import graphs
    from cxrkit.data.index import placed_boxes, schemas

    assert graphs.MINIMUM_BOX_QUALITY is placed_boxes.MINIMUM_BOX_QUALITY is schemas.MINIMUM_BOX_QUALITY


def test_a_worker_receives_a_path_not_tables(workspace):
    index = Index.open(workspace)
    message = pickle.dumps(index)
    assert len(message) < 1000
    assert pickle.loads(message).fingerprint == index.fingerprint


def test_fingerprint_file(workspace):
    record = json.loads((workspace / "index" / "fingerprint.json").read_text())
    assert record["settings"] == {
        "image_store_size": 32,
        "image_store_padding": "square",
        "image_store": True,
    }
    assert len(record["fingerprint"]) == 64
    assert record["sources"]["mimic_cxr_jpg_path"].endswith("mimic")
    assert record["counts"]["images"]["total"] == 6


def test_rejects_are_sorted_and_read_back(tmp_path):
    rejects = RejectLog()
    rejects.add(Reject("unknown_rating", "question", 10000001, 50000002, question_id="D02, x", where="a\nb"))
    rejects.add(Reject("missing_image", "image", 10000002, 50000001, "abc"))
    rejects.add(Reject("missing_image", "image", 10000001, 50000009, "abc", detail='a "quoted" detail'))
    rejects.write(tmp_path / "rejects.csv")
    assert read_rejects(tmp_path / "rejects.csv") == rejects.rows == sorted(rejects.rows)
    assert rejects.counts() == {"missing_image": 2, "unknown_rating": 1}
    with pytest.raises(KeyError):
        rejects.add(Reject("some_new_code", "image"))


def test_every_reject_code_is_documented(request):
    text = (request.config.rootpath / "docs" / "index_format.md").read_text()
    assert [code for code in REJECT_MEANINGS if f"`{code}`" not in text] == []


def test_every_column_is_documented(request):
    text = (request.config.rootpath / "docs" / "index_format.md").read_text()
    names = {field.name for table in TABLES for field in table_schema(table)}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []
