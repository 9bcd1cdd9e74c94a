"""Reads a YAML settings file strictly: duplicate keys, anchors and surprising scalars are mistakes.

PyYAML follows YAML 1.1, where `5e-5` is a text, `010` is eight and `1:30` is ninety. Here scalars
follow YAML 1.2's core schema, with yes/no/on/off kept as booleans.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

_FLOAT = re.compile(
    r"^[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))$"
    r"|^\.(?:nan|NaN|NAN)$"
)
_INTEGER = re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$")
_BOOLEAN = re.compile(r"^(?:true|false|yes|no|on|off)$", re.IGNORECASE)
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")


@dataclass
class SourceText:
    """What a settings file says.

    Attributes:
        values: nested mappings as written.
        lines: dotted path of each key -> its line, from 1.
        mistakes: one line of text per mistake of form.
    """

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)


class _StrictLoader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - the base class's own declaration

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.mistakes: list[str] = []

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not taken here", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        first_line: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in first_line:
                first = f"(first on line {first_line[key.value]})"
                self.mistakes.append(f"line {line}: the key {key.value!r} is given twice {first}")
            first_line.setdefault(key.value, line)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("bool", _BOOLEAN, "tTfFyYnNoO"),
    ("int", _INTEGER, "-+0123456789"),
    ("float", _FLOAT, "-+0123456789."),
    ("null", _NULL, ["~", "n", "N", ""]),
):
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list(_first))


def read_yaml(text: str) -> SourceText:
    r"""Reads the text of a settings file; mistakes of form are collected, never raised.

    >>> read_yaml("a: {b: 5e-5}").values
    {'a': {'b': 5e-05}}
    >>> read_yaml("a: 1\na: 2").mistakes
    ["line 2: the key 'a' is given twice (first on line 1)"]
    """
    source = SourceText()
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        values = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        source.mistakes.append(_syntax_mistake(error))
        return source
    source.mistakes.extend(loader.mistakes)
    if isinstance(values, dict):
        source.values = {str(key): value for key, value in values.items()}
        _collect_lines(node, "", source.lines)
    else:
        source.mistakes.append("the file must hold sections with keys, such as `training:`; it holds none")
    return source


def read_scalar(text: str) -> object:
    """Reads one value as a settings file would; raises ValueError when it is no YAML.

    >>> read_scalar("False"), read_scalar("5e-5"), read_scalar("[a, 1]")
    (False, 5e-05, ['a', 1])
    """
    try:
        loader = _StrictLoader(text)
        value: object = loader.get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(_syntax_mistake(error)) from error
    return value


def _syntax_mistake(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable as YAML"
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return f"{place}not valid YAML: {problem}"


def _collect_lines(node: Node | None, prefix: str, lines: dict[str, int]) -> None:
    if not isinstance(node, MappingNode):
        return
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        lines[path] = key.start_mark.line + 1
        _collect_lines(value, f"{path}.", lines)
