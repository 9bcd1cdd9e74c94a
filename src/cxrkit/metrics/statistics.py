"""Intervals by bootstrap over patients.

Questions of one study and studies of one patient resemble each other, so whole patients are drawn; drawing
rows would give intervals far too narrow. A resample is a weight per patient (how often it was drawn), so a
metric is computed for many resamples at once. Statistics on the same `PatientResamples` are paired.
Source: Field and Welsh, J. R. Stat. Soc. B 2007 (cluster bootstrap); percentile interval, Efron 1979.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray, mean_of_defined
from cxrkit.metrics.ranking import RankedRows, rank_rows

IntArray: TypeAlias = npt.NDArray[np.integer]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
RankMetric: TypeAlias = Callable[[RankedRows, npt.NDArray[np.int64], FloatArray], FloatArray]

LEVEL = 0.95
MIN_DEFINED_SHARE = 0.95
# Fewer patients cannot be resampled.
MIN_PATIENTS = 2
_CELLS_AT_ONCE = 2_000_000
_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class PatientResamples:
    """Bootstrap resamples of patients.

    Attributes:
        patients: `[P]` sorted distinct patient ids.
        weights: `[R, P]` how often each resample drew each patient; every line adds up to P.
    """

    patients: npt.NDArray[np.int64]
    weights: npt.NDArray[np.uint16]

    @classmethod
    def draw(
        cls, patient_ids: IntArray, n_resamples: int, generator: np.random.Generator
    ) -> "PatientResamples":
        """Draws resamples of the distinct patients among `patient_ids`.

        Args:
            patient_ids: `[N]` the patient of each row; order and repetition do not matter.
            n_resamples: R.
            generator: the source of chance.
        """
        patients = np.unique(patient_ids).astype(np.int64)
        count = len(patients)
        weights = np.zeros((n_resamples, count), np.uint16)
        if count:
            weights[:] = generator.multinomial(count, np.full(count, 1 / count), size=n_resamples)
        return cls(patients, weights)

    def positions(self, patient_ids: IntArray) -> npt.NDArray[np.int64]:
        """Gives the position in `patients` of each row's patient, `[N]`.

        Raises:
            ValueError: when a patient is not among those drawn from.
        """
        positions = np.searchsorted(self.patients, patient_ids)
        inside = np.minimum(positions, max(len(self.patients) - 1, 0))
        if len(patient_ids) and (not len(self.patients) or (self.patients[inside] != patient_ids).any()):
            raise ValueError("a row's patient is not among the resampled patients")
        return positions.astype(np.int64)


class PatientStatistic(Protocol):
    """A metric that can be computed under weights of the patients."""

    @property
    def width(self) -> int:
        """How many cells one resample needs; decides how many are computed at once."""
        ...

    def under(self, weights: FloatArray) -> FloatArray:
        """Gives the metric, `[R]`, for patient weights `[R, P]`; `nan` where undefined."""
        ...


@dataclass(frozen=True)
class SumStatistic:
    """A metric that depends on sums over rows only: accuracy, F1, mean IoU, ...

    Attributes:
        sums: `[P, ...]` each patient's sums.
        metric: from summed values `[R, ...]` to `[R]`.
    """

    sums: FloatArray
    metric: Callable[[FloatArray], FloatArray]

    @classmethod
    def of_rows(
        cls,
        values: npt.NDArray[np.number],
        patient_ids: IntArray,
        resamples: PatientResamples,
        metric: Callable[[FloatArray], FloatArray],
    ) -> "SumStatistic":
        """Adds up the rows `[N, ...]` of each patient; counts may be small integers, to save memory."""
        positions = resamples.positions(patient_ids)
        flat = values.reshape(len(values), int(np.prod(values.shape[1:])))
        sums = np.zeros((len(resamples.patients), flat.shape[1]))
        for start in range(0, len(flat), _ROWS_AT_ONCE):
            part, of_part = flat[start : start + _ROWS_AT_ONCE], positions[start : start + _ROWS_AT_ONCE]
            order = np.argsort(of_part, kind="stable")
            ordered = of_part[order]
            starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
            sums[ordered[starts]] += np.add.reduceat(part[order].astype(np.float64), starts, axis=0)
        return cls(sums.reshape(-1, *values.shape[1:]), metric)

    @property
    def width(self) -> int:
        """See `PatientStatistic.width`."""
        return int(self.sums.size)

    def under(self, weights: FloatArray) -> FloatArray:
        """See `PatientStatistic.under`."""
        return self.metric(np.tensordot(weights, self.sums, axes=1))


@dataclass(frozen=True)
class RankStatistic:
    """A metric of the order of scores: AUROC, average precision.

    Attributes:
        ranked: the rows in order of their score.
        positions: `[N]` the patient's position of each row, in that order.
        metric: from ranked rows, their positions and patient weights `[R, P]` to `[R]`.
    """

    ranked: RankedRows
    positions: npt.NDArray[np.int64]
    metric: RankMetric

    @classmethod
    def of_rows(
        cls,
        labels: BoolArray,
        scores: FloatArray,
        patient_ids: IntArray,
        resamples: PatientResamples,
        metric: RankMetric,
    ) -> "RankStatistic":
        """Sorts the rows (`[N]` each) once for all resamples."""
        ranked = rank_rows(labels, scores)
        return cls(ranked, resamples.positions(patient_ids)[ranked.order], metric)

    @property
    def width(self) -> int:
        """See `PatientStatistic.width`."""
        return 1

    def under(self, weights: FloatArray) -> FloatArray:
        """See `PatientStatistic.under`."""
        return self.metric(self.ranked, self.positions, weights)


@dataclass(frozen=True)
class MeanStatistic:
    """The mean of several statistics, each resample without those undefined in it.

    Attributes:
        parts: what is averaged, such as one AUROC per class.
    """

    parts: tuple[PatientStatistic, ...]

    @property
    def width(self) -> int:
        """See `PatientStatistic.width`."""
        return max((part.width for part in self.parts), default=1)

    def under(self, weights: FloatArray) -> FloatArray:
        """See `PatientStatistic.under`."""
        if not self.parts:
            return np.full(len(weights), np.nan)
        return mean_of_defined(np.stack([part.under(weights) for part in self.parts], axis=-1))


@dataclass(frozen=True)
class Bootstrap:
    """A metric's value on the data and on every resample of the patients.

    Attributes:
        value: on the data; `nan` when undefined.
        replicates: `[R]`; `nan` where a resample left the metric undefined.
    """

    value: float
    replicates: FloatArray

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Gives the percentile interval; see `percentile_interval`."""
        return None if np.isnan(self.value) else percentile_interval(self.replicates, level)

    def minus(self, other: "Bootstrap") -> "Bootstrap":
        """Gives the paired difference: both must come from the same resamples of the same rows."""
        return Bootstrap(self.value - other.value, self.replicates - other.replicates)


