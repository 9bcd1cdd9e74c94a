"""Where each region usually lies: the mean box over training films."""

import numpy as np
import numpy.typing as npt

from cxrkit.data.batches.targets import film_graph
from cxrkit.data.image_store import ImageStore
from cxrkit.data.index import Index
from cxrkit.vocabulary import REGIONS

ENOUGH_FILMS = 1000


def mean_region_boxes(
    index: Index, store: ImageStore, image_rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Gives the mean box of each region over (at most 1,000, evenly spaced) training films.

    Args:
        index: the opened index.
        store: the opened image store.
        image_rows: `[F]` films of the training split.

    Returns:
        `[26, 4]` corners as fractions of the square; a region without any box gets the middle half.
    """
    total = np.zeros((len(REGIONS), 4))
    count = np.zeros(len(REGIONS))
    step = max(1, len(image_rows) // ENOUGH_FILMS)
    for image_row in image_rows[::step]:
        graph = film_graph(index, store, int(image_row))
        total += graph.boxes_xyxy_rel * graph.has_box[:, None]
        count += graph.has_box
    middle = np.array([0.25, 0.25, 0.75, 0.75])
    means = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], middle)
    return means.astype(np.float32)
