"""Where the parts of MIMIC-CXR-JPG lie: release root, its `files/` folder, or a root without `files/`."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from cxrkit.errors import DataLayoutError

logger = logging.getLogger(__name__)

METADATA = "mimic-cxr-2.0.0-metadata.csv"
SPLIT = "mimic-cxr-2.0.0-split.csv"
CHEXPERT = "mimic-cxr-2.0.0-chexpert.csv"
NEGBIO = "mimic-cxr-2.0.0-negbio.csv"
TEST_LABELS = "mimic-cxr-2.1.0-test-set-labeled.csv"
REQUIRED = (METADATA, SPLIT, CHEXPERT)
OPTIONAL = (NEGBIO, TEST_LABELS)
_GROUP_FOLDER = re.compile(r"p1\d")


@dataclass(frozen=True)
class MimicCxrLayout:
    """The found parts of one copy of MIMIC-CXR-JPG.

    Attributes:
        root: the folder the user named.
        image_folder: the folder that holds p10 .. p19.
        tables: path of each table by its name without `.gz`; optional ones may be absent.
    """

    root: Path
    image_folder: Path
    tables: dict[str, Path]


def find_mimic_cxr(root: Path) -> MimicCxrLayout:
    """Finds the films and tables below the release root or its `files/` folder.

    Each table may be `.csv.gz` or `.csv`; where both exist the `.csv.gz` (as released) is read.
    The file names keep "2.0.0" inside release 2.1.0 (PhysioNet page of MIMIC-CXR-JPG 2.1.0).

    Args:
        root: what the user passed as `--mimic_cxr_path`.

    Raises:
        DataLayoutError: a folder or required table is missing; all missing ones are named at once.
    """
    if not root.is_dir():
        raise DataLayoutError(
            "the MIMIC-CXR-JPG folder does not exist",
            expected="the release root, or its files/ folder",
            found=f"{root} is {'not a folder' if root.exists() else 'missing'}",
            next_step="pass the folder with --mimic_cxr_path; `cxrkit synth OUT` makes a synthetic one",
        )
    tables = _find_tables(root)
    missing = [f"{name}.gz (or {name})" for name in REQUIRED if name not in tables]
    image_folder = next((folder for folder in (root / "files", root) if has_group_folders(folder)), None)
    if image_folder is None:
        missing.append("files/p10 .. p19")
    if missing or image_folder is None:
        raise DataLayoutError(
            f"MIMIC-CXR-JPG is not complete: {len(missing)} missing",
            expected="\n".join(missing),
            found=f"{root} holds {describe_folder(root)}",
            next_step="finish the download, or pass the release root with --mimic_cxr_path",
        )
    return MimicCxrLayout(root, image_folder, tables)


def has_group_folders(folder: Path) -> bool:
    """Tells whether a folder directly holds one of the patient groups p10 .. p19."""
    return folder.is_dir() and any(
        _GROUP_FOLDER.fullmatch(child.name) for child in folder.iterdir() if child.is_dir()
    )


def describe_folder(folder: Path, limit: int = 8) -> str:
    """Lists the first names in a folder for an error message."""
    names = sorted(child.name + ("/" if child.is_dir() else "") for child in folder.iterdir())
    shown = ", ".join(names[:limit]) or "nothing"
    return shown + (f", ... ({len(names)} entries)" if len(names) > limit else "")


def _find_tables(root: Path) -> dict[str, Path]:
    folders = [root] if not has_group_folders(root) else [root, root.parent]
    found: dict[str, Path] = {}
    for name in REQUIRED + OPTIONAL:
        candidates = [
            path for folder in folders for path in (folder / f"{name}.gz", folder / name) if path.is_file()
        ]
        if not candidates:
            continue
        found[name] = candidates[0]
        if len(candidates) > 1:
            logger.info("%s exists more than once; reading %s", name, candidates[0])
    return found
