"""Finds damage in a finished store: every byte of every shard is covered by a checksum."""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from cxrkit.data.films.decode import decode_film
from cxrkit.data.films.film_error import FilmError
from cxrkit.data.films.manifest import MANIFEST, file_sha256
from cxrkit.data.films.plan import HEADER_BYTES
from cxrkit.data.films.shape import StoreLayout
from cxrkit.data.films.shard_file import shard_fault
from cxrkit.data.films.store_record import StoreRecord, check_image_list, planned_shards, read_store_record
from cxrkit.data.index.artifact import read_fingerprint
from cxrkit.errors import ArtifactError

_IMAGES_TABLE = "images.arrow"


class Damage(NamedTuple):
    """One damaged place.

    Attributes:
        file: in the folder `images` of the workspace, or the path of a film's own file.
        dicom_id: the film that is damaged; "" when it is the shard's header, length or unused part.
        found: what is wrong.
    """

    file: str
    dicom_id: str
    found: str


class _FilmFile(NamedTuple):
    path: Path
    columns: int
    rows: int


def verify_store(workspace: Path, progress: Callable[[int, int], None] | None = None) -> list[Damage]:
    """Reads the whole store and compares it with its checksums.

    A workspace without a store is checked by decoding its films and comparing their pixels. What does not
    fit the index is damage like any other, so that the rest is still read.

    Args:
        workspace: the folder given to `prepare_workspace`.
        progress: called with (films done, films).

    Returns:
        All damage, in order; empty when the store is whole.

    Raises:
        ArtifactError: manifest or geometry, which hold the checksums, are missing or damaged.
    """
    record = read_store_record(workspace)
    damages = _verify_image_list(record)
    if record.stored:
        return damages + _verify_shards(record, progress)
    # Without its index nobody knows where the films' own files are.
    return damages or _verify_files(record, progress)


def _verify_image_list(record: StoreRecord) -> list[Damage]:
    try:
        check_image_list(record)
    except ArtifactError as error:
        return [Damage(MANIFEST, "", f"it does not fit the index: {error.found}")]
    return []


def _verify_shards(record: StoreRecord, progress: Callable[[int, int], None] | None) -> list[Damage]:
    damages: list[Damage] = []
    shard_of = record.column("shard")
    bounds = np.searchsorted(shard_of, np.arange(len(record.shards) + 1)).tolist()
    for (name, shard), first, last in zip(planned_shards(record), bounds[:-1], bounds[1:], strict=True):
        path = record.folder / name
        try:
            fault = shard_fault(path, shard)
            damages += [Damage(name, "", fault)] if fault else []
            if path.is_file():
                damages += _verify_films(path, record, range(first, last), HEADER_BYTES + shard.payload)
        except OSError as error:
            # A disk that gives up in one file may still give the others.
            damages.append(Damage(name, "", f"it cannot be read: {error.strerror or error}"))
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
    ids, crc32 = record.geometry.column("dicom_id"), record.column("crc32")
    layout = StoreLayout(record.size, record.padding, stored=False)
    try:
        files = _film_files(record.workspace)
    except ArtifactError as error:
        return [Damage(MANIFEST, "", f"no film could be checked: {error.found}")]
    for row, film in enumerate(files):
        fault = _film_fault(film, layout, int(crc32[row]))
        damages += [Damage(str(film.path), ids[row].as_py(), fault)] if fault else []
        if progress:
            progress(row + 1, record.count)
    return damages


def _film_fault(film: _FilmFile, layout: StoreLayout, crc32: int) -> str:
    try:
        pixels = decode_film(film.path, film.columns, film.rows, layout)
    except FilmError as error:
        return f"{error.code} {error.detail}".rstrip()
    if zlib.crc32(pixels.tobytes()) == crc32:
        return ""
    return "its pixels are not those that were checked: another file, or another decoder"


def _film_files(workspace: Path) -> Iterator[_FilmFile]:
    """Gives the films' own files as the index has them, whatever became of its other tables.

    Raises:
        ArtifactError: that table is missing or damaged.
    """
    record = read_fingerprint(workspace)
    path = workspace / "index" / _IMAGES_TABLE
    try:
        found = file_sha256(path)
    except OSError as error:
        raise _unusable_images(f"index/{_IMAGES_TABLE}: {error.strerror or error}") from error
    if found != record["file_sha256"][_IMAGES_TABLE]:
        raise _unusable_images(f"index/{_IMAGES_TABLE} is not what was written")
    table = pa.ipc.open_file(pa.memory_map(str(path), "r")).read_all()
    folder = Path(record["sources"]["image_folder"])
    columns = [table.column(name) for name in ("path", "columns", "rows")]
    return (
        _FilmFile(folder / Path(place.as_py()).relative_to("files"), width.as_py(), height.as_py())
        for place, width, height in zip(*columns, strict=True)
    )


def _unusable_images(found: str) -> ArtifactError:
    return ArtifactError("the table of the films is missing or damaged", found=found)
