"""A shard: a header page that says what it is, then the films' pixels without gaps."""

import json
import os
import zlib
from pathlib import Path
from typing import Any

from cxrkit.data.films.plan import HEADER_BYTES, STORE_SCHEMA_VERSION, PlannedShard

_MAGIC = b"CXRFILMS"
_CHECKED_FROM = len(_MAGIC) + 4


def shard_name(number: int) -> str:
    """Gives the file name of a shard."""
    return f"shard-{number:05d}.bin"


def header_page(shard: PlannedShard) -> bytes:
    """Gives a shard's first page: magic, CRC-32 of what follows, JSON, zeros to the end."""
    content = {
        "schema_version": STORE_SCHEMA_VERSION,
        "shard": shard.number,
        "films": shard.films,
        "payload": shard.payload,
    }
    rest = json.dumps(content, sort_keys=True).encode().ljust(HEADER_BYTES - _CHECKED_FROM, b"\0")
    return _MAGIC + zlib.crc32(rest).to_bytes(4, "little") + rest


def create_shard(folder: Path, shard: PlannedShard) -> None:
    """Makes a shard file with its header and room for its films, unless it is there already."""
    path = folder / shard_name(shard.number)
    if not shard_fault(path, shard):
        return
    with path.open("wb") as stream:
        stream.write(header_page(shard))
        stream.truncate(HEADER_BYTES + shard.payload)
        stream.flush()
        os.fsync(stream.fileno())


def shard_fault(path: Path, shard: PlannedShard) -> str:
    """Says what is wrong with a shard file by its header and length; "" when nothing is.

    Args:
        path: the file.
        shard: what it must be.
    """
    if not path.is_file():
        return "it is missing"
    expected = HEADER_BYTES + shard.payload
    with path.open("rb") as stream:
        found = os.fstat(stream.fileno()).st_size
        page = stream.read(HEADER_BYTES)
    if found != expected:
        return f"{found} bytes instead of {expected}"
    if page[: len(_MAGIC)] != _MAGIC:
        return "its header is not that of a shard"
    if zlib.crc32(page[_CHECKED_FROM:]) != int.from_bytes(page[len(_MAGIC) : _CHECKED_FROM], "little"):
        return "its header is damaged"
    return "" if page == header_page(shard) else f"its header is that of another shard: {_number(page)}"


def _number(page: bytes) -> int:
    content: dict[str, Any] = json.loads(page[_CHECKED_FROM:].rstrip(b"\0"))
    return int(content["shard"])
