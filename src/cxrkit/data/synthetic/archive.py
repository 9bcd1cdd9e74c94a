"""Zip archives whose bytes depend on their members alone."""

import zipfile
from pathlib import Path

_STAMP = (1980, 1, 1, 0, 0, 0)
_LEVEL = 6


def open_archive(path: Path) -> zipfile.ZipFile:
    """Opens a new archive for writing."""
    return zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)


def add_member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Adds a member with a fixed time stamp."""
    info = zipfile.ZipInfo(name, date_time=_STAMP)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, data, compresslevel=_LEVEL)


def read_members(path: Path) -> dict[str, bytes]:
    """Gives all members of an archive in their order."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path: Path, members: dict[str, bytes]) -> None:
    """Writes an archive of the given members."""
    with open_archive(path) as archive:
        for name, data in members.items():
            add_member(archive, name, data)
