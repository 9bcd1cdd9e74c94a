"""The drawing frame: body coordinates, the upright canvas that is drawn on, and the film it is warped to.

Body coordinates: x grows to the patient's left (right on the film), y grows downwards, the origin lies in
the mid chest and 1 is half the width of an ordinary film. Soft shapes are drawn on the upright canvas, where
most are products of row and column functions and therefore cheap, and no finer than they need; tilt, shift
and the film's own resolution come with one affine warp at the end. Thin strokes are drawn on the film itself.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image

from cxrkit.data.synthetic.truth import BoxXyxyPx

Grid = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

_FINEST_CANVAS = 140.0  # canvas pixels per body unit; soft shapes have no detail beyond
_MARGIN_PX = 2  # keeps bilinear sampling inside the canvas at the film's corners


@dataclass(frozen=True)
class Frame:
    """Where the body lies on the film.

    Attributes:
        width: film width in pixels.
        height: film height in pixels.
        pixels_per_unit: film pixels for one unit of the body.
        tilt: rotation of the body, clockwise, in radians.
        shift: body's origin relative to the film's centre, in body units (right, down).
    """

    width: int
    height: int
    pixels_per_unit: float
    tilt: float
    shift: tuple[float, float]

    @cached_property
    def _rotation(self) -> Points:
        cosine, sine = np.cos(self.tilt), np.sin(self.tilt)
        return np.array([[cosine, -sine], [sine, cosine]])

    @cached_property
    def _film_centre(self) -> Points:
        return -np.asarray(self.shift) @ self._rotation

    @property
    def canvas_scale(self) -> float:
        """Canvas pixels for one unit of the body."""
        return min(0.8 * self.pixels_per_unit, _FINEST_CANVAS)

    @cached_property
    def canvas_size(self) -> tuple[int, int]:
        """Width and height of the upright canvas that covers the tilted film, in canvas pixels."""
        cosine, sine = abs(np.cos(self.tilt)), abs(np.sin(self.tilt))
        ratio = self.canvas_scale / self.pixels_per_unit
        width = (self.width * cosine + self.height * sine) * ratio
        height = (self.width * sine + self.height * cosine) * ratio
        return int(np.ceil(width)) + 2 * _MARGIN_PX, int(np.ceil(height)) + 2 * _MARGIN_PX

    @cached_property
    def x(self) -> Grid:
        """Body x of the canvas columns, `[1, W]`."""
        return self._axis(0)[None, :]

    @cached_property
    def y(self) -> Grid:
        """Body y of the canvas rows, `[H, 1]`."""
        return self._axis(1)[:, None]

    def _axis(self, axis: int) -> Grid:
        count = self.canvas_size[axis]
        centred = np.arange(count) + 0.5 - count / 2
        positions: Grid = (centred / self.canvas_scale + self._film_centre[axis]).astype(np.float32)
        return positions

    @property
    def pixel(self) -> float:
        """Size of a canvas pixel in body units."""
        return 1.0 / self.canvas_scale

    def to_canvas(self, points: Points) -> Points:
        """Gives canvas pixels of body points `[N, 2]`."""
        return (points - self._film_centre) * self.canvas_scale + np.array(self.canvas_size) / 2

    def to_film(self, points: Points) -> Points:
        """Gives film pixels of body points `[N, 2]`."""
        turned = points @ self._rotation.T + np.asarray(self.shift)
        pixels: Points = turned * self.pixels_per_unit + np.array([self.width, self.height]) / 2
        return pixels

    def film_box(self, points: Points) -> BoxXyxyPx | None:
        """Gives the tight film box around body points, cut at the border; None when it lies outside."""
        film = self.to_film(points)
        (left, top), (right, bottom) = film.min(axis=0).tolist(), film.max(axis=0).tolist()
        left, top = max(left, 0.0), max(top, 0.0)
        right, bottom = min(right, float(self.width)), min(bottom, float(self.height))
        return (left, top, right, bottom) if right - left >= 1.0 and bottom - top >= 1.0 else None

    def warp(self, canvas: Grid) -> Grid:
        """Gives the film `[height, width]` of a canvas: rotation, shift and scale, bilinear."""
        film_axes = self._rotation.T * (self.canvas_scale / self.pixels_per_unit)
        offset = np.array(self.canvas_size) / 2 - film_axes @ np.array([self.width, self.height]) / 2
        (a, b), (d, e) = film_axes
        coefficients = (a, b, offset[0], d, e, offset[1])
        image = Image.fromarray(canvas)
        turned = image.transform(
            (self.width, self.height),
            Image.Transform.AFFINE,
            coefficients,
            resample=Image.Resampling.BILINEAR,
        )
        return np.array(turned, dtype=np.float32)

    def mask_points(self, mask: npt.NDArray[np.bool_]) -> Points:
        """Gives body points `[N, 2]` around a canvas mask: both ends of each row; N may be 0."""
        rows = np.flatnonzero(mask.any(axis=1))
        if not rows.size:
            return np.empty((0, 2))
        inside = mask[rows]
        first = inside.argmax(axis=1)
        last = inside.shape[1] - inside[:, ::-1].argmax(axis=1)
        corners = [(column, row + edge) for column in (first, last) for edge in (0, 1) for row in (rows,)]
        canvas = np.concatenate([np.stack(pair, axis=1) for pair in corners]).astype(np.float64)
        return (canvas - np.array(self.canvas_size) / 2) / self.canvas_scale + self._film_centre
