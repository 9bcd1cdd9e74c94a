import doctest
import math

import numpy as np
import pytest

from cxrkit.reporting import axes, formatting, palette
from cxrkit.reporting.formatting import (
    format_cell,
    format_interval,
    format_number,
    format_part,
    format_percent,
    format_quantity,
    format_signed,
)


@pytest.mark.parametrize("module", [formatting, axes])
def test_the_examples_in_the_docstrings_are_true(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_dash(value):
    assert format_number(value) == format_percent(value) == format_signed(value) == "–"


def test_no_share_is_rounded_to_certainty():
    assert format_percent(0.0) == "0.0 %"
    assert format_percent(1.0) == "100.0 %"
    assert format_percent(1e-9) == "< 0.1 %"
    assert format_percent(1 - 1e-9) == "> 99.9 %"
    assert format_percent(0.0005) == "0.1 %"


def test_a_tiny_negative_number_is_not_minus_zero():
    assert format_number(-1e-9) == "0.000"


def test_intervals_need_both_ends():
    assert format_interval(0.812, 0.78, 0.84) == "0.812 [0.780, 0.840]"
    assert format_interval(0.812, math.nan, 0.84) == "0.812"
    assert format_interval(None, 0.1, 0.2) == "–"


def test_counts_and_parts():
    assert format_quantity(1, "study", "studies") == "1 study"
    assert format_quantity(42172827, "question") == "42,172,827 questions"
    assert format_part(1, 3) == "1 (33.3 %)"


def test_cells_of_every_kind():
    cells = [1234567, 0.5, None, True, False, "text", np.int32(1000), np.float32(0.25), math.nan]
    expected = ["1,234,567", "0.500", "–", "yes", "no", "text", "1,000", "0.250", "–"]
    assert [format_cell(cell) for cell in cells] == expected


def test_palette_colours_are_distinct():
    assert len(set(palette.SERIES)) == len(palette.SERIES)
    assert palette.series_color(len(palette.SERIES)) == palette.series_color(0)
