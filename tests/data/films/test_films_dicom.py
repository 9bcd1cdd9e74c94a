"""DICOM films: grey levels against pydicom's own processing, every kind of damage a film error."""

import io
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
from encoded_films import dicom_bytes, dicom_dataset, encapsulated, encoded, lossless_jpeg_bytes, smooth
from PIL import Image

from cxrkit.data.films.decode import decode_film
from cxrkit.data.films.dicom import decode_dicom
from cxrkit.data.films.film_error import FILM_CODES, FilmError
from cxrkit.data.films.shape import StoreLayout
from cxrkit.errors import CxrkitError

pydicom = pytest.importorskip("pydicom")

from pydicom import uid  # noqa: E402
from pydicom.pixels import apply_modality_lut, apply_voi_lut  # noqa: E402

SIZE = (150, 200)
GREY = smooth(*SIZE)
CODES = GREY.astype(np.uint16) * 16
SIGNED = CODES.astype(np.int16) - 2048


def grey_of(dataset):
    return decode_dicom(dicom_bytes(dataset), SIZE)


def spanned(values):
    low, high = values.min(), values.max()
    return np.rint((values - low) / (high - low) * 255)


def lookup(entries, first, bits):
    item = pydicom.Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = [int(entry) for entry in entries]
    item["LUTData"].VR = "US"
    return pydicom.Sequence([item])


def test_without_window_the_grey_levels_span_the_film():
    for codes in (CODES, SIGNED):
        assert np.array_equal(grey_of(dicom_dataset(codes)), spanned(codes.astype(float)))


def test_monochrome1_is_inverted():
    plain, inverted = (
        grey_of(dicom_dataset(CODES, PhotometricInterpretation=kind)).astype(int)
        for kind in ("MONOCHROME2", "MONOCHROME1")
    )
    assert np.abs(plain + inverted - 255).max() <= 1


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("codes", [CODES, SIGNED], ids=["unsigned", "signed"])
@pytest.mark.parametrize("rescale", [None, (0.5, -100), (2.0, 7)])
def test_windows_are_those_of_pydicom(function, codes, rescale):
    tags = {"VOILUTFunction": function, "WindowWidth": 1500, "WindowCenter": float(np.median(codes))}
    if rescale:
        tags |= {"RescaleSlope": rescale[0], "RescaleIntercept": rescale[1]}
    dataset = dicom_dataset(codes, **tags)
    # pydicom's result spans the range of the stored bits after rescale.
    low, high = (-2048, 2047) if codes.dtype.kind == "i" else (0, 4095)
    low, high = (bound * rescale[0] + rescale[1] if rescale else bound for bound in (low, high))
    shown = apply_voi_lut(apply_modality_lut(codes, dataset), dataset)
    expected = (shown - low) / (high - low) * 255
    assert np.abs(grey_of(dataset) - expected).max() <= 1


def test_the_first_of_several_windows_is_taken():
    one = dicom_dataset(CODES, WindowCenter=2000, WindowWidth=900)
    several = dicom_dataset(CODES, WindowCenter=[2000, 10], WindowWidth=[900, 20])
    assert np.array_equal(grey_of(one), grey_of(several))


def test_a_voi_table_goes_before_a_window():
    entries = (np.linspace(0, 1, 3000) ** 2 * 4095).astype(int)
    dataset = dicom_dataset(CODES, VOILUTSequence=lookup(entries, 500, 12), WindowCenter=1, WindowWidth=1)
    expected = apply_voi_lut(CODES, dataset) / 4095 * 255
    assert np.abs(grey_of(dataset) - expected).max() <= 1
    dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    assert np.abs(grey_of(dataset) - expected).max() <= 1


def test_a_modality_table_goes_before_the_window():
    entries = (np.sqrt(np.linspace(0, 1, 4096)) * 1000).astype(int)
    tags = {"ModalityLUTSequence": lookup(entries, 0, 16), "WindowCenter": 600, "WindowWidth": 400}
    dataset = dicom_dataset(CODES, **tags)
    shown = entries[CODES]
    expected = ((shown - 599.5) / 399 + 0.5).clip(0, 1) * 255
    assert np.abs(grey_of(dataset) - expected).max() <= 1


