"""What a metric gives: a number, or the reason why there is none."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """One metric's value; `nan` together with a reason where the metric is undefined.

    Attributes:
        value: the number, `nan` when undefined.
        undefined_reason: why there is no number, None when there is one.
        num_classes: for a mean over classes, how many classes entered; None elsewhere.

    >>> float(Score(0.5)), Score.undefined("no rows").defined
    (0.5, False)
    """

    value: float
    undefined_reason: str | None = None
    num_classes: int | None = None

    @classmethod
    def undefined(cls, reason: str, num_classes: int | None = None) -> "Score":
        """Gives a score without a number."""
        return cls(math.nan, reason, num_classes)

    @property
    def defined(self) -> bool:
        """Whether there is a number."""
        return self.undefined_reason is None

    def __float__(self) -> float:
        """Gives the value, `nan` when undefined."""
        return self.value
