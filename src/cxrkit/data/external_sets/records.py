"""The records of a JSON file of questions, each checked before it is used."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cxrkit.errors import DataLayoutError

Record = Mapping[str, Any]


def read_records(path: Path, needed: Iterable[str], layout: str) -> list[Record]:
    """Reads a JSON list of records.

    Args:
        path: the file.
        needed: keys that every record must have, with text or numbers as values.
        layout: what the folder should look like, for the error.

    Raises:
        DataLayoutError: the file is missing, no JSON list of records, or a record lacks a key.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise DataLayoutError(
            f"no {path.name} in {path.parent}", expected=layout, found="no such file"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataLayoutError(f"{path} cannot be read", expected="JSON", found=str(error)) from error
    if not isinstance(content, list) or not content:
        raise DataLayoutError(
            f"{path} holds no questions", expected="a JSON list of records", found=type(content).__name__
        )
    for place, record in enumerate(content):
        _require(record, place, needed, path)
    return content


def _require(record: Any, place: int, needed: Iterable[str], path: Path) -> None:
    if not isinstance(record, dict):
        raise DataLayoutError(
            f"entry {place} of {path} is no record", expected="an object", found=type(record).__name__
        )
    missing = [key for key in needed if not _is_text(record.get(key))]
    if missing:
        raise DataLayoutError(
            f"entry {place} of {path} lacks what a question needs",
            expected=", ".join(needed),
            found=f"without text: {', '.join(missing)}",
            next_step="download the file again; nothing is skipped in silence",
        )


def picture_of(folder: Path, name: str) -> Path:
    """Gives the path of a picture that a record names.

    Raises:
        DataLayoutError: it would lie outside the folder, or is no file name at all.
    """
    try:
        path = folder / name
        is_inside = path.resolve().is_relative_to(folder.resolve())
        path.is_file()
    except (OSError, ValueError):
        is_inside = False
    if not name or not is_inside:
        raise DataLayoutError(
            "a question names a picture that cannot be in the set's folder",
            expected=f"the name of a file in {folder}",
            found=name[:80],
            next_step="download the set again",
        )
    return path


def words_of(record: Record, key: str) -> str:
    """Gives a value as text, blanks trimmed; the published files have stray ones."""
    return " ".join(str(record[key]).split())


def _is_text(value: Any) -> bool:
    """Tells whether a value can be written as text; half of a surrogate pair cannot."""
    if not isinstance(value, str | int | float):
        return False
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True
