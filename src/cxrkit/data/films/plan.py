"""Where every film will lie in the shards, known before the first is decoded."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cxrkit.data.films.film_list import FilmFile, columns_of
from cxrkit.data.films.shape import FilmShapes, StoreLayout, fit_films
from cxrkit.errors import DataLayoutError

STORE_SCHEMA_VERSION = 2
HEADER_BYTES = 4096
FILMS_PER_SHARD = 1024
FILMS_PER_UNIT = 32


class PlannedShard(NamedTuple):
    """One shard file: its number, planned films and bytes of pixels after the header."""

    number: int
    films: int
    payload: int


@dataclass(frozen=True)
class StorePlan:
    """The store that films will make.

    Attributes:
        layout: how they are stored.
        shapes: of all planned films.
        offset: `[films]` int64, of each film in the payload of its shard.
        fingerprint: hex sha256 of films, layout and format: only with the same one is work taken up again.
    """

    layout: StoreLayout
    shapes: FilmShapes
    offset: npt.NDArray[np.int64]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.offset)

    @property
    def units(self) -> int:
        """Number of units of work."""
        return -(-len(self) // FILMS_PER_UNIT)

    @property
    def film_bytes(self) -> npt.NDArray[np.int64]:
        """Bytes of each film in the store: `[films]`."""
        return self.shapes.stored_width * self.shapes.stored_height

    def shard(self, number: int) -> PlannedShard:
        """Gives a shard of the plan."""
        sizes = self.film_bytes[number * FILMS_PER_SHARD : (number + 1) * FILMS_PER_SHARD]
        return PlannedShard(number, len(sizes), int(sizes.sum()))

    def shards(self) -> list[PlannedShard]:
        """Gives the shards of the plan; none when nothing is stored."""
        if not self.layout.stored:
            return []
        return [self.shard(number) for number in range(-(-len(self) // FILMS_PER_SHARD))]


def plan_store(films: Sequence[FilmFile], layout: StoreLayout) -> StorePlan:
    """Plans the store of films.

    Args:
        films: in the order of the `images` table.
        layout: how they are stored.

    Raises:
        DataLayoutError: a film has no size.
    """
    columns, origin = columns_of(films)
    if len(films) and min(columns.widths.min(), columns.heights.min()) < 1:
        raise DataLayoutError(
            "a film has no size",
            expected="Columns and Rows of 1 pixel or more",
            found=f"{int(((columns.widths < 1) | (columns.heights < 1)).sum())} films without",
            next_step="use the metadata table as released with MIMIC-CXR-JPG",
        )
    shapes = fit_films(columns.widths, columns.heights, layout) if len(films) else _no_shapes()
    sizes = shapes.stored_width * shapes.stored_height
    digest = hashlib.sha256(f"{STORE_SCHEMA_VERSION} {layout} {FILMS_PER_SHARD} {origin}".encode())
    for texts in (columns.dicom_ids, columns.places):
        digest.update("\n".join(texts).encode())
    digest.update(columns.widths.tobytes())
    digest.update(columns.heights.tobytes())
    return StorePlan(layout, shapes, _offsets(sizes), digest.hexdigest())


def store_bytes(films: Sequence[FilmFile], layout: StoreLayout) -> int:
    """Gives the bytes of all shard files that films will make; the other files add about 100 per film."""
    return sum(HEADER_BYTES + shard.payload for shard in plan_store(films, layout).shards())


def _offsets(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    before = np.cumsum(sizes) - sizes
    first = np.arange(len(sizes)) // FILMS_PER_SHARD * FILMS_PER_SHARD
    return before - before[first]


def _no_shapes() -> FilmShapes:
    none = np.zeros(0, dtype=np.int64)
    return FilmShapes(none, none, none, none.astype(np.float64), none, none, none, none)
