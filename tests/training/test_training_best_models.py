"""Which model is kept: of each kind of weights and of all, by the metric, never by one without a value."""

from contextlib import contextmanager

import pytest

from cxrkit.training.best_models import AVERAGED, OVERALL, RAW, BestModels


class Folder:
    """Notes what is written and with which weights."""

    def __init__(self, metric="score", kinds=(RAW, AVERAGED)):
        self.written, self.weights = [], None
        self.best = BestModels(metric, lambda place, _: self.written.append((place, self.weights)), kinds)

    @contextmanager
    def write(self, kind):
        self.weights = kind
        yield

    def see(self, step, *values, loss=1.0):
        metrics = [{self.best.metric: value, "loss": loss} for value in values]
        validated = dict(zip(self.best.kinds, metrics, strict=True))
        self.written.clear()
        self.best.see(validated, step, write=self.write)
        return list(self.written)


def test_the_best_of_each_kind_and_of_all_are_written_with_their_own_weights():
    folder = Folder()
    everything = [(OVERALL, RAW), (RAW, RAW), (OVERALL, AVERAGED), (AVERAGED, AVERAGED)]
    assert folder.see(1, 0.5, 0.6) == everything
    assert folder.see(2, 0.55, 0.6) == [(RAW, RAW)]
    assert folder.see(3, 0.7, 0.65) == [(OVERALL, RAW), (RAW, RAW), (AVERAGED, AVERAGED)]
    kept = folder.best.best
    assert (kept[OVERALL].weights, kept[OVERALL].step, kept[AVERAGED].step) == (RAW, 3, 3)


def test_one_kind_needs_no_folder_of_its_own():
    folder = Folder(kinds=(RAW,))
    assert folder.see(1, 0.5) == [(OVERALL, RAW)]


@pytest.mark.parametrize(("metric", "order"), [("score", [0.1, 0.2, 0.3]), ("loss", [0.3, 0.2, 0.1])])
def test_higher_is_better_except_for_the_loss(metric, order):
    folder = Folder(metric, (RAW,))
    for step, value in enumerate(order):
        assert folder.see(step, value, **({"loss": value} if metric == "loss" else {}))
    assert not folder.see(3, order[0], **({"loss": order[0]} if metric == "loss" else {}))


@pytest.mark.parametrize("nothing", [{"values": (float("nan"),)}, {"values": (0.9,), "loss": float("inf")}])
def test_what_has_no_value_or_no_finite_loss_is_never_the_best(nothing):
    folder = Folder(kinds=(RAW,))
    assert not folder.see(1, *nothing["values"], loss=nothing.get("loss", 1.0))
    assert folder.see(2, 0.1)


def test_validations_without_a_better_model_are_counted_over_all_kinds():
    folder = Folder()
    counts = []
    for step, values in enumerate([(0.5, 0.4), (0.5, 0.4), (0.4, 0.45), (0.4, 0.4), (0.3, 0.3)]):
        folder.see(step, *values)
        counts.append(folder.best.without_better)
    assert counts == [0, 1, 0, 1, 2]


def test_it_goes_on_from_its_state():
    one, two = Folder(), Folder()
    one.see(1, 0.5, 0.6)
    one.see(2, 0.4, 0.4)
    two.best.load(one.best.state())
    assert (two.best.best, two.best.without_better) == (one.best.best, 1)
