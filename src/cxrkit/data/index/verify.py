"""Finds damage in a finished index: every file is covered by a checksum."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from cxrkit.data.index.artifact import read_fingerprint


def verify_index(workspace: Path, progress: Callable[[int, int], None] | None = None) -> dict[str, str]:
    """Reads all files of the index and compares them with their checksums.

    Args:
        workspace: the folder given to `prepare_workspace`.
        progress: called with (files done, files).

    Returns:
        What is wrong by file name; empty when the index is whole.

    Raises:
        ArtifactError: there is no finished index.
    """
    record = read_fingerprint(workspace)
    wrong: dict[str, str] = {}
    for number, (name, digest) in enumerate(sorted(record["file_sha256"].items()), start=1):
        path = workspace / "index" / name
        if not path.is_file():
            wrong[name] = "it is missing"
        else:
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if found != digest:
                wrong[name] = "its content is not what was written"
        if progress:
            progress(number, len(record["file_sha256"]))
    return wrong
