"""The speed of a training, with a clock of the test's own."""

import pytest
import torch

from cxrkit.training.speed import SpeedMeter, speed_of


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def batch(films, questions):
    return {"images": torch.zeros(films), "image_of_question": torch.zeros(questions)}


def measured(waits, works, films=4, questions=8):
    clock = Clock()
    meter = SpeedMeter(clock)
    for wait, work in zip(waits, works, strict=True):
        with meter.waiting():
            clock.now += wait
        meter.count(batch(films, questions))
        clock.now += work
        meter.end_update()
        # Validation and saving lie between updates.
        clock.now += 100
    return meter


def test_waiting_and_work_make_an_update():
    speed = speed_of([measured([1.0, 0.0], [1.0, 2.0]).take()])
    assert speed["seconds_per_update"] == 2.0
    assert speed["data_wait_share"] == 0.25
    assert speed["data_wait_share_highest"] == 0.5
    assert (speed["films_per_second"], speed["questions_per_second"]) == (2.0, 4.0)


def test_of_several_processes_the_slowest_counts():
    speed = speed_of([measured([0.0], [2.0]).take(), measured([2.0], [2.0]).take()])
    assert speed["seconds_per_update"] == 4.0
    assert speed["data_wait_share"] == 0.5
    assert speed["films_per_second"] == 2.0


def test_what_was_taken_is_gone_and_films_alone_have_no_questions():
    meter = measured([0.0], [1.0], questions=0)
    assert "questions_per_second" not in speed_of([meter.take()])
    assert meter.take() == {}


@pytest.mark.parametrize("parts", [1, 3])
def test_an_update_of_several_batches_is_one(parts):
    clock = Clock()
    meter = SpeedMeter(clock)
    for _ in range(parts):
        with meter.waiting():
            clock.now += 1
        clock.now += 1
    meter.end_update()
    assert speed_of([meter.take()])["seconds_per_update"] == 2.0 * parts
