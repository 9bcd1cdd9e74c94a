"""The 14 labels of each study: how many are positive, negative, uncertain or blank in each split."""

from typing import Any

import numpy as np

from cxrkit.analysis.counting import Column, named
from cxrkit.data.index import Index
from cxrkit.vocabulary import FINDINGS, SPLITS

LABEL_VALUES: tuple[str, ...] = ("positive", "negative", "uncertain", "blank")
LABEL_SOURCES: tuple[str, ...] = ("chexpert", "negbio", "radiologist")


def measure_labels(index: Index) -> dict[str, Any]:
    """Gives label counts by source, split and finding.

    Returns:
        per source: per split: `studies` (with at least one label) and `findings`, per finding the counts
        of `positive`, `negative`, `uncertain` and `blank`.
    """
    split = index.column("studies", "split")
    return {source: _count_source(index.column("studies", source), split) for source in LABEL_SOURCES}


def _count_source(labels: Column, split: Column) -> dict[str, Any]:
    result = {}
    for place, name in enumerate(SPLITS):
        part = labels[split == place]
        kinds = (part == 1, part == 0, part == -1, np.isnan(part))
        counts = np.stack([kind.sum(axis=0) for kind in kinds], axis=1)
        result[name] = {
            "studies": int((~np.isnan(part)).any(axis=1).sum()),
            "findings": {finding: named(LABEL_VALUES, counts[row]) for row, finding in enumerate(FINDINGS)},
        }
    return result
