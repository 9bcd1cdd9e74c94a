"""What was skipped when the index was made, and names that no table maps."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from cxrkit.analysis.counting import share
from cxrkit.data.index import Index
from cxrkit.errors import ArtifactError


def count_rejects(path: Path) -> dict[str, Counter[str]]:
    """Counts the lines of `rejects.csv` by kind and code.

    Args:
        path: the file that `prepare` wrote.

    Returns:
        per kind (`image`, `study`, `question`, ...) the counts by code.

    Raises:
        ArtifactError: the file is missing.
    """
    result: dict[str, Counter[str]] = {}
    if not path.is_file():
        raise ArtifactError(
            "the prepared index lacks its list of skipped things",
            expected=str(path),
            found="no such file",
            next_step="run `cxrkit prepare` again",
        )
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            result.setdefault(row["kind"], Counter())[row["code"]] += 1
    return result


def measure_rejects(index: Index) -> dict[str, Any]:
    """Gives skipped things by kind and code, and unmapped names with their counts.

    Args:
        index: the opened index.

    Raises:
        ArtifactError: `rejects.csv` is missing.

    Returns:
        `rejects` (`total`, `by_code`, `by_kind`, `image_share`), `unmapped` and `yes_no_disagreements`.
    """
    by_kind = count_rejects(index.workspace / "index" / "rejects.csv")
    images = sum(by_kind.get("image", Counter()).values())
    by_code = {code: int(count) for code, count in sorted(index.counts.get("rejects", {}).items())}
    return {
        "rejects": {
            "total": sum(by_code.values()),
            "by_code": by_code,
            "by_kind": {kind: dict(sorted(codes.items())) for kind, codes in sorted(by_kind.items())},
            "images": images,
            "image_share": share(images, images + len(index.images)),
        },
        "unmapped": {
            "regions": _by_count(index.counts.get("unmapped_regions", {})),
            "entities": _by_count(index.counts.get("unmapped_entities", {})),
        },
        "yes_no_disagreements": int(index.counts.get("yes_no_disagreements", 0)),
    }


def _by_count(counts: dict[str, int]) -> dict[str, int]:
    """Puts the commonest first, names that are equally common in alphabetical order."""
    return {name: int(count) for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))}
