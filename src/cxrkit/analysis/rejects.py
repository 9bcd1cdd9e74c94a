"""What was skipped when the index was made, and names that no table maps."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from cxrkit.analysis.counting import share
from cxrkit.data.index import Index
from cxrkit.data.rejects import film_remedy
from cxrkit.errors import ArtifactError


def count_rejects(path: Path) -> dict[str, Counter[str]]:
    """Counts the lines of `rejects.csv` by kind and code.

    Args:
        path: the file that `prepare` wrote.

    Returns:
        per kind (`image`, `study`, `question`, ...) the counts by code.

    Raises:
        ArtifactError: the file is missing or damaged.
    """
    result: dict[str, Counter[str]] = {}
    if not path.is_file():
        raise _unusable(path, "no such file")
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream)
            if not {"code", "kind"} <= set(table.fieldnames or ()):
                raise _unusable(path, "it is damaged: no columns code and kind")
            for row in table:
                result.setdefault(row["kind"], Counter())[row["code"]] += 1
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unusable(path, f"it is damaged: {error!r}") from error
    return result


def _unusable(path: Path, found: str) -> ArtifactError:
    return ArtifactError(
        "the prepared index lacks its list of skipped things",
        expected=f"{path} as `cxrkit prepare` wrote it",
        found=found,
        next_step="run `cxrkit prepare` again",
    )


def measure_rejects(index: Index) -> dict[str, Any]:
    """Gives skipped things by kind and code, and unmapped names with their counts.

    Args:
        index: the opened index.

    Raises:
        ArtifactError: `rejects.csv` is missing.

    Returns:
        `rejects` (`total`, `by_code`, `by_kind`, `images`, `image_share`, `image_remedy`), `unmapped` and
        `yes_no_disagreements`.
    """
    by_kind = count_rejects(index.workspace / "index" / "rejects.csv")
    of_images = by_kind.get("image", Counter())
    images = of_images.total()
    by_code = {code: int(count) for code, count in sorted(index.counts.get("rejects", {}).items())}
    return {
        "rejects": {
            "total": sum(by_code.values()),
            "by_code": by_code,
            "by_kind": {kind: dict(sorted(codes.items())) for kind, codes in sorted(by_kind.items())},
            "images": images,
            "image_share": share(images, images + len(index.images)),
            "image_remedy": film_remedy(of_images) if images else None,
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
