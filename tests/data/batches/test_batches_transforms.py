"""Network input against the plain way of making it; boxes, sides and erased rectangles."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from cxrkit.data.batches.dataset import Collate
from cxrkit.data.batches.sampling import draw_transform
from cxrkit.data.batches.transforms import affine_matrices, prepare_images, transform_boxes

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def draws(number, seed=0):
    return torch.from_numpy(np.stack([draw_transform(seed, 0, film) for film in range(number)]))


def smooth_films(number, side, seed=0):
    coarse = torch.rand(number, 1, 9, 9, generator=torch.Generator().manual_seed(seed))
    large = functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=False)
    return (large[:, 0].clamp(0, 1) * 255).to(torch.uint8)


def plain_input(images, transform, size):
    """Floating point throughout, one operation after the other; nothing is erased."""
    pixels = images[:, None].float() / 255
    if pixels.shape[-1] != size:
        pixels = functional.interpolate(
            pixels, (size, size), mode="bilinear", antialias=True, align_corners=False
        )
    if bool(transform.any()):
        grid = functional.affine_grid(affine_matrices(transform), list(pixels.shape), align_corners=False)
        pixels = functional.grid_sample(pixels, grid, align_corners=False)
        brightness, contrast = transform[:, 4, None, None, None], torch.exp(transform[:, 5, None, None, None])
        pixels = ((pixels - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)
    return (pixels.expand(-1, 3, -1, -1) - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[
        :, None, None
    ]


@pytest.mark.parametrize(("side", "size"), [(64, 64), (96, 64), (40, 64)])
def test_films_that_stand_still_are_resized_and_normalised(side, size):
    images = torch.randint(0, 256, (13, side, side), dtype=torch.uint8)
    found = prepare_images(images, torch.zeros(13, 10), size, MEAN, STD)
    torch.testing.assert_close(found, plain_input(images, torch.zeros(13, 10), size), rtol=1e-5, atol=2e-6)


def test_moved_films_are_those_of_plain_code():
    images, transform = smooth_films(11, 64), draws(11)
    transform[:, 6:] = 0
    expected = plain_input(images, transform, 64)
    torch.testing.assert_close(prepare_images(images, transform, 64, MEAN, STD), expected, rtol=0, atol=2e-4)
    torch.testing.assert_close(
        prepare_images(images, transform[:, :6], 64, MEAN, STD), expected, rtol=0, atol=2e-4
    )


def test_whole_grey_levels_cost_a_level_at_most():
    images, transform = smooth_films(11, 96), draws(11)
    transform[:, 4:] = 0
    found = prepare_images(images, transform, 64, [0.0] * 3, [1.0] * 3)
    expected = plain_input(images, transform, 64) * torch.tensor(STD)[:, None, None]
    expected += torch.tensor(MEAN)[:, None, None]
    difference = 255 * (found - expected)
    assert difference.abs().max() < 1.01
    assert difference.abs().mean() < 0.3


@pytest.mark.parametrize("size", [64, 48])
@pytest.mark.parametrize("moves", [True, False])
def test_a_film_does_not_depend_on_its_batch(size, moves):
    images = torch.randint(0, 256, (10, 64, 64), dtype=torch.uint8)
    transform = draws(10) if moves else torch.zeros(10, 10)
    together = prepare_images(images, transform, size, MEAN, STD)
    for film in range(10):
        alone = prepare_images(images[film, None], transform[film, None], size, MEAN, STD)
        torch.testing.assert_close(together[film, None], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("moves", [True, False])
def test_films_of_different_sides_are_prepared_as_if_alone(moves):
    sides = torch.tensor([64, 40, 52, 64, 40, 80, 40, 40, 40, 41], dtype=torch.int32)
    stacked = torch.full((10, 80, 80), 255, dtype=torch.uint8)
    films = [smooth_films(1, int(side), seed)[0] for seed, side in enumerate(sides)]
    for place, film in zip(stacked, films, strict=True):
        place[: len(film), : len(film)] = film
    transform = draws(10, seed=3) if moves else torch.zeros(10, 10)
    together = prepare_images(stacked, transform, 48, MEAN, STD, sides)
    for film, place in zip(films, range(10), strict=True):
        alone = prepare_images(film[None], transform[place, None], 48, MEAN, STD)
        torch.testing.assert_close(together[place, None], alone, rtol=0, atol=1e-5)


def test_films_of_one_side_take_the_short_way_to_the_same():
    images, transform = smooth_films(6, 64), draws(6)
    sides = torch.full((6,), 64)
    with_sides = prepare_images(images, transform, 48, MEAN, STD, sides)
    assert torch.equal(with_sides, prepare_images(images, transform, 48, MEAN, STD))


def test_memory_of_the_batch_before_is_written_over():
    images, transform = smooth_films(6, 64), draws(6)
    expected = prepare_images(images, transform, 48, MEAN, STD)
    memory = torch.full((6, 3, 48, 48), torch.nan)
    assert prepare_images(images, transform, 48, MEAN, STD, out=memory).data_ptr() == memory.data_ptr()
    assert torch.equal(memory, expected)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_follow_whatever_is_drawn(seed):
    """A bright rectangle and its box go through the whole transform; what is erased stays inside the box."""
    transform = draws(1, seed)
    image = torch.zeros(1, 256, 256, dtype=torch.uint8)
    image[0, 90:150, 70:130] = 255
    box = torch.tensor([[[70 / 256, 90 / 256, 130 / 256, 150 / 256]]])
    moved_box = transform_boxes(box, transform)
    transform[:, 4:] = 0
    assert torch.equal(moved_box, transform_boxes(box, transform))
    moved = prepare_images(image, transform, 128, [0.0] * 3, [1.0] * 3)[0, 0]
    rows, columns = torch.nonzero(moved > 0.5, as_tuple=True)
    found = torch.tensor([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 128
    assert moved_box[0, 0].tolist() == pytest.approx(found.tolist(), abs=0.02)


def test_left_stays_left():
    image = torch.zeros(40, 64, 64, dtype=torch.uint8)
    image[:, :, :20] = 200
    transform = draws(40)
    transform[:, 6:] = 0
    moved = prepare_images(image, transform, 64, [0.0] * 3, [1.0] * 3)[:, 0]
    assert (moved[:, :, :32].mean((1, 2)) > moved[:, :, 32:].mean((1, 2)) + 0.2).all()


def test_erased_rectangles_are_drawn_as_documented():
    drawn = draws(4000)
    x1, y1, x2, y2 = drawn[:, 6:].unbind(1)
    erased = x2 > x1
    assert erased.float().mean() == pytest.approx(0.25, abs=0.03)
    assert (drawn[~erased, 6:] == 0).all()
    width, height = (x2 - x1)[erased], (y2 - y1)[erased]
    area, aspect = width * height, width / height
    assert 0.0199 < area.min() < 0.024
    assert 0.096 < area.max() < 0.1001
    assert 0.499 < aspect.min() < 0.55
    assert 1.8 < aspect.max() < 2.001
    assert (drawn[erased, 6:] >= 0).all()
    assert (drawn[erased, 6:] <= 1.0001).all()


def test_the_first_six_numbers_are_as_ever():
    spread = np.array([0.10, 0.08, 0.04, 0.04, 0.08, 0.15])
    for seed, epoch, film in [(0, 0, 0), (3, 9, 27)]:
        uniform = np.random.default_rng((seed, 3, epoch, film)).uniform(-1, 1, size=6)
        expected = (spread * uniform).astype(np.float32)
        assert draw_transform(seed, epoch, film)[:6].tolist() == expected.tolist()


def test_an_erased_rectangle_is_the_mean_of_the_film_and_nothing_else_changes():
    images = torch.randint(0, 256, (2, 50, 50), dtype=torch.uint8)
    transform = torch.zeros(2, 10)
    transform[0, 6:] = torch.tensor([0.2, 0.4, 0.5, 0.6])
    found = prepare_images(images, transform, 50, [0.0] * 3, [1.0] * 3)
    still = prepare_images(images, torch.zeros(2, 10), 50, [0.0] * 3, [1.0] * 3)
    expected = still.clone()
    expected[0, :, 20:30, 10:25] = still[0].mean()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_sources_may_give_films_of_different_sides(index, store, settings, tokenize):
    """A layout without padding: odd films come in squares of half the side, with half the scale."""
    from cxrkit.data.batches.loading import training_films

    class HalfSized:
        def __init__(self):
            odd = np.arange(store.count) % 2 == 1
            self.size, self.count = store.size, store.count
            self.side = np.where(odd, store.size // 2, store.size).astype(np.int32)
            self.scale, self.pad_x, self.pad_y = (
                np.where(odd, values / 2, values) for values in (store.scale, store.pad_x, store.pad_y)
            )

        def read(self, image_row):
            film = store.read(image_row)
            return film[::2, ::2] if image_row % 2 else film

    source = HalfSized()
    films = training_films(index, source, settings, seed=0)
    keys = [(0, film) for film in range(6)]
    batch = Collate(index, tokenize)(films.__getitems__(keys))
    rows = batch["image_row"].numpy()
    assert len(set((rows % 2).tolist())) == 2
    assert batch["image_side"].tolist() == source.side[rows].tolist()
    for place, row in enumerate(rows.tolist()):
        side = source.side[row]
        assert torch.equal(batch["images"][place, :side, :side], torch.from_numpy(source.read(row).copy()))
        assert not batch["images"][place, side:].any()
    whole = Collate(index, tokenize)(training_films(index, store, settings, seed=0).__getitems__(keys))
    # Boxes are fractions of the square: the same, whatever its side.
    torch.testing.assert_close(batch["node_boxes"], whole["node_boxes"], rtol=0, atol=1e-6)
