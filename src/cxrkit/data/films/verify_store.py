"""Finds damage in a finished store: every byte of every shard is covered by a checksum."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cxrkit.data.films.on_the_fly import FilmFiles
from cxrkit.data.films.plan import HEADER_BYTES
from cxrkit.data.films.shard_file import shard_fault
from cxrkit.data.films.store_record import StoreRecord, check_image_list, planned_shards, read_store_record
from cxrkit.errors import ArtifactError


class Damage(NamedTuple):
    """One damaged place.

    Attributes:
        file: the shard, or the film's own file where films are not stored.
        dicom_id: the film that is damaged; "" when it is the shard's header, length or unused part.
        found: what is wrong.
    """

    file: str
    dicom_id: str
    found: str


def verify_store(workspace: Path, progress: Callable[[int, int], None] | None = None) -> list[Damage]:
    """Reads the whole store and compares it with its checksums.

    A workspace without a store is checked by decoding its films.

    Args:
        workspace: the folder given to `prepare_workspace`.
        progress: called with (films done, films).

    Returns:
        All damage, in order; empty when the store is whole.

    Raises:
        ArtifactError: manifest or geometry are missing or damaged, or belong to another index.
    """
    record = read_store_record(workspace)
    check_image_list(record)
    if not record.stored:
        return _verify_files(record, progress)
    damages: list[Damage] = []
    shard_of = record.column("shard")
    bounds = np.searchsorted(shard_of, np.arange(len(record.shards) + 1)).tolist()
    for (name, shard), first, last in zip(planned_shards(record), bounds[:-1], bounds[1:], strict=True):
        path = record.folder / name
        fault = shard_fault(path, shard)
        damages += [Damage(name, "", fault)] if fault else []
        if path.is_file():
            damages += _verify_films(path, record, range(first, last), HEADER_BYTES + shard.payload)
        if progress:
            progress(last, record.count)
    return damages


def _verify_films(path: Path, record: StoreRecord, rows: range, end: int) -> list[Damage]:
    """Checks the films of a shard by CRC-32, and that there is nothing but zeros between and after them."""
    damages = []
    ids, crc32 = record.geometry.column("dicom_id"), record.column("crc32")
    place = HEADER_BYTES
    with path.open("rb") as stream:
        stream.seek(HEADER_BYTES)
        for row in rows:
            start, size = int(record.offset[row]), int(record.height[row]) * int(record.width[row])
            damages += _verify_zeros(stream.read(start - place), path.name)
            pixels = stream.read(size)
            if zlib.crc32(pixels) != crc32[row] or len(pixels) != size:
                damages.append(Damage(path.name, ids[row].as_py(), "its pixels are not those stored"))
            place = start + size
            stream.seek(place)
        damages += _verify_zeros(stream.read(end - place), path.name)
    return damages


def _verify_zeros(data: bytes, name: str) -> list[Damage]:
    if data.count(0) == len(data):
        return []
    return [Damage(name, "", "the place of a rejected film is not empty")]


def _verify_files(record: StoreRecord, progress: Callable[[int, int], None] | None) -> list[Damage]:
    damages = []
    films = FilmFiles.open(record.workspace)
    ids = record.geometry.column("dicom_id")
    for row in range(films.count):
        try:
            films.read(row)
        except ArtifactError as error:
            damages.append(Damage(films.path(row).name, ids[row].as_py(), error.found))
        if progress:
            progress(row + 1, films.count)
    return damages