def test_bits_above_those_stored_are_ignored():
    overlay = CODES | (np.indices(CODES.shape)[0] % 2 << 14).astype(np.uint16)
    assert np.array_equal(grey_of(dicom_dataset(overlay)), grey_of(dicom_dataset(CODES)))
    shifted = dicom_dataset(CODES << 4, HighBit=15)
    assert np.array_equal(grey_of(shifted), grey_of(dicom_dataset(CODES)))


def test_eight_bits_and_big_endian():
    assert np.array_equal(grey_of(dicom_dataset(GREY, 8)), spanned(GREY.astype(float)))
    big = dicom_dataset(CODES, syntax=uid.ExplicitVRBigEndian)
    big.PixelData = CODES.astype(">u2").tobytes()
    assert np.array_equal(grey_of(big), grey_of(dicom_dataset(CODES)))


COMPRESSED = [
    (uid.RLELossless, CODES),
    (uid.RLELossless, SIGNED),
    (uid.RLELossless, GREY),
    (uid.JPEGLSLossless, CODES),
    (uid.JPEGLSLossless, GREY),
    (uid.JPEG2000Lossless, CODES),
    (uid.JPEG2000Lossless, SIGNED),
    (uid.JPEG2000Lossless, GREY),
]


@pytest.mark.parametrize(("syntax", "codes"), COMPRESSED)
def test_lossless_compression_changes_nothing(syntax, codes):
    bits = 8 if codes is GREY else 12
    dataset = dicom_dataset(codes, bits)
    expected = grey_of(dataset)
    dataset.compress(syntax)
    assert np.array_equal(grey_of(dataset), expected)


@pytest.mark.parametrize("process", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1"])
@pytest.mark.parametrize("codes", [CODES, GREY], ids=["12 bits", "8 bits"])
def test_lossless_jpeg(tmp_path, process, codes):
    bits = 8 if codes is GREY else 12
    data = lossless_jpeg_bytes(codes, bits, tmp_path, process)
    assert np.array_equal(decode_dicom(data, SIZE), grey_of(dicom_dataset(codes, bits)))


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit])
def test_jpeg_in_dicom_is_decoded_strictly(syntax):
    stream = encoded(GREY)
    dataset = encapsulated(stream, GREY, 8, syntax)
    expected = spanned(np.asarray(Image.open(io.BytesIO(stream))).astype(float))
    assert np.abs(grey_of(dataset) - expected).max() <= 2
    damaged = stream[:900] + bytes(600) + stream[1500:]
    with pytest.raises(FilmError) as caught:
        grey_of(encapsulated(damaged, GREY, 8, syntax))
    assert caught.value.code == "damaged_image"


def test_a_film_as_it_is_stored(tmp_path):
    (tmp_path / "film.dcm").write_bytes(dicom_bytes(dicom_dataset(CODES)))
    film = decode_film(tmp_path / "film.dcm", *SIZE, StoreLayout(64))
    expected = Image.fromarray(spanned(CODES.astype(float)).astype(np.uint8)).resize(
        (48, 64), Image.Resampling.BOX
    )
    assert np.abs(film[:, 8:56].astype(float) - np.asarray(expected)).mean() < 2


REQUIRED = (
    "Rows",
    "Columns",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)


@pytest.mark.parametrize("tag", [*REQUIRED, "PixelData"])
def test_a_missing_tag_is_named(tag):
    dataset = dicom_dataset(CODES)
    delattr(dataset, tag)
    with pytest.raises(FilmError) as caught:
        grey_of(dataset)
    assert (caught.value.code, caught.value.detail) == ("dicom_incomplete", tag)


def compressed_kinds():
    for syntax in (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless):
        dataset = dicom_dataset(CODES)
        dataset.compress(syntax)
        yield dataset
    yield encapsulated(encoded(GREY), GREY, 8, uid.JPEGBaseline8Bit)


