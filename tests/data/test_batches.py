"""Selection, sampling, targets and transforms on the synthetic workspace."""

import numpy as np
import pytest
import torch

from cxrkit.config import load_settings
from cxrkit.data.batches.dataset import Collate
from cxrkit.data.batches.loading import evaluation_films, labelled_films, make_loader, training_films
from cxrkit.data.batches.sampling import EpochSampler, Variation, draw_questions, draw_transform
from cxrkit.data.batches.selection import Filters, select_films, select_questions
from cxrkit.data.batches.targets import to_pixels, to_relative, unpack_bits
from cxrkit.data.batches.transforms import prepare_images, transform_boxes
from cxrkit.data.films.opener import open_films
from cxrkit.data.index import Index
from cxrkit.errors import DataLayoutError
from cxrkit.vocabulary import ANSWER_HEADS, REGIONS, Head

GRADE_B = Filters(minimum_rating=3)


@pytest.fixture(scope="module")
def index(workspace):
    return Index.open(workspace)


@pytest.fixture(scope="module")
def store(workspace):
    return open_films(workspace)


@pytest.fixture
def settings():
    return load_settings(None, "vqa", {"data.quality_grade": "B", "data.questions_per_image": 5}).data


def tokenize(texts):
    ids = torch.tensor([[len(text), 1] for text in texts])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def test_each_question_is_selected_once_for_evaluation(index):
    selection = select_questions(index, "test", GRADE_B, one_film_per_study=True)
    questions = np.concatenate(list(selection.parts(index)))
    assert len(set(questions.tolist())) == len(questions)
    assert (index.column("questions", "head")[questions] >= 0).all()
    assert (index.column("questions", "rating")[questions] >= 3).all()
    study_of_film = index.column("images", "study_row")[selection.image_rows]
    assert len(set(study_of_film.tolist())) == selection.films
    for film in range(selection.films):
        rows, counts = selection.question_rows(index, np.array([film]))
        assert len(rows) == counts == selection.num_questions[film]
        assert (index.column("questions", "study_row")[rows] == study_of_film[film]).all()


def test_left_out_questions_are_counted(index):
    everything = Filters(minimum_rating=0, view_filter="all")
    selection = select_questions(index, "test", everything, one_film_per_study=True)
    studies = np.flatnonzero(index.column("studies", "split") == 2)
    total = index.column("studies", "num_questions")[studies].sum()
    assert len(np.concatenate(list(selection.parts(index)))) + selection.free_text + selection.masked == total
    assert selection.free_text > 0


def test_frontal_filter_keeps_frontal_films_only(index):
    selection = select_questions(index, "train", GRADE_B, one_film_per_study=False)
    assert set(index.column("images", "view")[selection.image_rows].tolist()) == {0}


def test_a_filter_that_leaves_nothing_is_an_error(index):
    with pytest.raises(DataLayoutError, match="no question of the test split"):
        select_questions(index, "test", Filters(question_types=("A_indication",)), one_film_per_study=True)


def test_max_samples_limits_films(index):
    limited = Filters(minimum_rating=3, max_samples=3)
    selection = select_questions(index, "train", limited, one_film_per_study=False)
    assert selection.films == 3
    assert selection.num_questions.sum() == len(np.concatenate(list(selection.parts(index))))


def batches(index, store, settings, workers, epoch=0):
    films = training_films(index, store, settings, seed=7)
    loader = make_loader(films, Collate(index, tokenize), batch_size=4, workers=workers, shuffle=True)
    loader.sampler.set_epoch(epoch)
    return list(loader)


def same(first, second):
    return all(
        torch.equal(torch.nan_to_num(one[name]), torch.nan_to_num(two[name]))
        for one, two in zip(first, second, strict=True)
        for name in one
    )


def test_batches_are_the_same_for_any_number_of_workers(index, store, settings):
    assert same(batches(index, store, settings, 0), batches(index, store, settings, 2))


def test_another_epoch_has_another_order_and_the_same_one_repeats(index, store, settings):
    first, second = batches(index, store, settings, 0, epoch=0), batches(index, store, settings, 0, epoch=1)
    assert not torch.equal(first[0]["image_row"], second[0]["image_row"])
    assert same(second, batches(index, store, settings, 0, epoch=1))


