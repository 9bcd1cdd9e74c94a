"""The overall rating of a question or answer."""

import re

# No rating of the data set: the question cannot be filtered by grade and is rejected.
BAD_RATING = -1
_LEADING_NUMBER = re.compile(r"\s*([0-6])(?:_|\s*$)")


def parse_rating(rating: str | int | None) -> int | None:
    """Gives 0 (unrated) .. 6 (A++) from the leading number of a rating.

    None stands for a missing rating, `BAD_RATING` for anything else.

    >>> parse_rating("6_A++"), parse_rating("0_"), parse_rating(None), parse_rating("7_S")
    (6, 0, None, -1)
    """
    if rating is None or rating == "":
        return None
    match = _LEADING_NUMBER.match(str(rating))
    return int(match[1]) if match else BAD_RATING