def percentile_interval(replicates: FloatArray, level: float = LEVEL) -> tuple[float, float] | None:
    """Gives the central `level` share of bootstrap replicates.

    Replicates that are `nan` are left out. There is no interval (None) when fewer than 95 % are defined:
    the metric then hangs on single patients, and the rest would be a biased choice.

    >>> percentile_interval(np.ones(100))
    (1.0, 1.0)
    >>> percentile_interval(np.array([1.0, np.nan])) is None
    True
    """
    defined = replicates[~np.isnan(replicates)]
    if len(replicates) == 0 or len(defined) < MIN_DEFINED_SHARE * len(replicates):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def patient_bootstrap(statistic: PatientStatistic, resamples: PatientResamples) -> Bootstrap:
    """Computes a statistic on the data and on every resample of the patients; one patient has no interval.

    Args:
        statistic: built with the same `resamples`.
        resamples: drawn once for all statistics that are to be compared.

    >>> generator, patients = np.random.default_rng(0), np.array([1, 1, 2, 3])
    >>> resamples = PatientResamples.draw(patients, 200, generator)
    >>> rows = np.array([[1.0, 1], [0, 1], [1, 1], [1, 1]])
    >>> mean = SumStatistic.of_rows(rows, patients, resamples, lambda sums: sums[:, 0] / sums[:, 1])
    >>> patient_bootstrap(mean, resamples).value
    0.75
    """
    whole = np.ones((1, len(resamples.patients)))
    if len(resamples.patients) < MIN_PATIENTS:
        # Every resample is the one patient: an interval of no width would look like certainty.
        nothing = np.full(len(resamples.weights), np.nan)
        return Bootstrap(float(statistic.under(whole)[0]), nothing)
    replicates = [statistic.under(weights) for weights in _in_parts(resamples.weights, statistic.width)]
    return Bootstrap(float(statistic.under(whole)[0]), np.concatenate(replicates or [np.empty(0)]))


def _in_parts(weights: npt.NDArray[np.uint16], width: int) -> Iterator[FloatArray]:
    step = max(1, _CELLS_AT_ONCE // max(width, weights.shape[1], 1))
    for start in range(0, len(weights), step):
        yield weights[start : start + step].astype(float)
