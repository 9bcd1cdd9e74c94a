"""From class probabilities to the chosen classes: one rule for validation and evaluation."""

import numpy as np
import numpy.typing as npt

from cxrkit.vocabulary import MULTI_LABEL_HEADS, NO_FINDING, Head

SET_THRESHOLD = 0.5


def choose_sets(head: Head, probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Gives the sets that a multi-label head's probabilities choose.

    Every class at 0.5 or above is in the set; "No Finding" stands only where no other finding does.

    Args:
        head: category or region.
        probabilities: `[N, C]`.

    Returns:
        `[N, C]`.
    """
    chosen = probabilities >= SET_THRESHOLD
    if head is Head.CATEGORY:
        chosen[:, NO_FINDING] &= chosen.sum(-1) == 1
    return chosen


def choose_classes(head: Head, probabilities: npt.NDArray[np.floating]) -> list[int]:
    """Gives the classes that a head's probabilities choose for one question.

    Args:
        head: the answer head; binary and severity take the most probable class, the others a set.
        probabilities: `[C]`.
    """
    if head not in MULTI_LABEL_HEADS:
        return [int(np.argmax(probabilities))]
    return [int(index) for index in np.flatnonzero(choose_sets(head, probabilities[None])[0])]
