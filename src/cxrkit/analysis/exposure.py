"""What the films look like: sizes, sides, exposure."""

from typing import Any

import numpy as np

from cxrkit.analysis.counting import Column
from cxrkit.analysis.film_scan import FilmScan
from cxrkit.data.index import Index

_PERCENTILES = {"min": 0, "p5": 5, "median": 50, "p95": 95, "max": 100}
_SATURATED = 0.5
_HISTOGRAM = np.linspace(0, 255, 18)


def measure_sizes(index: Index) -> dict[str, Any]:
    """Gives how large the films are, from the index alone.

    Returns:
        percentiles of `width_px`, `height_px`, `megapixels` and `aspect` (width / height).
    """
    width = index.column("images", "columns").astype(np.float64)
    height = index.column("images", "rows").astype(np.float64)
    return {
        "width_px": percentiles(width),
        "height_px": percentiles(height),
        "megapixels": percentiles(width * height / 1e6),
        "aspect": percentiles(width / np.maximum(height, 1)),
    }


def measure_exposure(scan: FilmScan) -> dict[str, Any]:
    """Gives how bright the films are, as they are stored.

    Returns:
        percentiles over films of the mean grey level, its deviation and the range between the first and
        99th percentile; films of which more than half is saturated; a histogram of the mean.
    """
    counts, _ = np.histogram(scan.mean, _HISTOGRAM)
    return {
        "mean_grey": percentiles(scan.mean),
        "deviation": percentiles(scan.deviation),
        "range": percentiles(scan.high - scan.low),
        "films_mostly_dark": int((scan.dark_share > _SATURATED).sum()),
        "films_mostly_bright": int((scan.bright_share > _SATURATED).sum()),
        "blank": int(scan.is_blank.sum()),
        "histogram": {"edges": [round(float(edge), 2) for edge in _HISTOGRAM], "films": counts.tolist()},
    }


def percentiles(values: Column) -> dict[str, float | None]:
    """Gives minimum, 5th percentile, median, 95th percentile and maximum; None without values.

    >>> percentiles(np.array([1.0, 3.0]))["median"]
    2.0
    """
    if not len(values):
        return dict.fromkeys(_PERCENTILES)
    found = np.percentile(values, list(_PERCENTILES.values()))
    return {name: round(float(value), 4) for name, value in zip(_PERCENTILES, found, strict=True)}
