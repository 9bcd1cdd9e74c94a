"""Which films of a training batch see which graph source."""

import pytest

from cxrkit.training.source_mixing import SourceMixing


def test_without_mixing_every_film_has_the_models_own_source():
    assert SourceMixing().sources("predicted", 16) == "predicted"


@pytest.mark.parametrize(("step", "oracle"), [(0, 8), (5, 4), (9, 1), (10, 0), (99, 0)])
def test_the_warm_up_falls_from_all_films_to_none(step, oracle):
    found = SourceMixing(oracle_warmup_steps=10, step=step).sources("predicted", 8)
    assert (found.count("oracle") if isinstance(found, list) else 0) == oracle


def test_the_other_sources_come_in_turn():
    seen = []
    for step in range(6):
        found = SourceMixing(other_sources_share=0.25, step=step).sources("predicted", 8)
        assert found[:6] == ["predicted"] * 6
        seen += found[6:]
    assert {source: seen.count(source) for source in seen} == {"anatomy": 4, "oracle": 4, "none": 4}


def test_small_shares_add_up_over_batches():
    found = [SourceMixing(other_sources_share=0.2, step=step).sources("predicted", 2) for step in range(15)]
    mixed = [source for each in found if isinstance(each, list) for source in each if source != "predicted"]
    assert sorted(mixed) == sorted(["anatomy", "oracle", "none"] * 2)


def test_it_is_a_function_of_the_update_alone():
    first, second = (SourceMixing(4, 0.25, step) for step in (3, 3))
    assert first.sources("predicted", 8) == second.sources("predicted", 8)


def test_the_warm_up_goes_before_the_other_sources():
    assert SourceMixing(10, 0.5).sources("predicted", 4) == ["oracle"] * 4
