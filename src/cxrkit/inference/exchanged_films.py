"""Films exchanged among patients; what uses it need not load the networks."""

import numpy as np
import numpy.typing as npt

from cxrkit.errors import DataLayoutError


def can_be_shuffled(subject_ids: npt.NDArray[np.integer]) -> bool:
    """Tells whether every film can get one of another patient: no patient has more than half of them."""
    return 2 * _most_films(subject_ids) <= len(subject_ids)


def films_of_other_patients(subject_ids: npt.NDArray[np.integer], seed: int) -> npt.NDArray[np.int64]:
    """Gives each film the place of a film of another patient; every film is used once.

    Patients are put in random order, their films side by side, and all is shifted by as many places as the
    patient with the most films has.

    Args:
        subject_ids: `[F]` patient of each film.
        seed: of the order.

    Returns:
        `[F]` places 0..F-1.

    Raises:
        DataLayoutError: one patient has more than half of the films.
    """
    patients, patient = np.unique(subject_ids, return_inverse=True)
    most = _most_films(subject_ids)
    if not can_be_shuffled(subject_ids):
        raise DataLayoutError(
            "the images cannot be shuffled among patients",
            expected="no patient with more than half of the films",
            found=f"{most} of {len(subject_ids)} films are of one patient",
            next_step="leave shuffled_image out of --protocols, or evaluate on more studies",
        )
    rank = np.random.default_rng(seed).permutation(len(patients))[patient]
    order = np.argsort(rank, kind="stable")
    others = np.empty(len(order), dtype=np.int64)
    others[order] = np.roll(order, -most)
    return others


def _most_films(subject_ids: npt.NDArray[np.integer]) -> int:
    return int(np.unique(subject_ids, return_counts=True)[1].max(initial=0))
