"""A4 pages that are filled from the top, as one PDF; the same calls give the same bytes."""

import io
from types import TracebackType
from typing import Any

import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from cxrkit.reporting.palette import FAINT_INK, INK, RULE

PAGE_WIDTH, PAGE_HEIGHT = 595.0, 842.0  # A4 in points
MARGIN = 45.0
CONTENT_WIDTH = PAGE_WIDTH - 2 * MARGIN
_FOOT = 40.0
LINE = 1.35  # height of a line, in sizes of its letters


class Sheets:
    """Writes pages; `top` is how far the current one is filled, in points from its upper edge.

    Args:
        title: stands at the foot of every page.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.top = MARGIN
        self._stream = io.BytesIO()
        # No dates: equal reports give equal files.
        metadata: dict[str, Any] = {"Title": title, "Creator": "cxrkit", "CreationDate": None}
        self._pages = PdfPages(self._stream, metadata=metadata)
        self._count = 0
        self._figure: Figure | None = None

    def __enter__(self) -> "Sheets":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish_page()
        self._pages.close()

    def content(self) -> bytes:
        """Gives the file, once all pages are closed."""
        return self._stream.getvalue()

    @property
    def room(self) -> float:
        """How much of the page is left, in points."""
        return PAGE_HEIGHT - _FOOT - MARGIN / 2 - self.top

    def need(self, height: float) -> bool:
        """Begins a new page when less than this is left; says whether it did."""
        if height <= self.room or self.top == MARGIN:
            return False
        self._finish_page()
        return True

    def line(self, text: str, x: float, y: float, size: float, **style: Any) -> None:
        """Writes one line whose upper edge is `y` points below the page's."""
        page = self._page()
        page.text(
            x / PAGE_WIDTH, 1 - y / PAGE_HEIGHT, text, fontsize=size, va="top", parse_math=False,
            **{"color": INK, "family": "DejaVu Sans"} | style,
        )  # fmt: skip

    def rule(self, y: float, left: float, right: float, color: str = RULE) -> None:
        """Draws a level line."""
        height = 1 - y / PAGE_HEIGHT
        ends = [left / PAGE_WIDTH, right / PAGE_WIDTH]
        self._page().add_artist(Line2D(ends, [height, height], color=color, linewidth=0.6))

    def picture(self, png: bytes, x: float, y: float, width: float, height: float) -> None:
        """Puts a picture on the page, its pixels as they are."""
        box = (x / PAGE_WIDTH, 1 - (y + height) / PAGE_HEIGHT, width / PAGE_WIDTH, height / PAGE_HEIGHT)
        axes = self._page().add_axes(box)
        axes.set_axis_off()
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        axes.imshow(pixels, interpolation="none", aspect="auto")

    def _page(self) -> Figure:
        if self._figure is None:
            self._figure = Figure(figsize=(PAGE_WIDTH / 72, PAGE_HEIGHT / 72))
        return self._figure

    def _finish_page(self) -> None:
        if self._figure is not None:
            self._count += 1
            foot = PAGE_HEIGHT - _FOOT
            self.line(self.title, MARGIN, foot, 7, color=FAINT_INK)
            self.line(str(self._count), PAGE_WIDTH - MARGIN, foot, 7, color=FAINT_INK, ha="right")
            self._pages.savefig(self._figure)
        self._figure = None
        self.top = MARGIN