def test_a_compressed_film_that_is_cut_off_is_truncated():
    for dataset in compressed_kinds():
        whole = dicom_bytes(dataset)
        pixels = whole.index(b"\xe0\x7f\x10\x00")
        lengths = [len(whole) * percent // 100 for percent in range(5, 96, 5)]
        # Every place from the pixels' head through their table of frames, and before the end mark.
        lengths += [*range(pixels + 1, pixels + 40), *range(len(whole) - 12, len(whole) - 4)]
        for length in lengths:
            with pytest.raises(FilmError) as caught:
                decode_dicom(whole[:length], SIZE)
            assert caught.value.code == "truncated_image", (dataset.file_meta.TransferSyntaxUID, length)


def test_a_film_that_is_cut_off_in_its_header_is_truncated():
    whole = dicom_bytes(dicom_dataset(CODES))
    start, rows = whole.index(b"\x08\x00\x16\x00UI"), whole.index(b"\x28\x00\x10\x00US")
    codes = []
    for length in range(start, rows):
        with pytest.raises(FilmError) as caught:
            decode_dicom(whole[:length], SIZE)
        codes.append(caught.value.code)
    # Where an element ends, a cut-off file and a whole one without the other tags are the same bytes.
    assert set(codes) == {"truncated_image", "dicom_incomplete"}
    assert codes.count("dicom_incomplete") < 8


def test_a_whole_compressed_film_without_its_rows_is_incomplete():
    for dataset in compressed_kinds():
        del dataset.Rows
        with pytest.raises(FilmError) as caught:
            grey_of(dataset)
        assert (caught.value.code, caught.value.detail) == ("dicom_incomplete", "Rows")


def test_a_missing_transfer_syntax():
    data = dicom_bytes(dicom_dataset(CODES)).replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x11\x00UI", 1)
    with pytest.raises(FilmError) as caught:
        decode_dicom(data, SIZE)
    assert caught.value.code in ("dicom_incomplete", "unreadable_image")


def colour():
    return dicom_dataset(CODES, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)


def wrong_stream():
    return encapsulated(encoded(smooth(64, 64)), GREY, 8, uid.JPEGBaseline8Bit)


def huge_jpeg_2000():
    dataset = dicom_dataset(CODES)
    dataset.compress(uid.JPEG2000Lossless)
    frame = bytearray(dataset.PixelData)
    place = frame.index(b"\xff\x4f\xff\x51")
    frame[place + 8 : place + 16] = (60000).to_bytes(4, "big") * 2
    dataset.PixelData = bytes(frame)
    return dataset


def cut_frame():
    return encapsulated(encoded(GREY)[:1500], GREY, 8, uid.JPEGBaseline8Bit)


UNUSABLE = {
    "several frames": (lambda: dicom_dataset(CODES, NumberOfFrames=3), "unsupported_pixels"),
    "colour": (colour, "unsupported_pixels"),
    "32 bits": (lambda: dicom_dataset(CODES, BitsAllocated=32), "unsupported_pixels"),
    "more bits stored than there are": (lambda: dicom_dataset(CODES, BitsStored=17), "unreadable_image"),
    "unknown transfer syntax": (
        lambda: encapsulated(encoded(GREY), GREY, 8, uid.MPEG2MPML),
        "unsupported_pixels",
    ),
    "deflated": (
        lambda: dicom_dataset(CODES, syntax=uid.DeflatedExplicitVRLittleEndian),
        "unsupported_pixels",
    ),
    "too few pixels": (lambda: dicom_dataset(CODES, PixelData=CODES.tobytes()[:-2]), "truncated_image"),
    "another size": (lambda: dicom_dataset(CODES.T), "size_mismatch"),
    "window without width": (
        lambda: dicom_dataset(CODES, WindowCenter=5, WindowWidth=0),
        "unreadable_image",
    ),
    "slope 0": (lambda: dicom_dataset(CODES, RescaleSlope=0, RescaleIntercept=0), "unreadable_image"),
    "table too short": (
        lambda: dicom_dataset(CODES, VOILUTSequence=lookup([], 0, 12)),
        "unreadable_image",
    ),
    "stream of another size": (wrong_stream, "damaged_image"),
    "stream of a huge size": (huge_jpeg_2000, "damaged_image"),
    "stream cut off": (cut_frame, "truncated_image"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_dicom(case):
    make, code = UNUSABLE[case]
    with pytest.raises(FilmError) as caught:
        grey_of(make())
    assert caught.value.code == code


@pytest.mark.filterwarnings("ignore")
def test_a_huge_picture_is_refused_by_its_header():
    dataset = dicom_dataset(CODES, Rows=60000, Columns=60000)
    with pytest.raises(FilmError) as caught:
        decode_dicom(dicom_bytes(dataset), (60000, 60000))
    assert caught.value.code == "image_too_large"


def kinds(tmp_path):
    yield dicom_bytes(dicom_dataset(CODES, WindowCenter=[9, 1], WindowWidth=[900, 5], RescaleSlope=2))
    yield dicom_bytes(dicom_dataset(SIGNED, syntax=uid.ImplicitVRLittleEndian))
    for syntax in (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless):
        dataset = dicom_dataset(CODES)
        dataset.compress(syntax)
        yield dicom_bytes(dataset)
    yield dicom_bytes(encapsulated(encoded(GREY), GREY, 8, uid.JPEGBaseline8Bit))
    yield dicom_bytes(dicom_dataset(CODES, VOILUTSequence=lookup(range(4096), 0, 12)))


def damaged(data, generator, kind):
    """Damages header or pixels: bits, bytes, runs, losses, ends."""
    reach = len(data) if generator.random() < 0.4 else min(len(data), 1000)
    data = bytearray(data)
    for _ in range(int(generator.integers(1, 6))):
        place = int(generator.integers(132, reach))
        if kind == 0 and place < len(data):
            data[place] ^= 1 << int(generator.integers(8))
        elif kind == 1 and place < len(data):
            data[place] = int(generator.integers(256))
        elif kind == 2:
            data[place : place + 8] = b"\xff" * 8
        elif kind == 3:
            del data[place : place + int(generator.integers(1, 20))]
        else:
            del data[max(place, 140) :]
    return bytes(data)


@pytest.mark.filterwarnings("error")
def test_damaged_at_random_nothing_but_film_errors_escape(tmp_path, capfd):
    generator = np.random.default_rng(17)
    codes, slowest = [], 0.0
    for whole in kinds(tmp_path):
        for number in range(120):
            data = damaged(whole, generator, number % 5)
            start = time.perf_counter()
            try:
                assert decode_dicom(data, SIZE).shape == CODES.shape
            except FilmError as error:
                codes.append(error.code)
            slowest = max(slowest, time.perf_counter() - start)
    assert len(codes) > 300
    assert set(codes) <= set(FILM_CODES)
    assert slowest < 5
    assert capfd.readouterr().err == ""


def test_damaged_lossless_jpeg_ends_no_process(tmp_path, capfd):
    generator = np.random.default_rng(2)
    whole = lossless_jpeg_bytes(CODES, 12, tmp_path)
    start = whole.index(b"\xff\xd8\xff")
    codes = set()
    for _ in range(25):
        data = bytearray(whole)
        for _ in range(3):
            data[int(generator.integers(start + 2, len(data) - 20))] = int(generator.integers(256))
        try:
            decode_dicom(bytes(data), SIZE)
        except FilmError as error:
            codes.add(error.code)
    assert "damaged_image" in codes
    assert codes <= {"damaged_image", "truncated_image", "unreadable_image", "unsupported_pixels"}
    assert capfd.readouterr().err == ""


def test_details_hold_no_text_of_the_file():
    dataset = dicom_dataset(CODES, PatientName="Doe^Jane", PhotometricInterpretation="DOE JANE")
    with pytest.raises(FilmError) as caught:
        grey_of(dataset)
    assert "doe" not in str(caught.value).lower()


def test_without_pydicom_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(CxrkitError) as caught:
        decode_dicom(b"", SIZE)
    assert "pip install 'cxrkit[dicom]'" in caught.value.next_step


def test_without_a_decoder_the_error_says_what_to_install(monkeypatch, tmp_path):
    data = lossless_jpeg_bytes(CODES, 12, tmp_path)
    monkeypatch.setitem(sys.modules, "gdcm", None)
    with pytest.raises(CxrkitError) as caught:
        decode_dicom(data, SIZE)
    assert "python-gdcm" in caught.value.found
    # It reaches the user from a worker process, whole.
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_pydicom_is_imported_for_dicom_only():
    program = "import sys, cxrkit.data.films.decode, cxrkit.data.films.decode_unit\n"
    program += (
        "sys.exit(any(name in sys.modules for name in ('pydicom', 'gdcm', 'pyarrow', 'torch', 'polars')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
