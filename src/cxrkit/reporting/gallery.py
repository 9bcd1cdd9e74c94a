"""Films with boxes as HTML: the image as PNG, the boxes as vectors over it."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from cxrkit.reporting.formatting import format_number
from cxrkit.reporting.palette import ATTENTION_COLOR, BOX_COLORS

MAX_SIDE_PX = 512
MOST_OPAQUE = 0.6

BoxKind = Literal["predicted", "reference"]


@dataclass(frozen=True)
class LabelledBox:
    """A box to draw on a film.

    Attributes:
        xyxy: x1, y1, x2, y2 in pixels of the item's image.
        label: text beside the box; may be empty.
        kind: whether the model or the data set drew it.
        score: the model's confidence, 0..1; None where there is none.
    """

    xyxy: tuple[float, float, float, float]
    label: str
    kind: BoxKind = "predicted"
    score: float | None = None

    @property
    def caption(self) -> str:
        """The label with the score behind it."""
        score = "" if self.score is None else format_number(self.score, 2)
        return " ".join(part for part in (self.label, score) if part)


@dataclass(frozen=True)
class Heat:
    """Attention over the equal cells of a square that a film lies in.

    Attributes:
        values: `[v, v]`, 0 or more.
        square: its corners x1, y1, x2, y2 in pixels of the item's image.
    """

    values: npt.NDArray[np.floating]
    square: tuple[float, float, float, float]

    def rgba(self) -> npt.NDArray[np.uint8]:
        """Gives the cells as colours `uint8 [v, v, 4]`, the more attended the less transparent.

        A cell with no more than its even share has no colour: attention that is spread evenly tells nothing.
        The scale ends at twice the even share, or at the highest value when that is more.
        """
        even = float(self.values.mean()) if self.values.size else 0.0
        above = np.maximum(self.values - even, 0.0)
        shares = above / max(even, float(above.max(initial=0.0))) if even > 0 else np.zeros_like(above)
        color = [int(ATTENTION_COLOR[start : start + 2], 16) for start in (1, 3, 5)]
        cells = np.empty((*self.values.shape, 4), np.uint8)
        cells[..., :3] = color
        cells[..., 3] = np.round(255 * MOST_OPAQUE * shares)
        return cells


@dataclass(frozen=True)
class GalleryItem:
    """A film with boxes, a title and lines of text below it.

    Attributes:
        image: `uint8 [height, width]` grey levels.
        boxes: what to draw on it.
        title: one line above the text.
        lines: text lines; a pair is shown as a name and its value.
        heat: what the model attended to; None where it is not known.
    """

    image: npt.NDArray[np.uint8]
    boxes: Sequence[LabelledBox] = ()
    title: str = ""
    lines: Sequence[str | tuple[str, str]] = field(default=())
    heat: Heat | None = None


@dataclass(frozen=True)
class _Tag:
    """The place of a box's caption: left and top edge, width and height, in image pixels."""

    x: float
    y: float
    width: float
    height: float

    def meets(self, other: "_Tag") -> bool:
        """Tells whether two captions would overlap."""
        apart_x = self.x + self.width <= other.x or other.x + other.width <= self.x
        apart_y = self.y + self.height <= other.y or other.y + other.height <= self.y
        return not (apart_x or apart_y)


def png_data_uri(image: npt.NDArray[np.uint8], max_side_px: int = MAX_SIDE_PX) -> str:
    """Gives a grey image as a `data:` address, made smaller when a side is longer than the limit.

    Args:
        image: `uint8 [height, width]`.
        max_side_px: the longest side that is embedded, in pixels.

    Raises:
        ValueError: the array is not a grey image of 8 bits.
    """
    if image.ndim != 2 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"a film is uint8 [height, width], not {image.dtype} {list(image.shape)}")
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS)
    return _data_uri(picture)


