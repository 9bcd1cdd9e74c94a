"""Each key of the settings with what it must be, its default and its meaning.

The one source for error messages, `cxrkit config show` and the documentation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from cxrkit.config.section import Section
from cxrkit.config.values import Expectation


@dataclass(frozen=True)
class Key:
    """One key of the settings.

    Attributes:
        path: dotted, e.g. `training.learning_rate`.
        expected: what its value must be, in words.
        default: as Python value.
        meaning: one line.
        takes_text: a text is taken as it stands, not read as YAML.
    """

    path: str
    expected: str
    default: object
    meaning: str
    takes_text: bool


def keys_of(settings: type[Section], prefix: str = "") -> Iterator[Key]:
    """Gives every key of a settings class, sections unfolded, in their order."""
    for name, field in settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from keys_of(kind, f"{prefix}{name}.")
        else:
            yield Key(
                path=prefix + name,
                expected=_expected(field),
                default=field.default,
                meaning=field.description or "",
                takes_text=_takes_text(kind),
            )


def _expected(field: FieldInfo) -> str:
    words = [entry.words for entry in field.metadata if isinstance(entry, Expectation)]
    if words:
        return words[-1]
    choices = [str(choice) for choice in get_args(field.annotation)]
    return choices[0] if len(choices) == 1 else "one of " + ", ".join(choices)


def _takes_text(kind: Any) -> bool:
    if get_origin(kind) in (Union, UnionType):
        return all(_takes_text(member) for member in get_args(kind) if member is not type(None))
    if get_origin(kind) is Literal:
        return all(isinstance(choice, str) for choice in get_args(kind))
    if hasattr(kind, "__metadata__"):
        return _takes_text(get_args(kind)[0])
    return kind in (str, Path)
