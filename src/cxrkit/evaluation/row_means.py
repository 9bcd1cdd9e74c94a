"""The mean over rows as a statistic of patients."""

import numpy as np

from cxrkit.metrics import counts
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.statistics import IntArray, PatientResamples, SumStatistic


def mean_of_rows(values: FloatArray, patients: IntArray, resamples: PatientResamples) -> SumStatistic:
    """Gives the mean over rows as a statistic of patients.

    Args:
        values: `[N]` one value per row.
        patients: `[N]` subject ids.
        resamples: of the patients of the whole report.
    """
    pairs = np.stack([values, np.ones(len(values))], axis=1)
    return SumStatistic.of_rows(pairs, patients, resamples, counts.ratio_of_sums)
