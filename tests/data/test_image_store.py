"""Decoding of films: geometry, strictness, and the shards."""

import io
import pickle

import numpy as np
import pytest
from handmade_release import film_bytes, make_release
from PIL import Image

from cxrkit.data.decode_film import FilmError, decode_film, fitted_size
from cxrkit.data.film_shards import FilmFile, write_film_shards
from cxrkit.data.image_store import ImageStore
from cxrkit.data.prepare import prepare_workspace
from cxrkit.errors import ArtifactError


def stored(tmp_path, data, width, height, size, name="film.jpg"):
    (tmp_path / name).write_bytes(data)
    return decode_film(tmp_path / name, width, height, size)


def encoded(pixels, form="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **options)
    return stream.getvalue()


def area_mean(pixels, width, height):
    """Plain block means, for whole-number ratios."""
    rows, columns = pixels.shape[0] // height, pixels.shape[1] // width
    return pixels.reshape(height, rows, width, columns).mean(axis=(1, 3))


@pytest.mark.parametrize(
    ("width", "height"), [(320, 160), (160, 320), (256, 256), (64, 32), (33, 70), (1000, 7)]
)
def test_geometry(tmp_path, width, height):
    film = stored(tmp_path, film_bytes(1, width, height), width, height, 64)
    fitted = fitted_size(width, height, 64)
    assert max(fitted) == 64
    assert film.pixels.shape == (64, 64)
    assert film.scale == 64 / max(width, height)
    left, top = int(film.pad_x), int(film.pad_y)
    inside = np.zeros((64, 64), dtype=bool)
    inside[top : top + fitted[1], left : left + fitted[0]] = True
    assert (film.pixels[~inside] == 0).all()
    # Corners of the film land inside the square, to half a store pixel.
    assert width * film.scale + film.pad_x <= 64 + 0.5
    assert height * film.scale + film.pad_y <= 64 + 0.5


def test_a_point_lands_where_the_formula_says(tmp_path):
    pixels = np.zeros((300, 400), dtype=np.uint8)
    pixels[200:212, 100:112] = 255
    film = stored(tmp_path, encoded(pixels), 400, 300, 100, "film.png")
    y, x = np.argwhere(film.pixels > 128).mean(axis=0) + 0.5
    assert x == pytest.approx(106 * film.scale + film.pad_x, abs=0.6)
    assert y == pytest.approx(206 * film.scale + film.pad_y, abs=0.6)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_shrinking_averages_areas(tmp_path, form):
    generator = np.random.default_rng(0)
    smooth = generator.integers(0, 255, (16, 16)).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(smooth).resize((512, 512), Image.Resampling.BICUBIC))
    film = stored(tmp_path, encoded(pixels, form), 512, 512, 64)
    difference = film.pixels.astype(float) - area_mean(pixels, 64, 64)
    assert np.abs(difference).mean() < 3
    assert abs(difference.mean()) < 0.5


def test_shrinking_does_not_alias(tmp_path):
    board = ((np.indices((512, 512)).sum(axis=0) % 2) * 255).astype(np.uint8)
    film = stored(tmp_path, encoded(board), 512, 512, 60)
    assert np.abs(film.pixels[2:-2, 2:-2].astype(float) - 127.5).max() < 12


def test_enlarging_a_small_film(tmp_path):
    film = stored(tmp_path, encoded(np.full((20, 10), 77, dtype=np.uint8)), 10, 20, 64)
    assert film.scale == pytest.approx(3.2)
    assert set(np.unique(film.pixels)) == {0, 77}


def test_colour_films_become_grey(tmp_path):
    colour = np.full((40, 40, 3), 90, dtype=np.uint8)
    for form in ("PNG", "JPEG"):
        assert np.abs(stored(tmp_path, encoded(colour, form), 40, 40, 32).pixels.astype(int) - 90).max() <= 1


def test_padding_after_the_end_is_tolerated(tmp_path):
    whole = stored(tmp_path, film_bytes(1, 64, 64), 64, 64, 32)
    padded = stored(tmp_path, film_bytes(1, 64, 64) + b"\0\0\n", 64, 64, 32)
    assert np.array_equal(whole.pixels, padded.pixels)


