"""The patient groups p10 .. p19 that both data sets use as top folders."""

import re
from pathlib import Path

_GROUP_FOLDER = re.compile(r"p1\d")


def has_group_folders(folder: Path) -> bool:
    """Tells whether a folder directly holds one of the patient groups p10 .. p19."""
    children = folder.iterdir() if folder.is_dir() else ()
    return any(_GROUP_FOLDER.fullmatch(child.name) and child.is_dir() for child in children)


def describe_folder(folder: Path, limit: int = 8) -> str:
    """Lists the first names in a folder for an error message."""
    names = sorted(child.name + ("/" if child.is_dir() else "") for child in folder.iterdir())
    shown = ", ".join(names[:limit]) or "nothing"
    return shown + (f", ... ({len(names)} entries)" if len(names) > limit else "")
