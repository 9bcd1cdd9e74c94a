"""Reads single study files out of an archive or a folder, from any process, without its directory."""

import bz2
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_LIMIT_BYTES = 1 << 28
_HEADER = struct.Struct("<4s22xHH")
_HEADER_START = b"PK\x03\x04"
# Names and extra fields of a member rarely exceed this: one read gets header and data.
_USUAL_HEADER_BYTES = 512


class MemberError(Exception):
    """One study's file cannot be read; becomes a reject, never reaches the user as such."""


class ZippedPlace(NamedTuple):
    """Where a member lies in its archive: offset of its header, sizes in bytes, CRC-32, method."""

    offset: int
    packed: int
    size: int
    crc: int
    method: int


class ExtractedPlace(NamedTuple):
    """A file's name below its folder."""

    name: str


Place = ZippedPlace | ExtractedPlace


# A member may unpack to more than it says: one byte too many is enough to tell.
def _inflate(data: bytes, size: int) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)


def _unpack_bzip2(data: bytes, size: int) -> bytes:
    return bz2.BZ2Decompressor().decompress(data, size + 1)


# By the numbers of the zip format: stored, deflate, bzip2.
METHODS: dict[int, Callable[[bytes, int], bytes]] = {
    0: lambda data, size: data,
    8: _inflate,
    12: _unpack_bzip2,
}


class MemberReader:
    """Reads files of one archive or folder.

    Args:
        origin: the archive, or the folder.

    Raises:
        OSError: the archive cannot be opened.
    """

    def __init__(self, origin: Path) -> None:
        self._origin = origin
        self._archive = origin.open("rb", buffering=0) if origin.is_file() else None

    def read(self, place: Place) -> bytes:
        """Gives the bytes of one file.

        Raises:
            MemberError: it is damaged, unreadable or larger than 256 MiB.
        """
        try:
            if isinstance(place, ExtractedPlace):
                return self._read_file(place)
            return self._read_member(place)
        except OSError as error:
            raise MemberError(type(error).__name__) from error

    def _read_file(self, place: ExtractedPlace) -> bytes:
        path = self._origin / place.name
        if path.stat().st_size > _LIMIT_BYTES:
            raise MemberError("larger than 256 MiB")
        return path.read_bytes()

    def _read_member(self, place: ZippedPlace) -> bytes:
        if max(place.size, place.packed) > _LIMIT_BYTES:
            raise MemberError("larger than 256 MiB")
        block = self._bytes_at(place.offset, _HEADER.size + _USUAL_HEADER_BYTES + place.packed)
        if len(block) < _HEADER.size:
            raise MemberError("the archive ends before it")
        mark, name_bytes, extra_bytes = _HEADER.unpack_from(block)
        if mark != _HEADER_START:
            raise MemberError("its header is damaged")
        start = _HEADER.size + name_bytes + extra_bytes
        packed = block[start : start + place.packed]
        if len(packed) < place.packed:
            packed = self._bytes_at(place.offset + start, place.packed)
        try:
            data = METHODS[place.method](packed, place.size)
        except (zlib.error, OSError, ValueError, EOFError) as error:
            raise MemberError("its data cannot be unpacked") from error
        if len(data) != place.size or zlib.crc32(data) != place.crc:
            raise MemberError("its checksum does not fit")
        return data

    def _bytes_at(self, offset: int, count: int) -> bytes:
        if self._archive is None:
            raise MemberError("the archive is no file any more")
        return os.pread(self._archive.fileno(), count, offset)
