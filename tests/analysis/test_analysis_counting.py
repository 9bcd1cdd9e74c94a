import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrkit.analysis import counting, questions, remarks
from cxrkit.analysis.counting import bit_counts, joint_counts, slices


@pytest.mark.parametrize("module", [counting, questions, remarks])
def test_the_examples_in_the_docstrings_are_true(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@given(st.integers(0, 40), st.integers(1, 9))
def test_slices_cover_every_row_once(rows, at_once):
    covered = [row for piece in slices(rows, at_once) for row in range(piece.start, piece.stop)]
    assert covered == list(range(rows))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.booleans()), max_size=30), st.integers(1, 7)
)
def test_joint_counts_equal_a_plain_loop_whatever_the_pieces(rows, at_once):
    columns = [np.array([row[place] for row in rows], dtype=np.int8) for place in range(2)]
    where = np.array([row[2] for row in rows], dtype=bool)
    expected = np.zeros((3, 5), dtype=np.int64)
    for first, second, counted in rows:
        expected[first, second] += counted
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "slices", lambda number: slices(number, at_once))
        assert np.array_equal(joint_counts(columns, [3, 5], where), expected)


@given(st.lists(st.tuples(st.integers(0, 2**26 - 1), st.integers(0, 1)), max_size=30))
def test_bit_counts_equal_a_plain_loop(rows):
    masks = [1 << place for place in range(26)] + [0b101, 2**26 - 1]
    expected = [
        [sum(bool(bits & mask) for bits, group in rows if group == g) for mask in masks] for g in (0, 1)
    ]
    bits = np.array([row[0] for row in rows], dtype=np.int32)
    groups = np.array([row[1] for row in rows], dtype=np.int8)
    assert bit_counts(bits, masks, groups, 2).tolist() == expected
