"""Which protocols run, under which names, and whose film is shown in place of another's."""

import numpy as np
import pytest

from cxrkit.errors import DataLayoutError, SettingsError
from cxrkit.inference.exchanged_films import can_be_shuffled, films_of_other_patients
from cxrkit.inference.protocols import (
    PROTOCOLS,
    protocols_for,
)


def test_all_by_default_with_the_models_own_source_as_the_model():
    chosen = protocols_for("predicted", ["predicted"])
    assert list(chosen) == [
        "model", "anatomy", "oracle", "none", "blank_image", "shuffled_image", "question_only", "majority",
    ]  # fmt: skip
    assert chosen["model"] == PROTOCOLS["predicted"]
    assert chosen["blank_image"].source is None


@pytest.mark.parametrize(
    ("own", "trained", "sources"),
    [
        ("none", ["none"], []),
        ("anatomy", ["anatomy"], ["none"]),
        ("oracle", ["oracle"], ["anatomy", "none"]),
        ("none", ["predicted", "anatomy", "oracle", "none"], ["predicted", "anatomy", "oracle"]),
    ],
)
def test_only_parts_that_were_trained_are_asked(own, trained, sources):
    chosen = protocols_for(own, trained)
    assert chosen["model"].source == own
    assert [name for name in chosen if name in ("predicted", "anatomy", "oracle", "none")] == sources
    if "predicted" not in trained:
        with pytest.raises(SettingsError, match="--protocols: predicted reads parts"):
            protocols_for(own, trained, ["predicted"])


def test_the_model_and_the_majority_are_always_there():
    assert list(protocols_for("predicted", ["predicted"], ["oracle"])) == ["model", "oracle", "majority"]
    assert list(protocols_for("predicted", ["predicted"], ["predicted"])) == ["model", "majority"]


def test_every_unknown_name_is_told_at_once():
    with pytest.raises(SettingsError) as caught:
        protocols_for("none", ["none"], ["dreamt", "predicted", "", "none"])
    assert len(caught.value.mistakes) == 3
    assert "blank_image" in str(caught.value)


def test_every_film_gets_one_of_another_patient():
    generator = np.random.default_rng(0)
    subjects = np.repeat(np.arange(40), generator.integers(1, 12, 40))
    generator.shuffle(subjects)
    others = films_of_other_patients(subjects, seed=3)
    assert sorted(others.tolist()) == list(range(len(subjects)))
    assert (subjects[others] != subjects).all()
    assert np.array_equal(others, films_of_other_patients(subjects, seed=3))
    assert not np.array_equal(others, films_of_other_patients(subjects, seed=4))


def test_half_of_the_films_of_one_patient_are_the_limit():
    assert set(films_of_other_patients(np.array([1, 1, 2, 3]), seed=0)[:2].tolist()) == {2, 3}
    with pytest.raises(DataLayoutError, match="cannot be shuffled"):
        films_of_other_patients(np.array([1, 1, 1, 2, 3]), seed=0)
    assert not can_be_shuffled(np.array([1, 1, 1, 2, 3]))
    assert not can_be_shuffled(np.array([1]))