def test_a_batch_holds_b_films_and_n_questions(index, store, settings):
    batch = batches(index, store, settings, 0)[0]
    questions = len(batch["question_row"])
    assert batch["images"].shape == (4, store.size, store.size)
    assert batch["images"].dtype == torch.uint8
    assert batch["image_of_question"].tolist() == sorted(batch["image_of_question"].tolist())
    assert questions == 4 * 5
    # Equal texts once: the row of each question leads back to its own text.
    texts = index.texts.column("text")
    ids = index.column("questions", "question_text")[batch["question_row"].numpy()]
    lengths = [len(texts[int(row)].as_py()) for row in ids]
    assert batch["input_ids"][batch["text_of_question"], 0].tolist() == lengths
    assert len(batch["input_ids"]) == len(set(ids.tolist()))


def test_targets_follow_the_router(index, store, settings):
    films = evaluation_films(index, store, settings, "test", questions_per_image=None, seed=0)
    for batch in make_loader(films, Collate(index, tokenize), batch_size=8, workers=0, shuffle=False):
        for code, head in enumerate(ANSWER_HEADS):
            rows = batch["head"] == code
            if head is Head.BINARY:
                assert (batch["binary_target"][rows] >= 0).all()
                assert (batch["binary_target"][~rows] == -1).all()
            if head is Head.SEVERITY:
                assert (batch["severity_target"][rows] >= 0).all()


def test_balanced_sampling_shows_more_positive_answers(index, store, settings):
    def positives(sampling):
        changed = settings.model_copy(update={"question_sampling": sampling})
        films = training_films(index, store, changed, seed=0)
        rows = np.concatenate([films[(0, film)].questions for film in range(len(films))])
        return (index.column("questions", "polarity")[rows] == 1).mean()

    assert positives("balanced") > 1.3 * positives("uniform")


def test_drawn_questions_are_a_pure_function_without_repeats():
    weights = np.linspace(1, 3, 50)
    drawn = draw_questions(3, 1, 9, weights, 12)
    assert len(set(drawn.tolist())) == 12
    assert drawn.tolist() == draw_questions(3, 1, 9, weights, 12).tolist()
    assert drawn.tolist() != draw_questions(3, 2, 9, weights, 12).tolist()
    assert draw_questions(3, 1, 9, weights[:4], 12).tolist() == [0, 1, 2, 3]


def test_draws_follow_their_weights():
    weights = np.array([1.0, 4.0, 1.0, 4.0])
    counts = np.bincount(
        np.concatenate([draw_questions(0, epoch, 0, weights, 1) for epoch in range(2000)]), minlength=4
    )
    assert counts / 2000 == pytest.approx([0.1, 0.4, 0.1, 0.4], abs=0.04)


def test_sampler_is_a_permutation_with_its_epoch():
    sampler = EpochSampler(10, seed=1)
    sampler.set_epoch(3)
    keys = list(sampler)
    assert {epoch for epoch, _ in keys} == {3}
    assert sorted(film for _, film in keys) == list(range(10))


def test_labelled_films_have_labels(index, store, settings):
    films = labelled_films(index, store, settings, "train", seed=0)
    study = index.column("images", "study_row")[films.selection.image_rows]
    assert index.column("studies", "has_chexpert")[study].all()
    frontal = select_films(index, "train", "frontal_only", one_film_per_study=False)
    missing = ~index.column("studies", "has_chexpert")[index.column("images", "study_row")[frontal]]
    assert len(films) == len(frontal) - missing.sum()


def test_boxes_return_to_original_pixels(store):
    boxes = np.array([[10.0, 20.0, 100.0, 150.0]], dtype=np.float32)
    for row in range(min(5, store.count)):
        assert to_pixels(to_relative(boxes, store, row), store, row) == pytest.approx(boxes, abs=1e-2)


def test_unpack_bits_against_python():
    bits = np.array([0, 1, 2**25 + 4])
    expected = [[float(value >> place & 1) for place in range(len(REGIONS))] for value in bits.tolist()]
    assert unpack_bits(bits, len(REGIONS)).tolist() == expected