NOISE = np.random.default_rng(1).integers(0, 255, (64, 64)).astype(np.uint8)
JPEG, PNG = encoded(NOISE, "JPEG"), encoded(NOISE, "PNG")
UNUSABLE = {
    "empty": (b"", "truncated_image"),
    "text": (b"<html>not found</html>", "not_an_image"),
    "gif": (b"GIF89a" + bytes(50), "not_an_image"),
    "half_jpeg": (JPEG[: len(JPEG) // 2], "truncated_image"),
    "last_byte": (JPEG[:-1], "truncated_image"),
    "zero_tail": (JPEG[: len(JPEG) // 2] + bytes(len(JPEG) // 2), "truncated_image"),
    "half_png": (PNG[: len(PNG) // 2], "truncated_image"),
    "header_only": (JPEG[:20] + b"\xff\xd9", "unreadable_image"),
    "deep": (encoded(NOISE.astype(np.uint16) * 256, "PNG"), "unsupported_pixels"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_films(tmp_path, case):
    data, code = UNUSABLE[case]
    with pytest.raises(FilmError) as caught:
        stored(tmp_path, data, 64, 64, 32)
    assert caught.value.code == code


def test_missing_film_and_folder(tmp_path):
    with pytest.raises(FilmError) as caught:
        decode_film(tmp_path / "none.jpg", 64, 64, 32)
    assert caught.value.code == "missing_image"
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(FilmError) as caught:
        decode_film(tmp_path / "folder.jpg", 64, 64, 32)
    assert caught.value.code == "unreadable_image"


@pytest.mark.parametrize(("width", "height"), [(64, 63), (63, 64), (32, 128)])
def test_size_must_be_that_of_the_table(tmp_path, width, height):
    with pytest.raises(FilmError) as caught:
        stored(tmp_path, JPEG, width, height, 32)
    assert caught.value.code == "size_mismatch"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("width", "height"), [(8001, 8000), (20000, 20000)])
def test_huge_films_are_refused_by_their_header(tmp_path, width, height):
    data = bytearray(JPEG)
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    with pytest.raises(FilmError) as caught:
        stored(tmp_path, bytes(data), width, height, 32)
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize("workers", [1, 3, None])
def test_shards_hold_the_films_in_order(tmp_path, monkeypatch, workers):
    monkeypatch.setattr("cxrkit.data.film_shards.FILMS_PER_SHARD", 4)
    films = []
    for number in range(11):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(film_bytes(number, 40, 40) if number != 5 else b"")
        films.append(FilmFile(str(number), (path,), 40, 40))
    folder = tmp_path / "images"
    folder.mkdir()
    results = write_film_shards(folder, films, 16, workers)
    assert [result.code for result in results] == [""] * 5 + ["truncated_image"] + [""] * 5
    sizes = [(folder / f"shard-0000{shard}.bin").stat().st_size for shard in range(3)]
    assert sizes == [4 * 256, 4 * 256, 2 * 256]
    pixels = np.concatenate(
        [np.fromfile(folder / f"shard-0000{shard}.bin", dtype=np.uint8) for shard in range(3)]
    )
    expected = [decode_film(film.paths[0], 40, 40, 16).pixels for film in films if film.dicom_id != "5"]
    assert np.array_equal(pixels.reshape(-1, 16, 16), expected)


@pytest.fixture
def workspace(tmp_path):
    release = make_release()
    prepare_workspace(release.write_mimic(tmp_path / "mimic"), None, tmp_path / "workspace", 32)
    return tmp_path / "workspace"


def test_views_are_read_only_and_mapped(workspace):
    store = ImageStore.open(workspace)
    film = store.read(1)
    assert isinstance(store.shards[0], np.memmap)
    assert not film.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        film[0, 0] = 1


def test_a_worker_receives_a_path_not_pixels(workspace):
    store = ImageStore.open(workspace)
    message = pickle.dumps(store)
    assert len(message) < 1000
    assert np.array_equal(pickle.loads(message).read(2), store.read(2))


@pytest.mark.parametrize(
    "damage",
    ["manifest.json", "geometry.arrow", "shard-00000.bin", "shortened", "other_films", "other_version"],
)
def test_damaged_store_is_not_opened(workspace, damage):
    folder = workspace / "images"
    manifest = folder / "manifest.json"
    if damage == "shortened":
        (folder / "shard-00000.bin").write_bytes((folder / "shard-00000.bin").read_bytes()[:-1])
    elif damage == "other_films":
        manifest.write_text(manifest.read_text().replace('"image_list": "', '"image_list": "0'))
    elif damage == "other_version":
        manifest.write_text(manifest.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    else:
        (folder / damage).unlink()
    with pytest.raises(ArtifactError, match="image store") as caught:
        ImageStore.open(workspace)
    assert "cxrkit prepare" in caught.value.next_step
