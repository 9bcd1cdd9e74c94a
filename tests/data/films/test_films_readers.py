"""Reading the films of a workspace, stored or not, and finding damage in them."""

import json
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from film_folder import make_films
from PIL import Image

from cxrkit.data.films import on_the_fly, store_record
from cxrkit.data.films import verify_store as verify_module
from cxrkit.data.films.film_list import image_list_fingerprint
from cxrkit.data.films.on_the_fly import FilmFiles
from cxrkit.data.films.opener import open_films
from cxrkit.data.films.shape import StoreLayout
from cxrkit.data.films.source import stack_films
from cxrkit.data.films.stored import ImageStore
from cxrkit.data.films.verify_store import verify_store
from cxrkit.data.films.writer import write_films
from cxrkit.errors import ArtifactError

COUNT = 70
REJECTED = 33


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    films = make_films(tmp_path_factory.mktemp("films"), COUNT)
    films[REJECTED] = films[REJECTED]._replace(paths=(Path("missing.jpg"),))
    return films


@pytest.fixture
def accepted(films):
    return [film for number, film in enumerate(films) if number != REJECTED]


@pytest.fixture
def make_workspace(tmp_path, films, accepted, monkeypatch):
    """Makes the images of a workspace; the index is only what the readers ask of it."""

    def make(padding="square", stored=True):
        shutil.rmtree(tmp_path / "workspace", ignore_errors=True)
        write_films(tmp_path / "workspace" / "images", films, StoreLayout(40, padding, stored), 1)
        return tmp_path / "workspace"

    sizes = {name: np.array([getattr(film, name) for film in accepted]) for name in ("width", "height")}
    index = SimpleNamespace(
        image_path=lambda row: accepted[row].paths[0],
        column=lambda table, name: sizes[{"columns": "width", "rows": "height"}[name]],
    )
    image_list = image_list_fingerprint([film.dicom_id for film in accepted])
    monkeypatch.setattr(store_record, "read_fingerprint", lambda workspace: {"image_list": image_list})
    monkeypatch.setattr(on_the_fly, "Index", SimpleNamespace(open=lambda workspace: index))
    return make


@pytest.mark.parametrize("padding", ["square", "none"])
def test_stored_or_not_the_films_are_the_same(make_workspace, accepted, padding):
    sources = [open_films(make_workspace(padding, stored)) for stored in (True, False)]
    assert [type(source) for source in sources] == [ImageStore, FilmFiles]
    store, files = sources
    assert store.count == files.count == len(store) == len(files) == COUNT - 1
    assert store.size == files.size == 40
    for name in ("side", "scale", "pad_x", "pad_y"):
        assert np.array_equal(getattr(store, name), getattr(files, name))
        assert getattr(store, name).dtype == (np.int32 if name == "side" else np.float32)
    for row, film in enumerate(accepted):
        pixels = store.read(row)
        assert pixels.shape == (store.side[row], store.side[row])
        assert pixels.dtype == np.uint8
        # Zeros outside of the film.
        right, bottom = film.width * store.scale[row], film.height * store.scale[row]
        assert not pixels[:, : int(store.pad_x[row])].any()
        assert not pixels[int(np.ceil(bottom + store.pad_y[row])) :].any()
        assert not pixels[:, int(np.ceil(right + store.pad_x[row])) :].any()


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("padding", ["square", "none"])
def test_what_is_read_cannot_be_changed(make_workspace, padding, stored):
    source = open_films(make_workspace(padding, stored))
    for row in range(4):
        with pytest.raises(ValueError, match="read-only"):
            source.read(row)[0, 0] = 1
    for row in (-1, COUNT - 1):
        with pytest.raises(IndexError):
            source.read(row)


def test_stored_squares_are_views_on_the_map(make_workspace):
    store = ImageStore.open(make_workspace())
    assert not store.read(1).flags.owndata
    assert isinstance(store.shards[0].base, np.memmap)


@pytest.mark.parametrize("stored", [True, False])
def test_a_worker_receives_a_path_not_pixels(make_workspace, stored):
    source = open_films(make_workspace(stored=stored))
    message = pickle.dumps(source)
    assert len(message) < 1000
    assert np.array_equal(pickle.loads(message).read(2), source.read(2))