@pytest.mark.parametrize("seed", range(5))
def test_boxes_move_with_the_film(seed):
    """A bright rectangle and its box go through the same transform; the box still fits the rectangle."""
    image = torch.zeros(1, 96, 96, dtype=torch.uint8)
    image[0, 30:60, 24:48] = 255
    box = torch.tensor([[[24 / 96, 30 / 96, 48 / 96, 60 / 96]]])
    transform = torch.from_numpy(draw_transform(seed, 0, 0))[None]
    transform[:, 4:] = 0
    moved = prepare_images(image, transform, 96, [0.0] * 3, [1.0] * 3)[0, 0]
    rows, columns = torch.nonzero(moved > 0.5, as_tuple=True)
    found = torch.tensor([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 96
    assert transform_boxes(box, transform)[0, 0].tolist() == pytest.approx(found.tolist(), abs=0.025)


def test_no_transform_leaves_the_film_as_it_is():
    image = torch.randint(0, 255, (2, 32, 32), dtype=torch.uint8)
    prepared = prepare_images(image, torch.zeros(2, 6), 32, [0.5] * 3, [0.25] * 3)
    expected = (image.float() / 255 - 0.5) / 0.25
    torch.testing.assert_close(prepared, expected[:, None].expand(-1, 3, -1, -1))


def blank_films(index, store, settings, share, **more):
    changes = {"blank_image_share": share, "question_sampling": "balanced", **more}
    return training_films(index, store, settings.model_copy(update=changes), seed=7)


def test_a_share_of_training_films_is_shown_empty_and_unmoved(index, store, settings):
    films = blank_films(index, store, settings, 0.3, variation=Variation())
    batch = films.__getitems__([(epoch, film) for epoch in range(4) for film in range(len(films))])
    empty = ~batch.images.any(axis=(1, 2))
    assert empty.mean() == pytest.approx(0.3, abs=0.08)
    assert not batch.transforms[empty].any()
    assert batch.transforms[~empty].any(axis=1).all()
    again = blank_films(index, store, settings, 0.3, variation=Variation())[(2, 5)]
    assert np.array_equal(again.images[0], batch.images[2 * len(films) + 5])
    without = blank_films(index, store, settings, 0.0).__getitems__([(0, film) for film in range(len(films))])
    assert without.images.any(axis=(1, 2)).all()


def test_empty_films_are_asked_as_the_data_set_asks(index, store, settings):
    """Balanced drawing would teach other answer shares than those that the text alone has."""

    def shares(blank):
        films = blank_films(index, store, settings, 0.5)
        rows = []
        for epoch in range(6):
            batch = films.__getitems__([(epoch, film) for film in range(len(films))])
            empty = ~batch.images.any(axis=(1, 2))
            rows.append(batch.questions[np.repeat(empty == blank, batch.num_questions)])
        target = index.column("questions", "binary_target")[np.concatenate(rows)]
        return float((target[target >= 0] == 1).mean())

    everything = np.concatenate(list(blank_films(index, store, settings, 0.0).selection.parts(index)))
    target = index.column("questions", "binary_target")[everything]
    natural = float((target[target >= 0] == 1).mean())
    assert abs(shares(True) - natural) < 0.05
    assert abs(shares(False) - natural) > abs(shares(True) - natural)


def test_free_text_is_counted_by_type(index):
    everything = Filters(minimum_rating=0, view_filter="all")
    selection = select_questions(index, "test", everything, one_film_per_study=True)
    assert selection.free_text == sum(selection.free_text_by_type.values()) > 0
    assert set(selection.free_text_by_type) <= {
        "A_indication",
        "B14_describe_acquisition",
        "B15_describe_imaging_artifacts",
    }


def test_what_a_variation_leaves_out_changes_nothing_else():
    for film in range(200):
        whole = draw_transform(1, 0, film)
        bare = draw_transform(1, 0, film, Variation(erased_share=0.0, vary_intensity=False))
        assert np.array_equal(bare[:4], whole[:4])
        assert not bare[4:].any()


def test_so_many_films_are_erased_and_all_stay_in_the_picture():
    drawn = np.stack([draw_transform(1, 0, film, Variation(erased_share=0.1)) for film in range(3000)])
    assert np.mean(drawn[:, 8] > drawn[:, 6]) == pytest.approx(0.1, abs=0.02)
    zoom, shift = np.exp(drawn[:, 1]), np.abs(drawn[:, 2:4]).max(1)
    # Of a side of 1: zooming in cuts (1 - 1 / zoom) / 2 off each end, shifting cuts at one end.
    assert ((1 - 1 / zoom).clip(0) / 2 + shift).max() < 0.08
