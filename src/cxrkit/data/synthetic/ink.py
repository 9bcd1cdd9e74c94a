"""Pen strokes: lines and filled outlines with smooth edges, on the film or on the canvas.

Drawn by Pillow, on small films at twice the resolution and reduced, because a chest has some hundred thin
strokes (vessels, ribs, tubes) and a distance field for each would cost more than the whole rest of the film.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from cxrkit.data.synthetic.frame import Frame, Grid, Points

Vector = npt.NDArray[np.float64]

_CRISP_FROM = 200.0  # pixels per body unit; above, blurring alone smooths the edges
_JOINED_FROM = 6  # sheet pixels; thinner bends need no round joints


@dataclass(frozen=True)
class Stroke:
    """One line or filled outline.

    Attributes:
        points: body points `[N, 2]`.
        width: full width of the line in body units; 0 fills the outline instead.
        strength: 0 to 1; a later stroke covers an earlier one.
    """

    points: Points
    width: float
    strength: float = 1.0


def draw_strokes(frame: Frame, strokes: Iterable[Stroke]) -> Grid:
    """Draws strokes in their order on the film; `soften` the sum of all that is drawn so.

    Args:
        frame: the drawing frame.
        strokes: what to draw.

    Returns:
        Film `[height, width]` in 0..1.
    """
    factor = _oversampling(frame.pixels_per_unit)
    sheet = Image.new("L", (frame.width * factor, frame.height * factor))
    pen = ImageDraw.Draw(sheet)
    for stroke in strokes:
        _draw(pen, frame.to_film(stroke.points) * factor, stroke, frame.pixels_per_unit * factor)
    return _develop(sheet, factor)


def draw_on_canvas(frame: Frame, strokes: Iterable[Stroke], blur: float = 0.0) -> Grid:
    """Draws strokes as `draw_strokes` does, but on the canvas `[H, W]`, to be mixed with soft shapes."""
    width, height = frame.canvas_size
    factor = _oversampling(frame.canvas_scale)
    sheet = Image.new("L", (width * factor, height * factor))
    pen = ImageDraw.Draw(sheet)
    for stroke in strokes:
        _draw(pen, frame.to_canvas(stroke.points) * factor, stroke, frame.canvas_scale * factor)
    return _develop(sheet, factor, blur * frame.canvas_scale)


def draw_segments(frame: Frame, segments: Points, widths: Vector, strengths: Vector) -> Grid:
    """Draws many straight lines on the film, the faint ones first.

    Args:
        frame: the drawing frame.
        segments: `[N, 2, 2]` start and end of each in body points.
        widths: `[N]` in body units.
        strengths: `[N]` in 0..1.
    """
    factor = _oversampling(frame.pixels_per_unit)
    sheet = Image.new("L", (frame.width * factor, frame.height * factor))
    pen = ImageDraw.Draw(sheet)
    order = np.argsort(strengths, kind="stable")
    ends = (frame.to_film(segments.reshape(-1, 2)) * factor).reshape(-1, 4)[order].tolist()
    pixels = np.maximum(1, np.rint(widths[order] * frame.pixels_per_unit * factor)).astype(int).tolist()
    for line, width, ink in zip(ends, pixels, _inks(strengths[order]), strict=True):
        pen.line(line, fill=ink, width=width)
    return _develop(sheet, factor)


def draw_bands(frame: Frame, outlines: Points, fills: Vector, edges: Vector, edge: float) -> Grid:
    """Draws filled outlines with a stronger edge on the film, as bone is with its cortex.

    Args:
        frame: the drawing frame.
        outlines: `[K, M, 2]` body points.
        fills: `[K]` strength inside, 0..1.
        edges: `[K]` strength of the edge, 0..1.
        edge: width of the edge in body units.
    """
    factor = _oversampling(frame.pixels_per_unit)
    sheet = Image.new("L", (frame.width * factor, frame.height * factor))
    pen = ImageDraw.Draw(sheet)
    count = len(outlines)
    lines = (frame.to_film(outlines.reshape(-1, 2)) * factor).reshape(count, -1).tolist()
    width = max(1, round(edge * frame.pixels_per_unit * factor))
    for line, fill, rim in zip(lines, _inks(fills), _inks(edges), strict=True):
        pen.polygon(line, fill=fill)
        pen.line(line, fill=rim, width=width)
    return _develop(sheet, factor)


def _inks(strengths: Vector) -> list[int]:
    inks: list[int] = np.rint(255 * np.clip(strengths, 0, 1)).astype(int).tolist()
    return inks


def _oversampling(scale: float) -> int:
    return 1 if scale >= _CRISP_FROM else 2


def _draw(pen: ImageDraw.ImageDraw, points: Points, stroke: Stroke, scale: float) -> None:
    flat = points.ravel().tolist()
    ink = round(255 * min(max(stroke.strength, 0.0), 1.0))
    if stroke.width <= 0:
        pen.polygon(flat, fill=ink)
        return
    width = max(1, round(stroke.width * scale))
    pen.line(flat, fill=ink, width=width, joint="curve" if width >= _JOINED_FROM else None)


def _develop(sheet: Image.Image, factor: int, blur_px: float = 0.0) -> Grid:
    reduced = sheet.reduce(factor) if factor > 1 else sheet
    if blur_px > 0.25:
        reduced = reduced.filter(ImageFilter.BoxBlur(blur_px))
    return np.asarray(reduced, dtype=np.float32) * np.float32(1 / 255)


def soften(frame: Frame, film: Grid) -> Grid:
    """Gives the sum of all strokes as the detector sees it: edges about 0.004 body units wide.

    Args:
        frame: the drawing frame.
        film: `[height, width]`; overwritten.
    """
    passes = (
        1 + round((frame.pixels_per_unit / 400.0) ** 2) if _oversampling(frame.pixels_per_unit) == 1 else 0
    )
    for _ in range(passes):
        # Twice the average of neighbours along an axis is the kernel 1, 2, 1.
        pairs = film[1:] + film[:-1]
        film[1:-1] = 0.25 * (pairs[1:] + pairs[:-1])
        pairs = film[:, 1:] + film[:, :-1]
        film[:, 1:-1] = 0.25 * (pairs[:, 1:] + pairs[:, :-1])
    return film


def ribbon(spine: Points, half_width: Points | float) -> Points:
    """Gives the outlines `[..., 2N, 2]` of bands around curves.

    Args:
        spine: `[..., N, 2]` points of the curves.
        half_width: `[N]` or one number, in the unit of the points.
    """
    direction = np.empty_like(spine)
    direction[..., 1:-1, :] = spine[..., 2:, :] - spine[..., :-2, :]
    direction[..., 0, :] = spine[..., 1, :] - spine[..., 0, :]
    direction[..., -1, :] = spine[..., -1, :] - spine[..., -2, :]
    scale = half_width / np.maximum(np.hypot(direction[..., 0], direction[..., 1]), 1e-9)
    offset = np.stack([-direction[..., 1] * scale, direction[..., 0] * scale], axis=-1)
    return np.concatenate([spine + offset, (spine - offset)[..., ::-1, :]], axis=-2)


def smooth_curve(control: Points, count: int = 40) -> Points:
    """Gives `[count, 2]` points on a smooth curve through control points `[K, 2]`, K at least 3.

    A Catmull-Rom spline: it passes through its control points and needs no system to be solved.
    """
    padded = np.concatenate([2 * control[:1] - control[1:2], control, 2 * control[-1:] - control[-2:-1]])
    position = np.linspace(0, len(control) - 1, count)
    piece = np.minimum(position.astype(int), len(control) - 2)
    t = (position - piece)[:, None]
    before, start, end, after = (padded[piece + k] for k in range(4))
    cubic = 3 * (start - end) + after - before
    square = 2 * before - 5 * start + 4 * end - after
    curve: Points = start + 0.5 * t * ((end - before) + t * (square + t * cubic))
    return curve
