"""One pass over the films: a hash of the pixels, a small picture of the film, and its exposure."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.data.films.source import FilmSource

SIDE = 16
# Grey levels; a film that varies less shows nothing.
BLANK_DEVIATION = 2.0
_AT_ONCE = 256


@dataclass(frozen=True)
class FilmScan:
    """What was seen of N films.

    Attributes:
        digest: `[N]` 16 bytes each: equal for equal pixels.
        thumbnail: `[N, 16, 16]` uint8, means of equal blocks of the film without its margin.
        mean: `[N]` grey level 0..255.
        deviation: `[N]` standard deviation of the grey levels.
        low: `[N]` first percentile.
        high: `[N]` 99th percentile.
        dark_share: `[N]` share of pixels at 0.
        bright_share: `[N]` share of pixels at 250 or above.
    """

    digest: npt.NDArray[np.void]
    thumbnail: npt.NDArray[np.uint8]
    mean: npt.NDArray[np.float32]
    deviation: npt.NDArray[np.float32]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    dark_share: npt.NDArray[np.float32]
    bright_share: npt.NDArray[np.float32]

    @property
    def is_blank(self) -> npt.NDArray[np.bool_]:
        """Which films show nothing, `[N]`."""
        blank: npt.NDArray[np.bool_] = self.deviation < BLANK_DEVIATION
        return blank


def scan_films(films: FilmSource, progress: Callable[[int, int], None] | None = None) -> FilmScan:
    """Reads every film once.

    About 0.6 KB are kept per film; the films themselves are read where they lie.

    Args:
        films: of the workspace.
        progress: called with (films done, films).

    Raises:
        ArtifactError: a film that is decoded on the way cannot be.
    """
    count = films.count
    scan = FilmScan(
        np.zeros(count, "V16"),
        np.zeros((count, SIDE, SIDE), np.uint8),
        *(np.zeros(count, np.float32) for _ in range(6)),
    )

    def scan_part(start: int) -> int:
        for row in range(start, min(start + _AT_ONCE, count)):
            _scan_film(scan, row, film_without_margin(films, row))
        return min(start + _AT_ONCE, count) - start

    done = 0
    # Hashing and reading let other threads run.
    with ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)))) as team:
        for part in team.map(scan_part, range(0, count, _AT_ONCE)):
            done += part
            if progress is not None:
                progress(done, count)
    return scan


def film_without_margin(films: FilmSource, row: int) -> npt.NDArray[np.uint8]:
    """Gives the film's pixels without the zeros beside it, `[h, w]`."""
    square = films.read(row)
    pad_x, pad_y = round(float(films.pad_x[row])), round(float(films.pad_y[row]))
    height, width = square.shape
    # One side's margin may be a pixel wider than the other's.
    return square[pad_y : max(height - pad_y, pad_y + 1), pad_x : max(width - pad_x, pad_x + 1)]


def block_means(film: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.float32]:
    """Gives the means of `side` x `side` nearly equal blocks of a film, `[side, side]`."""
    # A film with fewer pixels than blocks lends neighbouring blocks the same pixel.
    starts, areas = zip(*(_parts(length, side) for length in film.shape), strict=True)
    sums = np.add.reduceat(np.add.reduceat(film, starts[0], axis=0, dtype=np.uint32), starts[1], axis=1)
    means: npt.NDArray[np.float32] = (sums / np.outer(*areas)).astype(np.float32)
    return means


def _parts(length: int, parts: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Gives where each part of a row of pixels starts and how many pixels it has."""
    ends = np.linspace(0, length, parts + 1).astype(np.int64)
    return ends[:-1], np.maximum(np.diff(ends), 1)


def _scan_film(scan: FilmScan, row: int, film: npt.NDArray[np.uint8]) -> None:
    levels = np.bincount(film.ravel(), minlength=256)
    shares = levels / film.size
    reached = np.cumsum(shares)
    grey = np.arange(256)
    mean = float(shares @ grey)
    # With the shape: two films of one row of equal pixels may differ in it alone.
    shape = np.array(film.shape, np.int64).tobytes()
    digest = hashlib.blake2b(shape + np.ascontiguousarray(film).tobytes(), digest_size=16).digest()
    scan.digest[row] = np.frombuffer(digest, "V16")[0]
    scan.thumbnail[row] = np.rint(block_means(film, SIDE)).astype(np.uint8)
    scan.mean[row] = mean
    scan.deviation[row] = float(np.sqrt(shares @ (grey - mean) ** 2))
    scan.low[row] = int(np.searchsorted(reached, 0.01))
    scan.high[row] = int(np.searchsorted(reached, 0.99 - 1e-12))
    scan.dark_share[row] = shares[0]
    scan.bright_share[row] = shares[250:].sum()
