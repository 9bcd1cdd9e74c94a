"""Temperature scaling: one number that makes probabilities as sure as they are right.

Source: Guo et al., ICML 2017. The order of scores stays, and with it AUROC and the most probable class.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from cxrkit.metrics.counts import FloatArray

BoolArray = npt.NDArray[np.bool_]
# Beyond these a probability is as good as 0 or 1, or as one half.
_COLDEST, _HOTTEST = 0.05, 20.0
_SMALLEST = 1e-7


def scale_probabilities(probabilities: FloatArray, temperature: float) -> FloatArray:
    """Gives sigmoid(logit(p) / T) for each probability.

    Args:
        probabilities: of any shape, in 0..1; kept 1e-7 away from the ends.
        temperature: T > 0; above 1 makes them less sure.

    >>> scale_probabilities(np.array([0.9]), 2.0).round(3).tolist()
    [0.75]
    """
    scaled: FloatArray = 1 / (1 + np.exp(-_logits(probabilities) / temperature))
    return scaled


def scale_distributions(probabilities: FloatArray, temperature: float) -> FloatArray:
    """Gives softmax(log p / T) of each row, which is softmax(logits / T).

    Args:
        probabilities: `[N, C]`, rows that add up to 1.
        temperature: T > 0.

    >>> scale_distributions(np.array([[0.9, 0.1]]), 2.0).round(3).tolist()
    [[0.75, 0.25]]
    """
    logarithms = np.log(np.clip(probabilities, _SMALLEST, 1.0)) / temperature
    powers = np.exp(logarithms - logarithms.max(-1, keepdims=True))
    scaled: FloatArray = powers / powers.sum(-1, keepdims=True)
    return scaled


def fit_temperature(labels: BoolArray, probabilities: FloatArray) -> float:
    """Gives the temperature with the smallest log loss; `nan` where all labels are the same.

    With one value only, ever colder probabilities would have an ever smaller loss.

    Args:
        labels: `[N]` truth.
        probabilities: `[N]` of the label being True.

    Returns:
        T in 0.05..20.
    """
    if labels.all() or not labels.any():
        return math.nan
    signed = np.where(labels, 1.0, -1.0) * _logits(probabilities)
    return _best(lambda temperature: float(np.logaddexp(0.0, -signed / temperature).mean()))


def fit_distribution_temperature(reference: npt.NDArray[np.integer], probabilities: FloatArray) -> float:
    """Gives the temperature of softmax outputs with the smallest log loss; `nan` if one class alone occurs.

    Args:
        reference: `[N]` class indices.
        probabilities: `[N, C]`, rows that add up to 1.

    Returns:
        T in 0.05..20.
    """
    if len(np.unique(reference)) < 2:
        return math.nan
    logarithms = np.log(np.clip(probabilities, _SMALLEST, 1.0))
    rows = np.arange(len(reference))

    def loss(temperature: float) -> float:
        scaled = logarithms / temperature
        top = scaled.max(-1)
        sums = np.log(np.exp(scaled - top[:, None]).sum(-1)) + top
        return float((sums - scaled[rows, reference]).mean())

    return _best(loss)


def _best(loss: Callable[[float], float]) -> float:
    # In 1 / T the loss is convex, so that there is one minimum to be found.
    found = minimize_scalar(
        lambda sharpness: loss(1 / sharpness),
        bounds=(1 / _HOTTEST, 1 / _COLDEST),
        method="bounded",
        options={"xatol": 1e-9, "maxiter": 500},
    )
    return float(1 / found.x)


def _logits(probabilities: FloatArray) -> FloatArray:
    inside = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
    logits: FloatArray = np.log(inside) - np.log1p(-inside)
    return logits
