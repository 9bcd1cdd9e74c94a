"""The list of checksums that a data set of PhysioNet comes with: `<sha256> <path>` on each line."""

import re
from pathlib import Path, PurePosixPath

from cxrkit.errors import DataLayoutError

SUMS_NAME = "SHA256SUMS.txt"
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


def find_sums(root: Path) -> Path:
    """Finds the list in the release root, also when its `files/` folder is named.

    Args:
        root: what the user passed as `--mimic_cxr_path`.

    Raises:
        DataLayoutError: there is none.
    """
    for folder in (root, root.parent) if root.name == "files" else (root,):
        if (folder / SUMS_NAME).is_file():
            return folder / SUMS_NAME
    raise DataLayoutError(
        f"there is no {SUMS_NAME} to check the films against",
        expected=f"{SUMS_NAME} in the release root",
        found=f"{root} has none",
        next_step=f"download {SUMS_NAME} of the same release, or pass the release root",
    )


def read_sums(path: Path) -> dict[str, str]:
    """Reads the list: lower-case hex digest of each path, which is relative to the list's folder.

    Raises:
        DataLayoutError: a line is not `<64 hex digits> <path>`, or there is none.
    """
    sums: dict[str, str] = {}
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            digest, name = [*line.split(maxsplit=1), ""][:2]
            # Between digest and path: one space as released, or two, or a space and the mark of binary files.
            name = name.strip().removeprefix("*").removeprefix("./")
            if not _DIGEST.fullmatch(digest) or not _is_below(name):
                raise _damaged(path, f"line {number} is not a digest and a path")
            sums[name] = digest.lower()
    if not sums:
        raise _damaged(path, "it is empty")
    return sums


def _is_below(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts


def _damaged(path: Path, found: str) -> DataLayoutError:
    return DataLayoutError(
        f"{path.name} is damaged",
        expected="lines of 64 hexadecimal digits, a space and a path",
        found=f"{path}: {found}",
        next_step="download it again",
    )
