"""Where a point of a film lies in its square, in both layouts."""

import numpy as np
import pytest
from encoded_films import encoded
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cxrkit.data.films.decode import decode_film
from cxrkit.data.films.resample import scaled_film
from cxrkit.data.films.shape import StoreLayout, fit_film, fit_films, letterbox

lengths = st.integers(1, 12_000)
layouts = st.builds(StoreLayout, st.integers(16, 512), st.sampled_from(["square", "none"]))


@given(lengths, lengths, layouts, st.floats(0, 1), st.floats(0, 1))
def test_a_point_survives_the_way_to_the_square_and_back(columns, rows, layout, across, down):
    shape = fit_film(columns, rows, layout)
    point = np.array([across * columns, down * rows])
    # As the artifact has it: 32-bit floats.
    scale, pad = np.float32(shape.scale), np.array([shape.pad_x, shape.pad_y], dtype=np.float32)
    square = point * float(scale) + pad
    assert (square >= -1e-3).all()
    assert (square <= shape.side + 0.5 + 1e-3).all()
    # Beyond this, 32-bit floats themselves are coarser.
    assert np.abs((square - pad) / float(scale) - point).max() < 1e-3


@given(lengths, lengths, layouts)
def test_shapes_keep_the_promises_of_their_layout(columns, rows, layout):
    shape = fit_film(columns, rows, layout)
    short, long = sorted((shape.width, shape.height))
    assert shape.side == (layout.size if layout.padding == "square" else long)
    assert 0 <= shape.pad_x <= shape.side - shape.width
    assert 0 <= shape.pad_y <= shape.side - shape.height
    stored = (shape.stored_width, shape.stored_height)
    if layout.padding == "square":
        assert long == layout.size
        assert stored == (layout.size, layout.size)
    else:
        assert long <= 4 * layout.size
        assert short == layout.size or long == 4 * layout.size
        assert stored == (shape.width, shape.height)
    assert abs(shape.width - columns * shape.scale) <= 0.5 or shape.width == 1
    assert abs(shape.height - rows * shape.scale) <= 0.5 or shape.height == 1


@given(st.lists(st.tuples(lengths, lengths), min_size=1, max_size=20), layouts)
def test_many_at_once_are_as_one_by_one(sizes, layout):
    columns, rows = zip(*sizes, strict=True)
    together = fit_films(columns, rows, layout)
    for number, size in enumerate(sizes):
        alone = fit_film(*size, layout)
        assert all(getattr(together, name)[number] == value for name, value in vars(alone).items())


@given(st.integers(30, 400), st.integers(30, 400), st.integers(32, 256))
def test_fractions_of_the_square_mean_the_same_in_both_layouts(columns, rows, size):
    square, alone = (fit_film(columns, rows, StoreLayout(size, padding)) for padding in ("square", "none"))
    for point in (0.0, columns / 2, float(columns)):
        there = [(point * shape.scale + shape.pad_x) / shape.side for shape in (square, alone)]
        # The padding is a whole number of pixels: half a pixel on either side.
        assert abs(there[0] - there[1]) <= 1.0 / square.side + 1.0 / alone.side


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([(400, 300), (301, 407), (333, 333), (640, 222), (255, 700), (127, 90)]),
    st.sampled_from(["square", "none"]),
    st.sampled_from(["PNG", "JPEG"]),
    st.floats(0.03, 0.97),
    st.floats(0.03, 0.97),
)
def test_a_bright_dot_lands_where_the_formula_says(tmp_path_factory, size, padding, form, across, down):
    columns, rows = size
    layout = StoreLayout(100, padding)
    x, y = int(across * (columns - 12)), int(down * (rows - 12))
    pixels = np.zeros((rows, columns), dtype=np.uint8)
    pixels[y : y + 12, x : x + 12] = 255
    path = tmp_path_factory.getbasetemp() / f"dot.{form}"
    path.write_bytes(encoded(pixels, form))
    shape = fit_film(columns, rows, layout)
    film = decode_film(path, columns, rows, layout)
    square = film if film.shape[0] == film.shape[1] else letterbox(film, shape.side, shape.pad_x, shape.pad_y)
    # JPEG leaves a haze around the dot.
    weights = np.where(square > 60, square, 0).astype(float)
    centres = np.arange(shape.side) + 0.5
    found = (weights.sum(0) @ centres / weights.sum(), weights.sum(1) @ centres / weights.sum())
    wanted = ((x + 6) * shape.scale + shape.pad_x, (y + 6) * shape.scale + shape.pad_y)
    assert found == pytest.approx(wanted, abs=0.25)


def test_the_far_edge_is_where_the_formula_says():
    # 2544 * 320 / 3056 = 266.4: stretching the film to 266 columns would move its edge by 0.4 pixels.
    shape = fit_film(2544, 3056, StoreLayout(320))
    film = np.zeros((3056, 2544), dtype=np.uint8)
    film[:, 2500:2510] = 255
    row = scaled_film(film, 2544, 3056, 1.0, shape)[100].astype(float)
    centre = row @ (np.arange(shape.width) + 0.5) / row.sum()
    assert centre == pytest.approx(2505 * shape.scale, abs=0.02)


def test_shrinking_averages_areas_and_does_not_alias():
    shape = fit_film(512, 512, StoreLayout(60))
    board = ((np.indices((512, 512)).sum(axis=0) % 2) * 255).astype(np.uint8)
    film = scaled_film(board, 512, 512, 1.0, shape)
    assert np.abs(film[2:-2, 2:-2].astype(float) - 127.5).max() < 12


@pytest.mark.parametrize("size", [(1, 9000), (9000, 1), (3, 4000), (40, 1200), (1, 1), (7, 5)])
@pytest.mark.parametrize("padding", ["square", "none"])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_strips_and_specks(tmp_path, size, padding, form):
    layout = StoreLayout(64, padding)
    (tmp_path / "film").write_bytes(encoded(np.full(size[::-1], 77, dtype=np.uint8), form))
    shape = fit_film(*size, layout)
    film = decode_film(tmp_path / "film", *size, layout)
    assert film.shape == (shape.stored_height, shape.stored_width)
    inside = film[shape.pad_y :, shape.pad_x :] if padding == "square" else film
    assert np.abs(inside[: shape.height, : shape.width].astype(int) - 77).max() <= 1
    assert film.size <= 4 * 64 * 64


@pytest.mark.parametrize("size", [(300, 401), (257, 255), (1023, 769), (90, 64)])
@pytest.mark.parametrize("store_size", [32, 64, 90, 128, 200, 256])
def test_dct_scaled_decoding_agrees_with_whole_decoding(tmp_path, size, store_size):
    columns, rows = size
    coarse = np.random.default_rng(3).integers(0, 255, (rows // 30 + 2, columns // 30 + 2)).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
    layout = StoreLayout(store_size, "none")
    films = []
    for form in ("PNG", "JPEG"):
        (tmp_path / form).write_bytes(encoded(pixels, form))
        films.append(decode_film(tmp_path / form, columns, rows, layout).astype(float))
    # Two means in a row blur a little more than one.
    assert np.abs(films[0] - films[1]).mean() < 2.5
    assert abs((films[0] - films[1]).mean()) < 0.5
