"""The same film twice: byte for byte, or stored anew in another size, contrast or compression."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrkit.analysis.film_scan import FilmScan, block_means, film_without_margin
from cxrkit.analysis.near_pairs import near_pairs, unit_points
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.vocabulary import SPLITS

# Distances of unit pictures: a correlation of 0.9982 of the small ones, and of 0.9928 of the larger.
NEAR, NEAR_IN_DETAIL = 0.06, 0.12
DETAIL = 64
_EXAMPLES = 20


def measure_film_leakage(index: Index, films: FilmSource, scan: FilmScan) -> dict[str, Any]:
    """Gives the films that are in the data twice, across splits and inside one.

    Identical: all stored pixels are equal. Near-identical: the pictures of 16 x 16 and of 64 x 64 means
    agree but for brightness and contrast; a pair of a patient's films taken one after the other does not.
    Blank films, which all look alike, are counted apart and never near-identical.

    Args:
        index: the opened index.
        films: of the workspace.
        scan: of these films.
    """
    split = index.column("studies", "split")[index.column("images", "study_row")]
    first, second = _identical(scan)
    near = near_pairs(unit_points(scan.thumbnail, scan.is_blank), NEAR)
    is_new = scan.digest[near.first] != scan.digest[near.second]
    pairs = np.stack([near.first[is_new], near.second[is_new]], axis=1)
    confirmed = pairs[_agree_in_detail(films, pairs)]
    return {
        "films": films.count,
        "blank": int(scan.is_blank.sum()),
        "identical": _count(index, split, first, second),
        "near_identical": _count(index, split, confirmed[:, 0], confirmed[:, 1]),
        "search_truncated": near.truncated,
    }


def _identical(scan: FilmScan) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Gives each further film with the first one of the same pixels."""
    _, first, place = np.unique(scan.digest, return_index=True, return_inverse=True)
    rows = np.arange(len(scan.digest))
    original = first[place]
    again = (original != rows) & ~scan.is_blank
    return original[again], rows[again]


def _agree_in_detail(films: FilmSource, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tells which pairs `[K, 2]` of films agree in the larger pictures too."""

    def agree(pair: npt.NDArray[np.int64]) -> bool:
        pictures = np.stack([block_means(film_without_margin(films, int(row)), DETAIL) for row in pair])
        points = unit_points(np.rint(pictures).astype(np.uint8), np.zeros(2, bool))
        return bool(np.linalg.norm(points[0] - points[1]) <= NEAR_IN_DETAIL)

    # Reading a film lets other threads run.
    with ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)))) as team:
        return np.fromiter(team.map(agree, pairs), bool, len(pairs))


def _count(
    index: Index, split: npt.NDArray[np.integer], first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
) -> dict[str, Any]:
    across = split[first] != split[second]
    patient = index.column("images", "subject_id")
    dicom_id = index.images.column("dicom_id")
    return {
        "pairs": len(first),
        "pairs_across_splits": int(across.sum()),
        "pairs_of_different_patients": int((patient[first] != patient[second]).sum()),
        "examples_across_splits": [
            {
                "dicom_ids": [dicom_id[int(one)].as_py(), dicom_id[int(two)].as_py()],
                "splits": [SPLITS[int(split[one])], SPLITS[int(split[two])]],
            }
            for one, two in zip(first[across][:_EXAMPLES], second[across][:_EXAMPLES], strict=True)
        ],
    }
