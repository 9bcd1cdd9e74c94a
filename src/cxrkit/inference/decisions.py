"""From class probabilities to the chosen classes."""

import numpy as np
import numpy.typing as npt

from cxrkit.vocabulary import MULTI_LABEL_HEADS, NO_FINDING, Head

SET_THRESHOLD = 0.5


def choose_classes(head: Head, probabilities: npt.NDArray[np.floating]) -> list[int]:
    """Gives the classes that a head's probabilities choose.

    Binary and severity take the most probable class. Category and region take every class at 0.5 or
    above; "No Finding" stands only where no other finding does.

    Args:
        head: the answer head.
        probabilities: `[C]`.
    """
    if head not in MULTI_LABEL_HEADS:
        return [int(np.argmax(probabilities))]
    chosen = [int(index) for index in np.flatnonzero(probabilities >= SET_THRESHOLD)]
    if head is Head.CATEGORY and len(chosen) > 1:
        chosen = [index for index in chosen if index != NO_FINDING]
    return chosen
