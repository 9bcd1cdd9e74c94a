"""Turns what is wrong with settings into one line per mistake: path, value, expectation, closest key."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from cxrkit.config.describe import Key

LONGEST_VALUE = 60


def describe_mistakes(
    error: ValidationError, values: Mapping[str, Any], keys: Mapping[str, Key], places: Mapping[str, str]
) -> list[str]:
    """Gives one line per wrong key.

    Args:
        error: all that pydantic found.
        values: the nested values that were validated.
        keys: known keys by dotted path.
        places: where a key was given (`line 7`, `command line`) by dotted path.
    """
    lines: dict[str, str] = {}
    for entry in error.errors():
        # A union or a list gives several errors below one key: the first one tells.
        path = ".".join(str(part) for part in entry["loc"][:2])
        if path not in lines:
            lines[path] = _line(path, entry, values, keys, places)
    return list(lines.values())


def _line(
    path: str,
    entry: Mapping[str, Any],
    values: Mapping[str, Any],
    keys: Mapping[str, Key],
    places: Mapping[str, str],
) -> str:
    place = f" ({places.get(path, 'the default')})"
    value = show_value(_look_up(values, path, keys))
    if entry["type"] in ("extra_forbidden", "invalid_key"):
        return f"{path}: found {value}{place}, but there is no such key{closest_key(path, keys)}"
    if entry["type"] == "value_error":
        expected = str(entry["ctx"]["error"])
    elif path in keys:
        expected = keys[path].expected
    else:
        expected = f"a section with keys such as {_first_key(path, keys)}"
    return f"{path}: found {value}{place}, expected {expected}"


def _look_up(values: Mapping[str, Any], path: str, keys: Mapping[str, Key]) -> object:
    section, _, name = path.partition(".")
    part = values.get(section)
    if not name:
        return part
    if isinstance(part, Mapping) and name in part:
        return part[name]
    return keys[path].default if path in keys else part


def _first_key(section: str, keys: Iterable[str]) -> str:
    return next((path for path in keys if path.startswith(f"{section}.")), section)


def closest_key(path: str, known: Iterable[str]) -> str:
    """Gives `; the closest is ...` for an unknown dotted path, or nothing when none is close.

    The same name in another section comes first: a key in the wrong section is the usual mistake.
    """
    known = list(known)
    name = path.rpartition(".")[2]
    elsewhere = [entry for entry in known if entry.rpartition(".")[2] == name]
    sections = {entry.partition(".")[0]: None for entry in known}
    candidates = known if "." in path else [*sections, *known]
    matches = elsewhere or get_close_matches(path, candidates, n=1, cutoff=0.6)
    if not matches:
        by_name = {entry.rpartition(".")[2]: entry for entry in known}
        matches = [by_name[close] for close in get_close_matches(name, by_name, n=1, cutoff=0.6)]
    return f"; the closest is {matches[0]}" if matches else ""


def show_value(value: object) -> str:
    """Gives a value as a user would write it, cut to a readable length."""
    text = repr(value) if isinstance(value, str) else _plain(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def _plain(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show_value(item) for item in value) + "]"
    return str(value)