def test_films_of_different_sides_are_stacked(make_workspace):
    store = ImageStore.open(make_workspace("none"))
    stacked = stack_films(store, [0, 1, 2, 3])
    assert stacked.shape == (4, max(store.side[:4]), max(store.side[:4]))
    assert np.array_equal(stacked[2, : store.side[2], : store.side[2]], store.read(2))


def change_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def damage_store(folder, damage):
    shard = folder / "shard-00000.bin"
    if damage == "shortened":
        shard.write_bytes(shard.read_bytes()[:-1])
    elif damage == "header":
        data = bytearray(shard.read_bytes())
        data[3000] ^= 1
        shard.write_bytes(data)
    elif damage == "geometry":
        data = bytearray((folder / "geometry.arrow").read_bytes())
        data[len(data) // 2] ^= 1
        (folder / "geometry.arrow").write_bytes(data)
    elif damage in ("schema_version", "size", "stored"):
        change_manifest(folder, **{damage: {"schema_version": 1, "size": 41, "stored": False}[damage]})
    elif damage == "no JSON":
        (folder / "manifest.json").write_text("{")
    else:
        (folder / damage).unlink()


DAMAGES = ["shortened", "header", "geometry", "schema_version", "size", "stored", "no JSON"]


@pytest.mark.parametrize("damage", [*DAMAGES, "manifest.json", "geometry.arrow", "shard-00000.bin"])
def test_a_damaged_store_is_not_opened(make_workspace, damage):
    workspace = make_workspace()
    damage_store(workspace / "images", damage)
    with pytest.raises(ArtifactError, match="image store") as caught:
        open_films(workspace)
    assert "cxrkit prepare" in caught.value.next_step


def test_a_store_of_other_films_is_not_opened(make_workspace, monkeypatch):
    workspace = make_workspace()
    monkeypatch.setattr(store_record, "read_fingerprint", lambda workspace: {"image_list": "another"})
    for read in (ImageStore.open, FilmFiles.open):
        with pytest.raises(ArtifactError, match="image store") as caught:
            read(workspace)
        assert "other films" in caught.value.found
    shard = workspace / "images" / "shard-00000.bin"
    shard.write_bytes(shard.read_bytes()[:-1])
    damages = verify_store(workspace)
    assert (damages[0].file, damages[1].file) == ("manifest.json", shard.name)
    assert "other films" in damages[0].found


def test_a_store_without_pixels_is_no_image_store(make_workspace):
    with pytest.raises(ArtifactError) as caught:
        ImageStore.open(make_workspace(stored=False))
    assert "data.image_store" in caught.value.found


@pytest.mark.parametrize("fate", ["lost", "cut", "other size"])
def test_a_film_that_became_unreadable_is_an_error(make_workspace, accepted, monkeypatch, tmp_path, fate):
    files = FilmFiles.open(make_workspace(stored=False))
    path = tmp_path / "film.jpg"
    data = accepted[0].paths[0].read_bytes()
    if fate != "lost":
        path.write_bytes(data[:-9] if fate == "cut" else accepted[1].paths[0].read_bytes())
    monkeypatch.setattr(files._index, "image_path", lambda row: path)
    with pytest.raises(ArtifactError) as caught:
        files.read(0)
    code = {"lost": "missing_image", "cut": "truncated_image", "other size": "size_mismatch"}[fate]
    assert caught.value.found.startswith(code)


@pytest.mark.parametrize("padding", ["square", "none"])
def test_a_flipped_byte_is_found_and_named(make_workspace, accepted, padding):
    workspace = make_workspace(padding)
    progress = []
    assert verify_store(workspace, lambda *state: progress.append(state)) == []
    assert progress == [(COUNT - 1, COUNT - 1)]
    record = store_record.read_store_record(workspace)
    shard = workspace / "images" / "shard-00000.bin"
    whole = shard.read_bytes()
    places = np.random.default_rng(1).integers(0, len(whole), 60).tolist()
    for place in [0, 5, 4095, 4096, len(whole) - 1, *places]:
        data = bytearray(whole)
        data[place] ^= 1 << place % 8
        shard.write_bytes(data)
        damages = verify_store(workspace)
        assert len(damages) == 1
        assert damages[0].file == shard.name
        inside = (record.offset <= place) & (place < record.offset + record.height * record.width)
        expected = [film.dicom_id for film, hit in zip(accepted, inside, strict=True) if hit]
        assert [damages[0].dicom_id] == (expected or [""])


def test_all_damage_is_found_at_once(make_workspace, accepted):
    workspace = make_workspace()
    record = store_record.read_store_record(workspace)
    shard = workspace / "images" / "shard-00000.bin"
    data = bytearray(shard.read_bytes())
    for row in (3, 4, 60):
        data[record.offset[row] + 7] ^= 1
    shard.write_bytes(data)
    assert [damage.dicom_id for damage in verify_store(workspace)] == [
        accepted[row].dicom_id for row in (3, 4, 60)
    ]
    shard.unlink()
    assert [damage.found for damage in verify_store(workspace)] == ["it is missing"]


def test_a_shard_that_the_disk_does_not_give_is_a_damage(make_workspace, monkeypatch):
    def refuse(*arguments):
        raise OSError(5, "Input/output error")

    workspace = make_workspace()
    monkeypatch.setattr(verify_module, "shard_fault", refuse)
    assert verify_store(workspace) == [
        ("shard-00000.bin", "", "it cannot be read: Input/output error"),
    ]


@pytest.fixture
def film_workspace(synthetic_root, tmp_path):
    """Makes a real workspace that keeps no pixels, of films that may be changed."""
    from cxrkit.data.prepare import prepare_workspace

    def make(padding="square"):
        shutil.copytree(synthetic_root / "mimic-cxr-jpg", tmp_path / "films")
        folder = tmp_path / "prepared"
        prepare_workspace(
            tmp_path / "films",
            None,
            folder,
            image_store_size=48,
            image_store=False,
            image_store_padding=padding,
            workers=1,
        )
        return folder

    return make


@pytest.mark.parametrize("padding", ["square", "none"])
def test_films_that_are_not_stored_are_verified_by_their_pixels(film_workspace, padding):
    workspace = film_workspace(padding)
    progress = []
    assert verify_store(workspace, lambda *state: progress.append(state)) == []
    films = FilmFiles.open(workspace)
    assert progress[-1] == (films.count, films.count)
    changed, lost = films.path(3), films.path(5)
    picture = Image.open(changed)
    picture.transpose(Image.Transpose.ROTATE_180).save(changed, quality=95)
    lost.unlink()
    assert verify_store(workspace) == [
        (
            str(changed),
            changed.stem,
            "its pixels are not those that were checked: another file, or another decoder",
        ),
        (str(lost), lost.stem, "missing_image"),
    ]


def test_without_the_table_of_films_none_is_checked(film_workspace):
    workspace = film_workspace()
    (workspace / "index/texts.arrow").unlink()
    assert verify_store(workspace) == []
    table = workspace / "index/images.arrow"
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 1
    table.write_bytes(data)
    told = "no film could be checked: index/images.arrow is not what was written"
    assert verify_store(workspace) == [("manifest.json", "", told)]
    table.unlink()
    assert "No such file" in verify_store(workspace)[0].found
    (workspace / "index/fingerprint.json").unlink()
    assert [damage.found for damage in verify_store(workspace)] == [
        "it does not fit the index: an index folder without fingerprint.json"
    ]


def test_a_worker_refuses_films_of_another_workspace(film_workspace):
    from cxrkit.data.prepare import prepare_workspace

    workspace = film_workspace()
    message = pickle.dumps(FilmFiles.open(workspace))
    prepare_workspace(workspace.parent / "films", None, workspace, 64, image_store=False, workers=1)
    with pytest.raises(ArtifactError, match="prepared again"):
        pickle.loads(message)


def test_a_prepared_workspace(workspace, tmp_path):
    """The readers on a real index: a store made anew from its films."""
    from cxrkit.data.films.film_list import FilmFile
    from cxrkit.data.index import Index

    index = Index.open(workspace)
    columns = [index.images.column(name).to_pylist() for name in ("dicom_id", "columns", "rows")]
    films = [
        FilmFile(dicom, (index.image_path(row),), width, height)
        for row, (dicom, width, height) in enumerate(zip(*columns, strict=True))
    ]
    shutil.copytree(workspace / "index", tmp_path / "index")
    reads = []
    for stored in (True, False):
        shutil.rmtree(tmp_path / "images", ignore_errors=True)
        write_films(tmp_path / "images", films, StoreLayout(64, "none", stored), 1)
        source = open_films(tmp_path)
        reads.append([source.read(row) for row in range(source.count)])
        assert verify_store(tmp_path) == []
    assert all(np.array_equal(*pair) for pair in zip(*reads, strict=True))
