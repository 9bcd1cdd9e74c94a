"""Batches are a pure function of (seed, epoch, position): for any number of workers, and after a restart."""

import pickle

import numpy as np
import pytest
import torch

from cxrkit.data.batches.dataset import Collate
from cxrkit.data.batches.loading import evaluation_films, labelled_films, make_loader, training_films
from cxrkit.data.batches.sampling import EpochSampler

BATCH = 4


@pytest.fixture(scope="module")
def films(index, store, settings):
    return training_films(index, store, settings, seed=7)


@pytest.fixture(scope="module")
def loader(films, index, tokenize):
    def loader(workers=0, **more):
        collate = Collate(index, tokenize)
        return make_loader(films, collate, batch_size=BATCH, workers=workers, shuffle=True, **more)

    return loader


@pytest.fixture(scope="module")
def two_epochs(loader):
    return epochs(loader(), 2)


def epochs(loader, number):
    batches = []
    for epoch in range(number):
        loader.sampler.set_epoch(epoch)
        batches.append(list(loader))
    return batches


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        assert one.keys() == two.keys()
        for name in one:
            assert one[name].dtype == two[name].dtype
            torch.testing.assert_close(one[name], two[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_two_epochs_are_the_same_for_any_number_of_workers(loader, two_epochs, workers):
    for found, expected in zip(epochs(loader(workers), 2), two_epochs, strict=True):
        assert_same(found, expected)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_eight_workers_give_the_same_epoch(loader, two_epochs):
    assert_same(epochs(loader(8), 1)[0], two_epochs[0])


def test_epochs_differ_in_order_questions_and_transforms(two_epochs):
    first, second = ({int(batch["image_row"][0]): batch for batch in epoch} for epoch in two_epochs)
    assert list(first) != list(second)
    whole = [torch.cat([batch["transform"] for batch in epoch]) for epoch in two_epochs]
    assert not set(whole[0][:, 0].tolist()) & set(whole[1][:, 0].tolist())


@pytest.mark.parametrize(
    ("workers", "epoch", "left"),
    [(0, 0, 0), (0, 0, 1), (0, 1, 3), (0, 1, 1), (1, 0, 2), (2, 1, 3), (0, 1, None)],
)
def test_a_new_loader_goes_on_with_the_exact_next_batch(loader, two_epochs, workers, epoch, left):
    expected = two_epochs[epoch]
    done = 0 if left is None else len(expected) - left
    resumed = loader(workers, epoch=epoch, batches_done=done)
    assert len(resumed) == len(expected) - done
    assert_same(list(resumed), expected[done:])


def test_after_a_resumed_epoch_the_next_one_is_whole(loader, two_epochs):
    resumed = loader(epoch=0, batches_done=2)
    resumed.sampler.set_epoch(0)
    assert_same(list(resumed), two_epochs[0][2:])
    resumed.sampler.set_epoch(1)
    assert_same(list(resumed), two_epochs[1])


def test_the_order_depends_on_seed_and_epoch():
    orders = []
    for seed, epoch in [(7, 0), (8, 0), (7, 1)]:
        sampler = EpochSampler(50, seed)
        sampler.set_epoch(epoch)
        orders.append([film for _, film in sampler])
    assert orders[0] != orders[1] != orders[2] != orders[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_leaves_the_global_random_stream_alone(loader, workers):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    batches = loader(workers)
    next(iter(batches))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_position_outside_the_epoch_is_refused():
    sampler = EpochSampler(10, seed=0)
    sampler.resume(3, 10)
    assert list(sampler) == []
    for position in (-1, 11):
        with pytest.raises(ValueError, match="of 10 films"):
            sampler.resume(0, position)


def test_films_in_order_resume_too(index, store, settings, tokenize):
    films = evaluation_films(index, store, settings, "test", questions_per_image=None, seed=0)
    loader = make_loader(films, Collate(index, tokenize), batch_size=2, workers=0, shuffle=False)
    whole = list(loader)
    rest = make_loader(
        films, Collate(index, tokenize), batch_size=2, workers=0, shuffle=False, batches_done=len(whole) - 1
    )
    assert torch.cat([batch["image_row"] for batch in whole]).tolist() == films.selection.image_rows.tolist()
    assert_same(list(rest), whole[-1:])


def test_a_batch_is_its_films_one_by_one(films):
    keys = [(2, 3), (2, 0), (5, 1)]
    batch = films.__getitems__(keys)
    alone = [films[key] for key in keys]
    for name in ("image_rows", "images", "sides", "questions", "num_questions", "chexpert", "transforms"):
        joined = np.concatenate([getattr(one, name) for one in alone])
        np.testing.assert_array_equal(getattr(batch, name), joined)
    for name in ("boxes_xyxy_rel", "has_box", "findings", "valid"):
        joined = np.concatenate([getattr(one.graphs, name) for one in alone])
        np.testing.assert_array_equal(getattr(batch.graphs, name), joined)


def test_what_a_worker_receives_is_small_and_gives_the_same(films, index, tokenize):
    # Two numbers per film and two per (text, answer); index and films travel as a path.
    sent = pickle.dumps((films, Collate(index, None)))
    balance = films.balance
    assert len(sent) < 16 * (len(films) + len(balance.keys)) + 4000
    received, _ = pickle.loads(sent)
    keys = [(0, film) for film in range(4)]
    collate = Collate(index, tokenize)
    assert_same([collate(received.__getitems__(keys))], [collate(films.__getitems__(keys))])


def test_labelled_films_have_no_questions_and_no_graphs(index, store, settings):
    films = labelled_films(index, store, settings, "train", seed=0)
    batch = next(iter(make_loader(films, Collate(index, None), batch_size=3, workers=0, shuffle=True)))
    assert set(batch) == {"image_row", "images", "image_side", "transform", "chexpert"}
    assert films[(0, 0)].graphs is None
    assert len(films[(0, 0)].questions) == 0
