"""From density to the grey values of a finished film: tone, noise, collimation, side marker."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.data.synthetic.frame import Grid
from cxrkit.data.synthetic.texture import noise

# Density at which a film reaches each grey value. Set by hand near the quantiles of drawn films,
# so that a film comes out with a nearly flat histogram, as the published films do after their global
# equalisation; one curve for all, so that a finding does not change the grey of the rest of its film.
_DENSITIES = (-0.05, 0.03, 0.12, 0.22, 0.32, 0.42, 0.54, 0.66, 0.76, 0.86, 0.96, 1.10, 1.35)
_GREYS = (0.0, 10.0, 34.0, 60.0, 88.0, 114.0, 142.0, 168.0, 188.0, 208.0, 224.0, 241.0, 255.0)
_LEVELS = 4096
_LOWEST, _HIGHEST = -0.3, 1.7

_GLYPHS = {
    "L": ("10000", "10000", "10000", "10000", "10000", "10000", "11111"),
    "R": ("11110", "10001", "10001", "11110", "10100", "10010", "10001"),
    "AP": ("0111001110", "1000101001", "1000101001", "1111101110", "1000101000", "1000101000", "1000101000"),
}


@dataclass(frozen=True)
class Exposure:
    """How one film was exposed and finished.

    Attributes:
        gamma: exponent of the tone curve, 1 for the mean.
        penetration: density offset; negative for a dark, over-penetrated film.
        contrast: factor on the density.
        grain: deviation of the quantum noise in density.
        border: width of the collimated border as shares of the film (left, top, right, bottom).
        marker: "L", "R", "AP" or "".
        marker_place: centre of the marker as shares of width and height.
        marker_size: height of the marker as a share of the film.
    """

    gamma: float
    penetration: float
    contrast: float
    grain: float
    border: tuple[float, float, float, float]
    marker: str
    marker_place: tuple[float, float]
    marker_size: float


def sample_exposure(rng: np.random.Generator, portable: bool) -> Exposure:
    """Draws the exposure of one film; bedside films are flatter and noisier."""
    kind = rng.random()
    marker = ("L" if kind < 0.38 else "R") if kind < 0.6 else ("AP" if portable and kind < 0.8 else "")
    edge = 0.88 if marker == "L" else 0.12
    collimated = rng.random(4) < 0.22
    return Exposure(
        gamma=float(np.exp(rng.normal(0.0, 0.13))),
        penetration=float(rng.normal(0.0, 0.025)),
        contrast=float(rng.normal(0.94 if portable else 1.0, 0.05)),
        grain=float(rng.uniform(0.008, 0.018) * (1.3 if portable else 1.0)),
        border=tuple(float(v) for v in collimated * rng.uniform(0.0, 0.045, 4)),  # type: ignore[arg-type]
        marker=marker,
        marker_place=(edge + float(rng.normal(0, 0.02)), float(rng.uniform(0.06, 0.14))),
        marker_size=float(rng.uniform(0.026, 0.04)),
    )


def expose(density: Grid, exposure: Exposure, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Gives the finished film of a density film.

    Args:
        density: `[H, W]`; overwritten.
        exposure: how to finish it.
        rng: source of the noise.
    """
    grain = noise((density.shape[0], density.shape[1]), rng)
    # Dense parts let fewer quanta through, so their logarithm is noisier.
    grain *= (0.6 + 0.7 * np.clip(density, 0, 1.2)) * np.float32(exposure.grain)
    density += grain
    pixels = _tone_table(exposure)[_level_of(density)]
    _collimate(pixels, exposure.border)
    _stamp_marker(pixels, exposure)
    return pixels


def _level_of(density: Grid) -> npt.NDArray[np.int16]:
    density -= np.float32(_LOWEST)
    density *= np.float32((_LEVELS - 1) / (_HIGHEST - _LOWEST))
    np.clip(density, 0, _LEVELS - 1, out=density)
    return density.astype(np.int16)


def _tone_table(exposure: Exposure) -> npt.NDArray[np.uint8]:
    density = np.linspace(_LOWEST, _HIGHEST, _LEVELS)
    seen = (density - 0.45) * exposure.contrast + 0.45 + exposure.penetration
    # Air stays black however flat the film is.
    seen = np.where(density < 0.1, density, seen)
    grey = np.interp(seen, _DENSITIES, _GREYS) / 255
    return np.asarray(np.rint(255 * grey**exposure.gamma), dtype=np.uint8)


def _collimate(pixels: npt.NDArray[np.uint8], border: tuple[float, float, float, float]) -> None:
    height, width = pixels.shape
    left, top, right, bottom = border
    pixels[:, : int(left * width)] = 4
    pixels[: int(top * height)] = 4
    pixels[:, width - int(right * width) :] = 4
    pixels[height - int(bottom * height) :] = 4


def _stamp_marker(pixels: npt.NDArray[np.uint8], exposure: Exposure) -> None:
    if not exposure.marker:
        return
    glyph = np.array([[int(bit) for bit in row] for row in _GLYPHS[exposure.marker]], dtype=bool)
    height, width = pixels.shape
    factor = max(1, round(exposure.marker_size * height / len(glyph)))
    stamp = np.kron(glyph, np.ones((factor, factor), dtype=bool))
    top = int(exposure.marker_place[1] * height)
    left = min(max(int(exposure.marker_place[0] * width) - stamp.shape[1] // 2, 0), width - stamp.shape[1])
    target = pixels[top : top + stamp.shape[0], left : left + stamp.shape[1]]
    target[stamp[: target.shape[0]]] = 250
