"""Writes the image store: films decoded by several threads, written one by one in table order."""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyarrow as pa

from cxrkit.data.decode_film import FilmError, StoredFilm, decode_film

STORE_SCHEMA_VERSION = 1
FILMS_PER_SHARD = 4096
_GEOMETRY_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("shard", pa.int32()),
    ("slot", pa.int32()),
    ("scale", pa.float32()),
    ("pad_x", pa.float32()),
    ("pad_y", pa.float32()),
]
GEOMETRY_SCHEMA = pa.schema(
    _GEOMETRY_COLUMNS,
    metadata={
        "cxrkit": json.dumps({"schema_version": STORE_SCHEMA_VERSION, "table": "geometry"}, sort_keys=True)
    },
)


class FilmFile(NamedTuple):
    """A film to be stored: its id, the files it may be in, and its expected size in pixels."""

    dicom_id: str
    paths: tuple[Path, ...]
    width: int
    height: int


class StoredAs(NamedTuple):
    """What became of a film: the file that was read, or the reason why there is none."""

    path: Path
    code: str = ""
    detail: str = ""


def shard_name(number: int) -> str:
    """Gives the file name of a shard."""
    return f"shard-{number:05d}.bin"


def image_list_fingerprint(dicom_ids: Sequence[str]) -> str:
    """Gives the hex sha256 of the stored films' ids in order."""
    return hashlib.sha256("\n".join(dicom_ids).encode()).hexdigest()


def write_film_shards(
    folder: Path,
    films: Sequence[FilmFile],
    size: int,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[StoredAs]:
    """Decodes films into `folder`; unusable ones are left out. The bytes do not depend on `workers`.

    Args:
        folder: empty folder for shards, `geometry.arrow` and `manifest.json` (written last).
        films: in the order of the `images` table.
        size: side S of the stored squares.
        workers: decoding threads; None takes the CPUs this process may use.
        progress: called with (films done, films).

    Returns:
        What became of each film.
    """
    results: list[StoredAs] = []
    with _ShardWriter(folder, size) as writer:
        for done, (film, outcome) in enumerate(_decode_all(films, size, workers or usable_cpus()), start=1):
            if isinstance(outcome, FilmError):
                results.append(StoredAs(film.paths[0], outcome.code, outcome.detail))
            else:
                path, stored = outcome
                writer.add(stored)
                results.append(StoredAs(path))
            if progress:
                progress(done, len(films))
    stored_ids = [film.dicom_id for film, result in zip(films, results, strict=True) if not result.code]
    writer.finish(image_list_fingerprint(stored_ids))
    return results


def usable_cpus() -> int:
    """Gives the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_Outcome = tuple[Path, StoredFilm] | FilmError


def _decode_all(films: Sequence[FilmFile], size: int, workers: int) -> Iterator[tuple[FilmFile, _Outcome]]:
    """Gives outcomes in order with a short queue, so that memory stays flat."""
    waiting: deque[tuple[FilmFile, Future[_Outcome]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for film in films:
            waiting.append((film, pool.submit(_decode_one, film, size)))
            if len(waiting) >= 4 * workers:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()


def _decode_one(film: FilmFile, size: int) -> _Outcome:
    path = next((path for path in film.paths if path.exists()), film.paths[0])
    try:
        return path, decode_film(path, film.width, film.height, size)
    except FilmError as error:
        return error


class _ShardWriter:
    """One film after the other into shards of a fixed number of films."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._size = size
        self._geometry: list[tuple[int, int, float, float, float]] = []
        self._shards: list[dict[str, object]] = []
        self._hash = hashlib.sha256()
        self._stream: BinaryIO | None = None

    def __enter__(self) -> "_ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._close_shard()

    def add(self, film: StoredFilm) -> None:
        shard, slot = divmod(len(self._geometry), FILMS_PER_SHARD)
        if self._stream is None:
            self._stream = (self._folder / shard_name(shard)).open("wb")
            self._hash = hashlib.sha256()
        data = film.pixels.tobytes()
        self._stream.write(data)
        self._hash.update(data)
        self._geometry.append((shard, slot, film.scale, film.pad_x, film.pad_y))
        if slot + 1 == FILMS_PER_SHARD:
            self._close_shard()

    def _close_shard(self) -> None:
        if self._stream is None:
            return
        self._stream.close()
        self._stream = None
        number = len(self._shards)
        count = len(self._geometry) - number * FILMS_PER_SHARD
        self._shards.append({"name": shard_name(number), "count": count, "sha256": self._hash.hexdigest()})

    def finish(self, image_list: str) -> None:
        """Writes geometry and, last, the manifest."""
        self._close_shard()
        arrays = [
            pa.array([row[column] for row in self._geometry], field.type)
            for column, field in enumerate(GEOMETRY_SCHEMA)
        ]
        with (
            pa.OSFile(str(self._folder / "geometry.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, GEOMETRY_SCHEMA) as table,
        ):
            table.write_batch(pa.record_batch(arrays, schema=GEOMETRY_SCHEMA))
        manifest = {
            "schema_version": STORE_SCHEMA_VERSION,
            "size": self._size,
            "count": len(self._geometry),
            "films_per_shard": FILMS_PER_SHARD,
            "image_list": image_list,
            "shards": self._shards,
        }
        (self._folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
