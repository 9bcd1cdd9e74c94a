"""Where things are: regions and their groups in observations, answers and boxes."""

from typing import Any

import numpy as np

from cxrkit.analysis.counting import bit_counts, named, share
from cxrkit.analysis.rows import Rows
from cxrkit.data.index import Index
from cxrkit.vocabulary import ANSWER_HEADS, GROUP_OF_REGION, REGION_GROUPS, REGIONS, SPLITS, Head

_MASKS = tuple(1 << place for place in range(len(REGIONS)))
_GROUP_MASKS = tuple(
    sum(mask for mask, owner in zip(_MASKS, GROUP_OF_REGION, strict=True) if owner == group)
    for group in REGION_GROUPS
)
_NAMES = (*REGIONS, *REGION_GROUPS)


def measure_regions(index: Index, rows: Rows) -> dict[str, Any]:
    """Gives how often each of the 26 regions and 5 groups is named and boxed.

    An observation or answer that names several regions of a group counts once for the group.

    Returns:
        `by_region` and `by_group`: per name the counts `positive_observations`, `negative_observations`,
        `answers` (questions of the region head that take part, by split) and `boxes` (no fallback boxes).
    """
    masks = (*_MASKS, *_GROUP_MASKS)
    positiveness = index.column("observations", "positiveness")
    observed = bit_counts(index.column("observations", "node_bits"), masks, positiveness + 1, 3)
    asked = rows.question_kept & (index.column("questions", "head") == ANSWER_HEADS.index(Head.REGION))
    places = np.flatnonzero(asked)
    targets = index.column("questions", "region_target")[places]
    answered = bit_counts(targets, masks, rows.split_of_question[places], len(SPLITS))
    boxes = _box_counts(index)
    entries = {
        name: {
            "positive_observations": int(observed[2, place]),
            "negative_observations": int(observed[0, place]),
            "answers": named(SPLITS, answered[:, place]),
            "boxes": int(boxes[place]),
        }
        for place, name in enumerate(_NAMES)
    }
    return {
        "by_region": {
            name: {"group": group, **entries[name]}
            for name, group in zip(REGIONS, GROUP_OF_REGION, strict=True)
        },
        "by_group": _with_shares({name: entries[name] for name in REGION_GROUPS}),
    }


def _box_counts(index: Index) -> list[int]:
    node = index.column("region_boxes", "node")
    real = (node >= 0) & ~index.column("region_boxes", "is_fallback")
    counts = np.bincount(node[real], minlength=len(REGIONS))
    owners = np.array(GROUP_OF_REGION)
    return [*map(int, counts), *(int(counts[owners == group].sum()) for group in REGION_GROUPS)]


def _with_shares(groups: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    total = sum(entry["positive_observations"] for entry in groups.values())
    return {
        name: {**entry, "share_of_positive_observations": share(entry["positive_observations"], total)}
        for name, entry in groups.items()
    }
