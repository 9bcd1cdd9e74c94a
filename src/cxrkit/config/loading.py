"""Loads settings from a file and the command line, with every mistake reported at once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, overload

import yaml
from pydantic import ValidationError

from cxrkit.config.describe import Key, keys_of
from cxrkit.config.layering import Layers, read_layers
from cxrkit.config.mistakes import describe_mistakes
from cxrkit.config.overrides import apply_overrides
from cxrkit.config.settings import SETTINGS_OF_TASK, ClassifySettings, Settings, Task, VQASettings
from cxrkit.errors import SettingsError


@overload
def load_settings(
    path: Path | str | None, task: Literal["vqa"], overrides: Mapping[str, object] | None = None
) -> VQASettings: ...
@overload
def load_settings(
    path: Path | str | None, task: Literal["classify"], overrides: Mapping[str, object] | None = None
) -> ClassifySettings: ...
@overload
def load_settings(
    path: Path | str | None, task: Task | None = None, overrides: Mapping[str, object] | None = None
) -> Settings: ...
def load_settings(
    path: Path | str | None, task: Task | None = None, overrides: Mapping[str, object] | None = None
) -> Settings:
    """Loads and validates the settings of a task.

    Args:
        path: a YAML (or JSON) file, which may extend another; None takes the defaults alone.
        task: whose settings; None = as the file's own key `task` says, else `vqa`.
        overrides: dotted key -> value, put over the file; texts are read as YAML.

    Raises:
        SettingsError: with a line for every mistake of the file and of the overrides.
    """
    source = read_layers(Path(path)) if path is not None else Layers()
    if source.mistakes and not source.values:
        raise SettingsError(_source_name(path, overrides), source.mistakes)
    own = source.values.get("task")
    if task is not None and own in SETTINGS_OF_TASK and own != task:
        # Told alone: every key of the other task would be a mistake of its own.
        mistake = f"task: found {own!r} ({source.places['task']}), expected {task}"
        raise SettingsError(_source_name(path, overrides), [mistake])
    model = SETTINGS_OF_TASK[task or _task_of(source.values)]
    keys = {key.path: key for key in keys_of(model)}
    values, unread = apply_overrides(source.values, overrides or {}, keys)
    places = source.places | dict.fromkeys(overrides or {}, "command line")
    mistakes = [*source.mistakes, *unread]
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        mistakes += describe_mistakes(error, values, keys, places)
    if mistakes:
        raise SettingsError(_source_name(path, overrides), mistakes)
    return settings


def dump_settings(settings: Settings, path: Path | None = None) -> str:
    """Gives the resolved settings as text that `load_settings` reads back to an equal object.

    Args:
        settings: any task's.
        path: written too when given; `.json` makes it JSON, anything else YAML.
    """
    content = settings.model_dump(mode="json")
    if path is not None and path.suffix == ".json":
        # YAML, which reads it back, does not join the two halves of an escaped rare character.
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    else:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    if path is not None:
        path.write_text(text, encoding="utf-8")
    return text


def commented_settings(settings: Settings) -> str:
    """Gives the resolved settings as YAML with what each key must be and what it means."""
    keys: dict[str, Key] = {key.path: key for key in keys_of(type(settings))}
    lines: list[str] = []
    for name, part in settings.model_dump(mode="json").items():
        if isinstance(part, dict):
            lines.append(f"\n{name}:")
            lines += [_commented(keys[f"{name}.{key}"], key, value, "  ") for key, value in part.items()]
        else:
            lines.append(_commented(keys[name], name, part, ""))
    return "\n".join(lines) + "\n"


def _commented(key: Key, name: str, value: Any, indent: str) -> str:
    written = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
    return f"{indent}# {key.meaning}: {key.expected}\n{indent}{name}: {written}"


def _task_of(values: Mapping[str, Any]) -> Task:
    return "classify" if values.get("task") == "classify" else "vqa"


def _source_name(path: Path | str | None, overrides: Mapping[str, object] | None) -> str:
    names = [str(path)] if path is not None else []
    return " and ".join([*names, "command line"] if overrides or not names else names)
