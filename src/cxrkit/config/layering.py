"""Settings files that say only what differs from another file, which their key `extends` names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cxrkit.config.yaml_source import SourceText, read_yaml
from cxrkit.errors import CxrkitError, SettingsError

EXTENDS = "extends"
_MOST_LAYERS = 20


@dataclass
class Layers:
    """What a settings file and those that it extends say together.

    Attributes:
        values: nested mappings; the file's own go over those of the file that it extends.
        places: dotted path of each key -> where it was given: `line 7`, or `base.yaml line 7`.
        mistakes: one line of text per mistake of form.
    """

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)


def read_layers(path: Path) -> Layers:
    """Reads a settings file, and before it those that it extends.

    Args:
        path: a YAML or JSON file.

    Raises:
        CxrkitError: the file itself cannot be read.
        SettingsError: the file itself is no text in UTF-8.
    """
    return _read(path, _read_file(path), (path.resolve(),))


def _read(path: Path, source: SourceText, above: tuple[Path, ...]) -> Layers:
    own = Layers(dict(source.values), mistakes=list(source.mistakes))
    own.places = {name: f"line {line}" for name, line in source.lines.items() if name != EXTENDS}
    named = own.values.pop(EXTENDS, None)
    if named is None:
        return own
    line = source.lines.get(EXTENDS)
    if not isinstance(named, str) or not named.strip():
        own.mistakes.append(f"{EXTENDS}: found {named!r} (line {line}), expected the path of a settings file")
        return own
    base_path = path.parent / named
    if len(above) > _MOST_LAYERS:
        own.mistakes.append(f"{EXTENDS}: {named} (line {line}): more than {_MOST_LAYERS} files in a row")
        return own
    try:
        if base_path.resolve() in above:
            own.mistakes.append(f"{EXTENDS}: {named} (line {line}) extends this file: a circle")
            return own
        base_source = _read_file(base_path)
    except (CxrkitError, ValueError) as error:
        reason = error.problem if isinstance(error, CxrkitError) else str(error)
        own.mistakes.append(f"{EXTENDS}: {named} (line {line}), beside {path.name}: {reason}")
        return own
    base = _read(base_path, base_source, (*above, base_path.resolve()))
    return Layers(
        _merged(base.values, own.values),
        {key: _in_file(base_path.name, place) for key, place in base.places.items()} | own.places,
        [f"{base_path.name}: {mistake}" for mistake in base.mistakes] + own.mistakes,
    )


def _in_file(name: str, place: str) -> str:
    return f"{name} {place}" if place.startswith("line ") else place


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Puts a file's values over those of its base; sections are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = {**below, **value} if both and isinstance(below, dict) else value
    return merged


def _read_file(path: Path) -> SourceText:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(str(path), [f"not a text in UTF-8 (byte {error.start})"]) from error
    except OSError as error:
        raise CxrkitError(
            "the settings file cannot be read",
            expected="a YAML file such as configs/default_config.yaml",
            found=f"{path}: {error.strerror}",
            next_step="check the path after --config",
        ) from error
    return read_yaml(text)
