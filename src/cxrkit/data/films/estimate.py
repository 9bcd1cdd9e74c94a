"""What storing films will take, told from a few of them."""

import time
from collections.abc import Sequence

import numpy as np

from cxrkit.data.films.decode_unit import decode_or_reject
from cxrkit.data.films.film_list import FilmFile
from cxrkit.data.films.plan import store_bytes
from cxrkit.data.films.shape import StoreLayout


def sample_speed(films: Sequence[FilmFile], layout: StoreLayout, count: int = 24) -> tuple[float, float]:
    """Decodes some films, evenly spread, and throws them away.

    Args:
        films: all that will be stored.
        layout: how.
        count: how many are decoded.

    Returns:
        Seconds per film for one process, and bytes per film in the store; (0, 0) without films.
    """
    if not films:
        return 0.0, 0.0
    rows = np.unique(np.linspace(0, len(films) - 1, min(count, len(films))).astype(int)).tolist()
    decode_or_reject(films[rows[0]], layout)  # The first call also loads the decoders.
    start = time.perf_counter()
    for row in rows:
        decode_or_reject(films[row], layout)
    return (time.perf_counter() - start) / len(rows), store_bytes(films, layout) / len(films)