def _data_uri(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _heat_html(heat: Heat) -> str:
    x1, y1, x2, y2 = heat.square
    # Not smoothed: a cell is all that is known.
    return (
        f'<image class="heat" x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}" '
        f'preserveAspectRatio="none" style="image-rendering: pixelated" '
        f'href="{_data_uri(Image.fromarray(heat.rgba()))}"/>'
    )


def _place_tag(box: LabelledBox, width: int, height: int, size: float, taken: list[_Tag]) -> _Tag:
    """Finds a free place for a caption: above the box, else inside, else ever lower."""
    text_width = min(0.53 * size * len(box.caption) + 0.6 * size, float(width))
    tag_height = 1.35 * size
    x = float(np.clip(box.xyxy[0], 0, max(width - text_width, 0)))
    tops = [box.xyxy[1] - tag_height, box.xyxy[1], box.xyxy[3], box.xyxy[3] - tag_height]
    tops += [box.xyxy[1] + step * tag_height for step in range(1, 8)]
    fitting = [_Tag(x, top, text_width, tag_height) for top in tops if 0 <= top <= height - tag_height]
    free = [tag for tag in fitting if not any(tag.meets(other) for other in taken)]
    return (free or fitting or [_Tag(x, 0.0, text_width, tag_height)])[0]


def _draw_box(box: LabelledBox, tag: _Tag | None, size: float) -> str:
    x1, y1, x2, y2 = box.xyxy
    color = BOX_COLORS[box.kind]
    dashes = ' stroke-dasharray="6 4"' if box.kind == "reference" else ""
    parts = [
        f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{max(x2 - x1, 0):.1f}" height="{max(y2 - y1, 0):.1f}" '
        f'fill="none" stroke="{color}" stroke-width="2"{dashes} vector-effect="non-scaling-stroke"/>'
    ]
    if tag is not None:
        parts.append(
            f'<rect x="{tag.x:.1f}" y="{tag.y:.1f}" width="{tag.width:.1f}" height="{tag.height:.1f}" '
            f'fill="#000" fill-opacity="0.62"/><text x="{tag.x + 0.3 * size:.1f}" y="{tag.y + size:.1f}" '
            f'font-size="{size:.1f}" fill="{color}">{escape(box.caption)}</text>'
        )
    return "".join(parts)


def _film_html(item: GalleryItem) -> str:
    height, width = item.image.shape[:2]
    size = width / 26
    taken: list[_Tag] = []
    shapes = []
    for box in item.boxes:
        tag = _place_tag(box, width, height, size, taken) if box.caption else None
        taken += [tag] if tag else []
        shapes.append(_draw_box(box, tag, size))
    alt = escape(item.title or "film")
    shapes = shapes if item.heat is None else [_heat_html(item.heat), *shapes]
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{alt}">'
        f'<image width="{width}" height="{height}" href="{png_data_uri(item.image)}"/>{"".join(shapes)}</svg>'
    )


def _line_html(line: str | tuple[str, str]) -> str:
    if isinstance(line, str):
        return f"<p>{escape(line)}</p>"
    return f"<p><b>{escape(line[0])}</b> {escape(line[1])}</p>"


def gallery_html(items: Sequence[GalleryItem]) -> str:
    """Gives a grid of films, each with its boxes, title and lines; a word when there are none."""
    if not items:
        return '<p class="empty">No films to show.</p>'
    kinds = {str(box.kind) for item in items for box in item.boxes}
    kinds |= {"attention"} if any(item.heat is not None for item in items) else set()
    names = (
        ("predicted", "predicted box"),
        ("reference", "reference box"),
        ("attention", "attention above an even share, the denser the more"),
    )
    keys = "".join(f'<span class="key {kind}">{name}</span>' for kind, name in names if kind in kinds)
    legend = f'<p class="legend">{keys}</p>' if keys else ""
    cards = []
    for item in items:
        title = f"<h3>{escape(item.title)}</h3>" if item.title else ""
        lines = "".join(_line_html(line) for line in item.lines)
        cards.append(f'<article class="film">{_film_html(item)}<div>{title}{lines}</div></article>')
    return f'{legend}<div class="gallery">{"".join(cards)}</div>'
