"""The loops behind AUROC and average precision: once through the rows for a whole block of resamples.

A resample differs from the data only in how often each patient counts, so the order of the rows is the same
for all. Sums are of whole numbers as long as weights are, so neither the number of threads nor the size of
the blocks leaves a trace in the AUROC; the average precision adds in the order of the rows.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]

# A block's sums stay in the nearest cache.
_RESAMPLES_AT_ONCE = 256
_WORTH_A_THREAD = 1_000_000
_compiled = numba.njit(nogil=True, error_model="numpy")


@_compiled
def _auroc_loop(
    positive: Any, positions: Any, starts: Any, weights: Any, losses: Any, positives: Any, negatives: Any
) -> None:  # pragma: no cover - compiled
    """Adds up, per resample, twice the weight of pairs that a negative wins; a tie counts one."""
    rows, width = len(positive), losses.shape[0]
    gained = np.zeros(width)
    missed = np.zeros(width)
    for group in range(len(starts)):
        begin = starts[group]
        end = starts[group + 1] if group + 1 < len(starts) else rows
        any_positive = False
        for row in range(begin, end):
            any_positive = any_positive or positive[row]
        if not any_positive:
            for row in range(begin, end):
                of_patient = weights[positions[row]]
                for place in range(width):
                    negatives[place] += of_patient[place]
            continue
        gained[:] = 0.0
        missed[:] = 0.0
        for row in range(begin, end):
            of_patient = weights[positions[row]]
            if positive[row]:
                for place in range(width):
                    gained[place] += of_patient[place]
            else:
                for place in range(width):
                    missed[place] += of_patient[place]
        for place in range(width):
            losses[place] += gained[place] * (2.0 * negatives[place] + missed[place])
            positives[place] += gained[place]
            negatives[place] += missed[place]


@_compiled
def _precision_loop(
    positive: Any, positions: Any, starts: Any, weights: Any, sums: Any, found: Any, flagged: Any
) -> None:  # pragma: no cover - compiled
    """Adds up, per resample, gained positives times the precision at their threshold."""
    rows, width = len(positive), sums.shape[0]
    gained = np.zeros(width)
    for group in range(len(starts)):
        begin = starts[group]
        end = starts[group + 1] if group + 1 < len(starts) else rows
        any_positive = False
        for row in range(begin, end):
            any_positive = any_positive or positive[row]
            of_patient = weights[positions[row]]
            for place in range(width):
                flagged[place] += of_patient[place]
        if not any_positive:
            continue
        gained[:] = 0.0
        for row in range(begin, end):
            if positive[row]:
                of_patient = weights[positions[row]]
                for place in range(width):
                    gained[place] += of_patient[place]
        for place in range(width):
            found[place] += gained[place]
            # Nothing flagged: nothing gained either, and 0/0 is no number.
            sums[place] += gained[place] * found[place] / max(flagged[place], 1e-300)


@_compiled
def _risk_loop(
    wrong: Any, positions: Any, starts: Any, weights: Any, sums: Any, missed: Any, answered: Any
) -> None:  # pragma: no cover - compiled
    """Adds up, per resample, each row's weight times the share of wrong ones among all as sure or surer."""
    rows, width = len(wrong), sums.shape[0]
    added = np.zeros(width)
    for group in range(len(starts)):
        begin = starts[group]
        end = starts[group + 1] if group + 1 < len(starts) else rows
        added[:] = 0.0
        for row in range(begin, end):
            of_patient = weights[positions[row]]
            for place in range(width):
                added[place] += of_patient[place]
            if wrong[row]:
                for place in range(width):
                    missed[place] += of_patient[place]
        for place in range(width):
            answered[place] += added[place]
            sums[place] += added[place] * missed[place] / max(answered[place], 1e-300)


def auroc_sums(
    positive: npt.NDArray[np.bool_], positions: IntArray, starts: IntArray, weights: FloatArray
) -> FloatArray:
    """Gives what the AUROC of each weighting is computed from.

    Args:
        positive: `[N]` labels, highest score first.
        positions: `[N]` column of `weights` of each row.
        starts: `[G]` first row of each group of equal scores.
        weights: `[R, P]`.

    Returns:
        `[3, R]`: twice the weight of lost pairs (a tie counts half), of positives, of negatives.
    """
    return _run(_auroc_loop, positive, positions, starts, weights)


def precision_sums(
    positive: npt.NDArray[np.bool_], positions: IntArray, starts: IntArray, weights: FloatArray
) -> FloatArray:
    """Gives what the average precision of each weighting is computed from; arguments as of `auroc_sums`.

    Returns:
        `[3, R]`: sum of gained weight times precision, weight of positives, of all rows.
    """
    return _run(_precision_loop, positive, positions, starts, weights)


def risk_sums(
    wrong: npt.NDArray[np.bool_], positions: IntArray, starts: IntArray, weights: FloatArray
) -> FloatArray:
    """Gives what the area under the risk-coverage curve of each weighting is computed from.

    Args:
        wrong: `[N]` whether an answer is wrong, the surest first; the others as for `auroc_sums`.
        positions: `[N]`.
        starts: `[G]`.
        weights: `[R, P]`.

    Returns:
        `[3, R]`: sum of weight times risk, weight of the wrong answers, of all.
    """
    return _run(_risk_loop, wrong, positions, starts, weights)


def _run(
    loop: Callable[..., None],
    positive: npt.NDArray[np.bool_],
    positions: IntArray,
    starts: IntArray,
    weights: FloatArray,
) -> FloatArray:
    sums = np.zeros((3, len(weights)))
    blocks = [
        slice(start, min(start + _RESAMPLES_AT_ONCE, len(weights)))
        for start in range(0, len(weights), _RESAMPLES_AT_ONCE)
    ]
    of_block = partial(_run_block, loop, positive, positions, starts, weights, sums)
    if len(blocks) < 2 or len(positive) * len(weights) < _WORTH_A_THREAD:
        for block in blocks:
            of_block(block)
    else:
        list(_team().map(of_block, blocks))
    return sums


def _run_block(
    loop: Callable[..., None],
    positive: npt.NDArray[np.bool_],
    positions: IntArray,
    starts: IntArray,
    weights: FloatArray,
    sums: FloatArray,
    block: slice,
) -> None:
    own = np.ascontiguousarray(weights[block].T, dtype=np.float64)
    parts = np.zeros((3, own.shape[1]))
    loop(positive, positions, starts, own, parts[0], parts[1], parts[2])
    sums[:, block] = parts


@cache
def _team() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0))), thread_name_prefix="ranking")
