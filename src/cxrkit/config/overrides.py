"""Puts values of the command line over those of a settings file."""

from collections.abc import Mapping
from typing import Any

from cxrkit.config.describe import Key
from cxrkit.config.mistakes import closest_key
from cxrkit.config.yaml_source import read_scalar


def apply_overrides(
    values: dict[str, Any], overrides: Mapping[str, object], keys: Mapping[str, Key]
) -> tuple[dict[str, Any], list[str]]:
    """Gives the nested values with dotted overrides put in, and a line per override that is wrong.

    Args:
        values: sections as read from the file; left as they are.
        overrides: dotted key -> value; a text is read as YAML unless the key itself takes a text.
        keys: the known keys by dotted path.
    """
    merged = {name: dict(part) if isinstance(part, dict) else part for name, part in values.items()}
    mistakes: list[str] = []
    for path, given in overrides.items():
        section, _, name = path.partition(".")
        if path not in keys:
            mistakes.append(f"{path}: (command line) there is no such key{closest_key(path, keys)}")
            continue
        try:
            value = _read(given, keys[path])
        except ValueError as error:
            mistakes.append(f"{path}: found {given!r} (command line), {error}")
            continue
        if not name:
            merged[section] = value
        elif isinstance(merged.setdefault(section, {}), dict):
            merged[section][name] = value
    return merged, mistakes


def _read(given: object, key: Key) -> object:
    if not isinstance(given, str):
        return given
    if not key.takes_text:
        return read_scalar(given)
    return None if given.strip() in ("null", "~") else given
