"""What is read of the films, on tiny arrays: means of blocks, exposure, blank films, pairs."""

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrkit.analysis import analyze
from cxrkit.analysis.exposure import measure_exposure
from cxrkit.analysis.film_leakage import measure_film_leakage
from cxrkit.analysis.film_scan import block_means, scan_films
from cxrkit.analysis.near_pairs import near_pairs, unit_points


@dataclass
class Squares:
    """Films of one side, with zeros beside some."""

    films: list[np.ndarray]
    pad_x: np.ndarray = field(init=False)
    pad_y: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.size = max(film.shape[0] for film in self.films)
        self.count = len(self.films)
        self.side = np.full(self.count, self.size, np.int32)
        self.scale = np.ones(self.count, np.float32)
        self.pad_x = np.zeros(self.count, np.float32)
        self.pad_y = np.zeros(self.count, np.float32)

    def read(self, image_row: int) -> np.ndarray:
        return self.films[image_row]


def noise(seed: int, side: int = 64) -> np.ndarray:
    """Draws a film that no other seed's resembles: coarse squares of random grey."""
    coarse = np.random.default_rng(seed).integers(20, 230, (side // 4, side // 4)).astype(np.uint8)
    return np.kron(coarse, np.ones((4, 4), np.uint8))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 8), st.integers(0, 99))
def test_means_of_blocks_are_those_of_a_plain_loop(height, width, side, seed):
    film = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    means = block_means(film, side)
    for row in range(side):
        for column in range(side):
            top, left = row * height // side, column * width // side
            bottom = max((row + 1) * height // side, top + 1)
            right = max((column + 1) * width // side, left + 1)
            assert means[row, column] == pytest.approx(film[top:bottom, left:right].mean(), rel=1e-6)


def test_exposure_of_known_films():
    half = np.zeros((64, 64), np.uint8)
    half[:16] = 255
    films = Squares([np.full((64, 64), 100, np.uint8), half, 255 - half, noise(0)])
    scan = scan_films(films)
    assert scan.is_blank.tolist() == [True, False, False, False]
    assert scan.mean.tolist() == pytest.approx([film.mean() for film in films.films], abs=1e-3)
    assert scan.deviation.tolist() == pytest.approx([film.std() for film in films.films], abs=1e-3)
    assert (scan.low[1], scan.high[1]) == (0, 255)
    exposure = measure_exposure(scan)
    assert (exposure["blank"], exposure["films_mostly_dark"], exposure["films_mostly_bright"]) == (1, 1, 1)
    assert sum(exposure["histogram"]["films"]) == 4
    assert exposure["mean_grey"]["min"] == pytest.approx(63.75)
    assert exposure["mean_grey"]["max"] == pytest.approx(191.25)


def test_the_zeros_beside_a_film_are_no_part_of_it():
    narrow = Squares([np.pad(np.full((64, 44), 90, np.uint8), ((0, 0), (10, 10))), noise(1)])
    narrow.pad_x[0] = 10
    scan = scan_films(narrow)
    assert scan.mean[0] == 90
    assert scan.is_blank.tolist() == [True, False]


def test_progress_ends_with_all_films():
    steps = []
    scan_films(Squares([noise(seed, 16) for seed in range(600)]), lambda *step: steps.append(step))
    assert steps[-1] == (600, 600)
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})


@pytest.mark.parametrize("seed", range(4))
def test_near_pairs_are_those_of_comparing_all_with_all(seed):
    draw = np.random.default_rng(seed)
    pictures = draw.integers(0, 256, (90, 16, 16))
    # Copies that are more and more disturbed, on both sides of the limit.
    copies = [pictures[row] + draw.normal(0, row / 2, (16, 16)) for row in range(40)]
    thumbnails = np.concatenate([pictures, np.clip(copies, 0, 255).round()]).astype(np.uint8)
    left_out = draw.random(len(thumbnails)) < 0.1
    thumbnails[7] = 30
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float64)
    expected = []
    for first, second in combinations(range(len(thumbnails)), 2):
        if left_out[first] or left_out[second] or 7 in (first, second):
            continue
        # On unit pictures the distance is a matter of the correlation alone.
        correlation = np.corrcoef(flat[first], flat[second])[0, 1]
        if np.sqrt(max(2 - 2 * correlation, 0)) <= 0.1:
            expected.append((first, second))
    found = near_pairs(unit_points(thumbnails, left_out), 0.1)
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == expected
    assert 3 < len(expected) < 40
    assert not found.truncated


def test_more_pairs_than_are_kept_are_said_so():
    same = unit_points(np.stack([noise(3, 16)] * 5), np.zeros(5, bool))
    found = near_pairs(same, 0.1, most=4)
    assert len(found.first) == 4
    assert found.truncated
    assert len(near_pairs(same[:1], 0.1).first) == 0


def test_films_there_twice_are_counted_by_kind_split_and_patient(make_index):
    index = make_index(studies=20, questions=1)
    films = [noise(seed) for seed in range(20)]
    films[19] = films[0].copy()
    films[3] = films[2].copy()
    # The same film, darker and of less contrast, in the validation split.
    films[13] = (films[5] * 0.8 + 4).astype(np.uint8)
    films[8] = films[9] = np.full((64, 64), 7, np.uint8)
    source = Squares(films)
    found = measure_film_leakage(index, source, scan_films(source))
    assert (found["films"], found["blank"]) == (20, 2)
    identical, near = found["identical"], found["near_identical"]
    assert (identical["pairs"], identical["pairs_across_splits"]) == (2, 1)
    assert identical["pairs_of_different_patients"] == 2
    assert identical["examples_across_splits"] == [{"dicom_ids": ["d0", "d19"], "splits": ["train", "test"]}]
    assert (near["pairs"], near["pairs_across_splits"]) == (1, 1)
    assert near["examples_across_splits"] == [{"dicom_ids": ["d5", "d13"], "splits": ["train", "validate"]}]


def test_one_patients_own_film_twice_is_no_other_patients(make_index):
    index = make_index(studies=20, questions=1)
    subject = index.column("images", "subject_id").copy()
    subject[1] = subject[0]
    index.replace("images", subject_id=subject)
    source = Squares([noise(0), noise(0), *(noise(seed) for seed in range(2, 20))])
    found = measure_film_leakage(index, source, scan_films(source))["identical"]
    assert (found["pairs"], found["pairs_of_different_patients"]) == (1, 0)


def test_blank_films_are_a_warning_and_films_not_read_are_said_to_be_unknown(make_index, tmp_path):
    index = make_index(studies=20, questions=1)
    source = Squares([np.full((64, 64), 7, np.uint8), *(noise(seed) for seed in range(19))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cxrkit.analysis.report.draw_files", lambda *_: None)
        report = analyze(index, tmp_path / "read", films=source)
    (blank,) = [remark for remark in report.data["remarks"] if remark["code"] == "blank_films"]
    assert blank["values"] == {"films": 1}
    assert blank["message"] == "1 film without any contrast"
    unread = analyze(index, tmp_path / "unread")
    assert unread.data["films"]["exposure"] is unread.data["films"]["leakage"] is None
    assert not {"blank_films"} & {remark["code"] for remark in unread.data["remarks"]}
    assert "The films were not read" in (tmp_path / "unread" / "report.html").read_text("utf-8")
