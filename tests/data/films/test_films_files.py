"""JPEG and PNG files: healthy ones of every kind are read, damaged ones never are."""

import io
import os
import threading

import numpy as np
import pytest
from encoded_films import encoded, grainy, smooth
from PIL import Image

from cxrkit.data.films.decode import decode_film
from cxrkit.data.films.film_error import FILM_CODES, FilmError
from cxrkit.data.films.shape import StoreLayout

WIDTH, HEIGHT = 300, 400
LAYOUT = StoreLayout(64)
PICTURE = smooth(WIDTH, HEIGHT)
GRAINY = grainy(WIDTH, HEIGHT)
JPEG, PNG = encoded(GRAINY), encoded(GRAINY, "PNG")
EXPECTED = np.asarray(Image.fromarray(PICTURE).resize((48, 64), Image.Resampling.BOX)).astype(float)


def decoded(folder, data, width=WIDTH, height=HEIGHT, layout=LAYOUT):
    path = folder / "film"
    path.write_bytes(data)
    return decode_film(path, width, height, layout)


def code_of(folder, data, width=WIDTH, height=HEIGHT):
    with pytest.raises(FilmError) as caught:
        decoded(folder, data, width, height)
    assert caught.value.code in FILM_CODES
    return caught.value.code


ROTATED = Image.Exif()
ROTATED[274] = 6
HEALTHY = {
    "grey": encoded(PICTURE),
    "progressive": encoded(PICTURE, progressive=True),
    "colour 4:2:0": encoded(PICTURE, mode="RGB"),
    "colour 4:4:4": encoded(PICTURE, mode="RGB", subsampling=0),
    "stored as RGB": encoded(PICTURE, mode="RGB", keep_rgb=True),
    "cmyk": encoded(PICTURE, mode="CMYK"),
    "restart markers": encoded(PICTURE, restart_marker_blocks=7),
    "progressive with restarts": encoded(PICTURE, mode="RGB", progressive=True, restart_marker_rows=1),
    "optimised tables": encoded(PICTURE, optimize=True),
    # Boxes are in pixels as stored: a viewer's rotation must not be applied.
    "exif rotation": encoded(PICTURE, exif=ROTATED),
    "zeros after the end": encoded(PICTURE) + bytes(1000),
    "line end after the end": encoded(PICTURE) + b"\r\n",
    "fill bytes before markers": encoded(PICTURE).replace(b"\xff\xc0", b"\xff\xff\xff\xc0", 1),
    "png": encoded(PICTURE, "PNG"),
    "png colour": encoded(PICTURE, "PNG", mode="RGB"),
    "png with transparency": encoded(PICTURE, "PNG", mode="RGBA"),
    "png palette": encoded(PICTURE, "PNG", mode="P"),
    "png padded": encoded(PICTURE, "PNG") + bytes(10),
}


@pytest.mark.parametrize("kind", HEALTHY)
def test_healthy_films_of_every_kind(tmp_path, kind):
    film = decoded(tmp_path, HEALTHY[kind])
    assert film.shape == (64, 64)
    assert not film[:, :8].any()
    assert not film[:, 56:].any()
    difference = film[:, 8:56] - EXPECTED
    assert np.abs(difference).mean() < 2.5
    assert abs(difference.mean()) < 0.7


def lost_blocks():
    generator = np.random.default_rng(5)
    for number in range(40):
        place = int(generator.integers(1000, len(JPEG) - 4096 - 100))
        kind = ("zeroed", "cut", "noise")[number % 3]
        middle = {"zeroed": bytes(4096), "cut": b"", "noise": generator.bytes(4096)}[kind]
        yield JPEG[:place] + middle + JPEG[place + 4096 :]


def test_a_lost_block_is_noticed_where_pillow_sees_nothing(tmp_path):
    accepted_by_pillow = 0
    for data in lost_blocks():
        assert data.endswith(b"\xff\xd9")
        assert code_of(tmp_path, data) == "damaged_image"
        try:
            accepted_by_pillow += np.asarray(Image.open(io.BytesIO(data)).convert("L")).shape == (400, 300)
        except OSError:
            continue
    assert accepted_by_pillow >= 26


