"""Where the parts of MIMIC-CXR-JPG lie: release root, its `files/` folder, or a root without `files/`."""

import logging
from dataclasses import dataclass
from pathlib import Path

from cxrkit.data.group_folders import describe_folder, has_group_folders
from cxrkit.errors import DataLayoutError

logger = logging.getLogger(__name__)

METADATA = "mimic-cxr-2.0.0-metadata.csv"
SPLIT = "mimic-cxr-2.0.0-split.csv"
CHEXPERT = "mimic-cxr-2.0.0-chexpert.csv"
NEGBIO = "mimic-cxr-2.0.0-negbio.csv"
TEST_LABELS = "mimic-cxr-2.1.0-test-set-labeled.csv"
REQUIRED = (METADATA, SPLIT, CHEXPERT)
OPTIONAL = (NEGBIO, TEST_LABELS)


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


def _find_tables(root: Path) -> dict[str, Path]:
    names = REQUIRED + OPTIONAL
    # Below files/ there are films only: the tables lie beside it.
    folders = [root, root.parent] if has_group_folders(root) else [root]
    folder = next((place for place in folders if any(_versions(place, name) for name in names)), root)
    found: dict[str, Path] = {}
    for name in names:
        versions = _versions(folder, name)
        found.update({name: versions[0]} if versions else {})
        if len(versions) > 1:
            logger.info("%s exists twice; reading %s", name, versions[0].name)
    return found


def _versions(folder: Path, name: str) -> list[Path]:
    return [path for path in (folder / f"{name}.gz", folder / name) if path.is_file()]
