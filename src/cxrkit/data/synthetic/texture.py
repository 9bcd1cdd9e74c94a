"""Soft edges, blobs and random fields on the canvas."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from cxrkit.data.synthetic.frame import Frame, Grid, Points

_FIELD_REACH = 2.4  # half size of a random field in body units: beyond the film at usual aspect ratios


def ramp(distance: npt.NDArray[np.floating], softness: float) -> Grid:
    """Gives 0 to 1 across an edge: 0.5 where `distance` is 0, 1 well inside.

    Args:
        distance: how far inside, in body units; any shape.
        softness: width of the transition in body units.
    """
    edge: Grid = np.asarray(distance, dtype=np.float32) * np.float32(1.0 / softness)
    edge += np.float32(0.5)
    return np.clip(edge, 0.0, 1.0, out=edge)


def blob(frame: Frame, centre: tuple[float, float], radii: tuple[float, float]) -> Grid:
    """Gives a Gaussian blob `[H, W]` with peak 1; `radii` are its standard deviations in body units."""
    across = np.exp(-0.5 * ((frame.x - centre[0]) / radii[0]) ** 2)
    down = np.exp(-0.5 * ((frame.y - centre[1]) / radii[1]) ** 2)
    peak: Grid = (down * across).astype(np.float32)
    return peak


def disc(frame: Frame, centre: tuple[float, float], radii: tuple[float, float], softness: float) -> Grid:
    """Gives an ellipse `[H, W]`, 1 inside and 0 outside, with an edge `softness` body units wide."""
    across = ((frame.x - centre[0]) / radii[0]) ** 2
    down = ((frame.y - centre[1]) / radii[1]) ** 2
    distance = np.sqrt(down + across)
    np.subtract(1.0, distance, out=distance)
    return ramp(distance, softness / min(radii))


def cloud(frame: Frame, rng: np.random.Generator, grain: float) -> Grid:
    """Gives a smooth random field `[H, W]` of mean about 0 and deviation about 1.

    Args:
        frame: the drawing frame.
        rng: the field depends on the body frame, not on the film's size.
        grain: distance between independent values in body units.
    """
    reach = _FIELD_REACH
    count = int(np.ceil(2 * reach / grain)) + 4
    coarse = rng.standard_normal((count, count), dtype=np.float32)
    farthest = max(float(np.abs(frame.x).max()), float(np.abs(frame.y).max())) + 2 * grain
    if farthest > reach:
        # A very long film: the field repeats itself.
        repeats = int(np.ceil((farthest - reach) / grain))
        coarse = np.pad(coarse, repeats, mode="wrap")
        reach += repeats * grain
    width, height = frame.canvas_size
    left, top = (float(frame.x[0, 0]) + reach) / grain, (float(frame.y[0, 0]) + reach) / grain
    step = frame.pixel / grain
    box = (left, top, left + width * step, top + height * step)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC, box=box)
    return np.array(image, dtype=np.float32)


def profile(
    at: npt.NDArray[np.floating], positions: tuple[float, ...], values: tuple[float, ...]
) -> npt.NDArray[np.float64]:
    """Gives a smooth function of one coordinate through given values, constant beyond its ends.

    Piecewise cubic without overshoot: slopes by Fritsch and Carlson (SIAM J. Numer. Anal. 17, 1980).
    """
    knots, heights = np.array(positions), np.array(values)
    widths = np.diff(knots)
    rises = np.diff(heights) / widths
    product = rises[:-1] * rises[1:]
    first, second = 2 * widths[1:] + widths[:-1], widths[1:] + 2 * widths[:-1]
    total = first * rises[1:] + second * rises[:-1]
    safe = np.where(product > 0, total, 1.0)
    slopes = np.zeros(len(knots))
    slopes[1:-1] = np.where(product > 0, (first + second) * product / safe, 0.0)
    inside = np.clip(at, knots[0], knots[-1])
    piece = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(widths) - 1)
    t = (inside - knots[piece]) / widths[piece]
    start, end = slopes[piece] * widths[piece], slopes[piece + 1] * widths[piece]
    low, high = heights[piece], heights[piece + 1]
    result: npt.NDArray[np.float64] = low + t * (
        start + t * (3 * (high - low) - 2 * start - end + t * (start + end - 2 * (high - low)))
    )
    return result


def noise(shape: tuple[int, int], rng: np.random.Generator) -> Grid:
    """Gives white noise of deviation 1."""
    return rng.standard_normal(shape, dtype=np.float32)


def points_of(*pairs: tuple[float, float]) -> Points:
    """Gives body points `[N, 2]` from pairs."""
    return np.array(pairs, dtype=np.float64)