def with_frame(marker=0xC0, bits=8, size=None):
    data = bytearray(JPEG)
    frame = data.index(b"\xff\xc0")
    data[frame + 1], data[frame + 4] = marker, bits
    if size:
        data[frame + 5 : frame + 9] = size[1].to_bytes(2, "big") + size[0].to_bytes(2, "big")
    return bytes(data)


def with_wrong_checksum():
    data = bytearray(PNG)
    data[len(data) // 2] ^= 1
    return bytes(data)


UNUSABLE = {
    "empty": (b"", "truncated_image"),
    "web page": (b"<html>not found</html>", "not_an_image"),
    "gif": (b"GIF89a" + bytes(50), "not_an_image"),
    "half a jpeg": (JPEG[: len(JPEG) // 2], "truncated_image"),
    "without the last byte": (JPEG[:-1], "truncated_image"),
    "tail of zeros": (JPEG[: len(JPEG) // 2] + bytes(len(JPEG) // 2), "truncated_image"),
    "half with an end marker": (JPEG[: len(JPEG) // 2] + b"\xff\xd9", "damaged_image"),
    "only a start": (JPEG[:20] + b"\xff\xd9", "unreadable_image"),
    "arithmetic coding": (with_frame(marker=0xC9), "unsupported_pixels"),
    "lossless jpeg": (with_frame(marker=0xC3), "unsupported_pixels"),
    "12 bits": (with_frame(bits=12), "unsupported_pixels"),
    "thousand scans": (HEALTHY["progressive"][:-2] + b"\xff\xda" * 1000 + b"\xff\xd9", "damaged_image"),
    "half a png": (PNG[: len(PNG) // 2], "truncated_image"),
    "png without its last chunk": (PNG[:-12], "truncated_image"),
    "png with a flipped bit": (with_wrong_checksum(), "damaged_image"),
    "png without header": (PNG[:8] + PNG[33:], "unreadable_image"),
    "16-bit png": (encoded(GRAINY.astype(np.uint16) * 256, "PNG"), "unsupported_pixels"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_films(tmp_path, case):
    data, code = UNUSABLE[case]
    assert code_of(tmp_path, data) == code


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT - 1), (HEIGHT, WIDTH), (1, 1)])
@pytest.mark.parametrize("data", [JPEG, PNG], ids=["jpeg", "png"])
def test_the_size_must_be_that_of_the_table(tmp_path, data, size):
    assert code_of(tmp_path, data, *size) == "size_mismatch"


def huge_png():
    import zlib

    body = b"IHDR" + (13300).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    chunk = (13).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return PNG[:8] + chunk + PNG[33:]


@pytest.mark.parametrize("size", [(8001, 8000), (65000, 65000)])
def test_huge_films_are_refused_by_their_header(tmp_path, size):
    assert code_of(tmp_path, with_frame(size=size), *size) == "image_too_large"


def test_a_huge_png_is_refused_before_it_is_inflated(tmp_path):
    assert code_of(tmp_path, huge_png(), 13300, 13300) == "image_too_large"


def test_a_huge_file_is_not_read(tmp_path):
    with (tmp_path / "film").open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(FilmError) as caught:
        decode_film(tmp_path / "film", 10, 10, LAYOUT)
    assert caught.value.code == "image_too_large"


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder.jpg").mkdir()
    codes = []

    def decode_all():
        for name in ("none.jpg", "folder.jpg", "pipe"):
            with pytest.raises(FilmError) as caught:
                decode_film(tmp_path / name, 10, 10, LAYOUT)
            codes.append(caught.value.code)

    thread = threading.Thread(target=decode_all, daemon=True)
    thread.start()
    thread.join(10)
    assert codes == ["missing_image", "unreadable_image", "unreadable_image"]


def test_damaged_at_random_nothing_but_film_errors_escape(tmp_path):
    generator = np.random.default_rng(11)
    codes = set()
    for whole in (JPEG, PNG, HEALTHY["progressive"]):
        for _ in range(100):
            data = bytearray(whole)
            start = int(generator.integers(0, len(data)))
            data[start : start + int(generator.integers(1, 40))] = generator.bytes(
                int(generator.integers(0, 40))
            )
            try:
                assert decoded(tmp_path, bytes(data)).shape == (64, 64)
            except FilmError as error:
                codes.add(error.code)
    assert codes <= set(FILM_CODES)
