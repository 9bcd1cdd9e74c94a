"""What a quality grade means as the data set's rating."""

from cxrkit.config.values import QualityGrade

# Ratings are stored as `6_A++` ... `1_D`; 0 is not rated (PhysioNet page of MIMIC-Ext-CXR-QBA 1.0.0).
_MINIMUM_RATING: dict[QualityGrade, int] = {"A++": 6, "A+": 5, "A": 4, "B": 3, "C": 2, "D": 1, "all": 0}


def minimum_rating(grade: QualityGrade) -> int:
    """Gives the lowest rating (0..6) of a question that the grade lets in; `all` takes unrated ones too.

    >>> minimum_rating("A"), minimum_rating("all")
    (4, 0)
    """
    return _MINIMUM_RATING[grade]
