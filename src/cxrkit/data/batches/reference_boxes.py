"""Where each region usually lies: the mean box over training films."""

import numpy as np
import numpy.typing as npt

from cxrkit.data.batches.graphs import film_region_boxes
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index

ENOUGH_FILMS = 1000


def mean_region_boxes(
    index: Index, store: FilmSource, image_rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Gives the mean box of each region over (at most 1,000, evenly spaced) training films.

    Args:
        index: the opened index.
        store: the opened image store.
        image_rows: `[F]` films of the training split.

    Returns:
        `[26, 4]` corners as fractions of the square; a region without any box gets the middle half.
    """
    step = max(1, len(image_rows) // ENOUGH_FILMS)
    boxes, has_box = film_region_boxes(index, store, image_rows[::step])
    total = boxes.sum(0, dtype=np.float64)
    count = has_box.sum(0)[:, None]
    middle = np.array([0.25, 0.25, 0.75, 0.75])
    means = np.where(count > 0, total / np.maximum(count, 1), middle)
    return means.astype(np.float32)
