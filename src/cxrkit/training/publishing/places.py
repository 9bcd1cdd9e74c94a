"""Takes this machine's places out of what is published: settings, configurations, the command line."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from cxrkit.config import Settings

_PLACE = re.compile(r"(?:~\w*|\.{1,2})?[/\\]\w.*|[A-Za-z]:[/\\].*|~")
_PROGRAMS = {
    "cxrkit": "cxrkit",
    "__main__.py": "cxrkit",
    "train_mimic_cxr.py": "python train_mimic_cxr.py",
}
_PLACEHOLDERS = {
    "--config": "CONFIG.yaml",
    "--mimic_cxr_path": "MIMIC_CXR_JPG",
    "--mimic_qa_path": "MIMIC_EXT_CXR_QBA",
    "--workspace": "WORKSPACE",
    "--output_dir": "OUTPUT_DIR",
    "--deepspeed": "DEEPSPEED.json",
    "--resume_from_checkpoint": "auto",
}
ANY_PLACE = "PATH"
# Where tracking and the hub are told to go says nothing about the model.
_UNSAID = frozenset({"--wandb_project", "--hub_model_id"})
_UNSAID_KEYS = ("wandb.", "deepspeed.", "training.hub_", "training.resume_from_checkpoint")


def is_place(text: str) -> bool:
    """Tells whether a text names a place on a disk, rather than a repository of the hub or a word.

    >>> [is_place(text) for text in ("/data/w.pth", "~/w", "../w", "emilyalsentzer/Bio_ClinicalBERT", "/")]
    [True, True, True, False, False]
    """
    return _PLACE.fullmatch(text) is not None or ("/" in text.strip("/") and Path(text).exists())


def without_places(value: Any) -> Any:
    """Gives JSON values in which only the last name is left of every path.

    >>> without_places({"name_or_path": "/home/me/models/bert", "layers": [2, "~/a/b"]})
    {'name_or_path': 'bert', 'layers': [2, 'b']}
    """
    if isinstance(value, str):
        return PurePath(value).name if is_place(value) else value
    if isinstance(value, dict):
        return {key: without_places(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(part) for part in value]
    return value


def settings_without_places(settings: Settings) -> dict[str, Any]:
    """Gives the settings as JSON values, with the defaults in place of this machine's paths and names.

    Where the data lies, where tracking and the hub are told to go, and what a run goes on from say nothing
    about the model.

    Args:
        settings: resolved.
    """
    default = type(settings)()
    content, defaults = settings.model_dump(), default.model_dump()
    kept: dict[str, Any] = {}
    for section, part in content.items():
        if not isinstance(part, dict):
            kept[section] = part
            continue
        unsaid = section in ("wandb", "deepspeed")
        kept[section] = {
            key: _as_json(defaults[section][key])
            if unsaid or isinstance(value, Path) or key in ("hub_model_id", "resume_from_checkpoint")
            else without_places(value)
            for key, value in part.items()
        }
    return kept


def command_without_places(words: Sequence[str]) -> str | None:
    """Gives the command line that began this process, with the names of options in place of paths.

    Args:
        words: `sys.argv`.

    Returns:
        None when this process is not one of the package's programs but a script or a notebook of one's own.

    >>> command_without_places(["/opt/bin/cxrkit", "train", "vqa", "--config", "/home/me/c.yaml"])
    'cxrkit train vqa --config CONFIG.yaml'
    """
    program = _PROGRAMS.get(PurePath(words[0]).name) if words else None
    if program is None:
        return None
    shown, option = [program], ""
    for word in _said(words[1:]):
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            option = name
            shown.append(f"{name}={_value(name, value)}" if equals else name)
        else:
            shown.append(_value(option, word))
            option = ""
    return " ".join(shown)


def _said(words: Sequence[str]) -> list[str]:
    """Gives the words without the options, with their values, that nobody else needs to know."""
    said: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        value = value if equals else (rest[0] if rest else "")
        if name in _UNSAID or (name == "--set" and value.startswith(_UNSAID_KEYS)):
            rest = rest if equals else rest[1:]
        else:
            said.append(word)
    return said


def _value(option: str, value: str) -> str:
    if option in _PLACEHOLDERS:
        return _PLACEHOLDERS[option]
    if option == "--set":
        key, _, assigned = value.partition("=")
        return f"{key}={_of_key(key, assigned)}"
    return ANY_PLACE if is_place(value) else value


def _of_key(key: str, assigned: str) -> str:
    is_folder = key.endswith(("_path", "_dir", ".workspace"))
    return ANY_PLACE if is_folder or is_place(assigned) else assigned


def _as_json(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
