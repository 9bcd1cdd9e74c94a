"""The work of one process: decodes a unit of films and puts their pixels at their places."""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cxrkit.data.films.decode import decode_film
from cxrkit.data.films.film_error import FilmError
from cxrkit.data.films.film_list import FilmFile
from cxrkit.data.films.outcomes import FilmResult
from cxrkit.data.films.shape import StoreLayout, fit_film


class FilmUnit(NamedTuple):
    """Films that are decoded together and lie side by side in one shard.

    Attributes:
        shard_path: where their pixels go; None when nothing is stored.
        offset: place of the first film in that file.
        films: in order.
    """

    shard_path: Path | None
    offset: int
    films: tuple[FilmFile, ...]


@dataclass(frozen=True)
class DecodeState:
    """What a process needs for every unit."""

    layout: StoreLayout


def decode_unit(state: DecodeState, unit: FilmUnit) -> list[FilmResult]:
    """Decodes and writes a unit; on return its pixels are on disk. A rejected film leaves zeros.

    Raises:
        OSError: the shard cannot be written.
    """
    if unit.shard_path is None:
        return [decode_or_reject(film, state.layout)[0] for film in unit.films]
    results, place = [], unit.offset
    handle = os.open(unit.shard_path, os.O_WRONLY)
    try:
        for film in unit.films:
            result, pixels = decode_or_reject(film, state.layout)
            # Zeros are written too: an earlier, interrupted run may have accepted the film.
            _write_at(handle, place, pixels)
            place += len(pixels)
            results.append(result)
        os.fsync(handle)
    finally:
        os.close(handle)
    return results


def decode_or_reject(film: FilmFile, layout: StoreLayout) -> tuple[FilmResult, bytes]:
    """Gives a film's result and its pixels row by row as they are stored, zeros when it is rejected."""
    choice = next((number for number, path in enumerate(film.paths) if path.exists()), 0)
    try:
        pixels = decode_film(film.paths[choice], film.width, film.height, layout).tobytes()
    except FilmError as error:
        shape = fit_film(film.width, film.height, layout)
        nothing = bytes(shape.stored_height * shape.stored_width)
        return FilmResult(choice, 0, error.code, error.detail), nothing
    return FilmResult(choice, zlib.crc32(pixels)), pixels


def _write_at(handle: int, place: int, pixels: bytes) -> None:
    rest = memoryview(pixels)
    while rest:
        written = os.pwrite(handle, rest, place)
        rest, place = rest[written:], place + written
