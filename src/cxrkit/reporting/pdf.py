"""A page as a PDF on A4: its texts, tables, figures and films, in the page's order."""

from collections.abc import Sequence
from pathlib import Path

from cxrkit.reporting.blocks import Block, FigureBlock, GalleryBlock, HeadingBlock, TableBlock, TextBlock
from cxrkit.reporting.page import Page
from cxrkit.reporting.palette import FAINT_INK
from cxrkit.reporting.pdf_films import draw_films
from cxrkit.reporting.pdf_tables import draw_table
from cxrkit.reporting.sheets import CONTENT_WIDTH, LINE, MARGIN, Sheets
from cxrkit.reporting.wrapping import wrap_text
from cxrkit.reporting.writing import write_atomically

_SCALE = 0.66  # two figures of the page fit side by side
_GAP = 8.0


def write_pdf(page: Page, path: Path) -> None:
    """Writes a page as PDF; the same page gives the same bytes.

    Args:
        page: what is written.
        path: where; a file that is there is replaced in one step.

    Raises:
        OSError: the folder cannot be made or written.
    """
    with Sheets(page.title) as sheets:
        _draw_text(sheets, page.title, 16, weight="bold")
        _draw_text(sheets, page.subtitle, 8, color=FAINT_INK)
        sheets.top += 8
        for blocks in _rows_of(page.blocks):
            _draw(sheets, blocks)
    write_atomically(path, sheets.content())


def _rows_of(blocks: Sequence[Block]) -> list[list[Block]]:
    """Puts figures that follow each other into rows as wide as the page."""
    rows: list[list[Block]] = []
    used = 0.0
    for block in blocks:
        width = _width(block) if isinstance(block, FigureBlock) else 0.0
        beside = width and used and used + _GAP + width <= CONTENT_WIDTH
        if beside:
            rows[-1].append(block)
        else:
            rows.append([block])
        used = (used + _GAP if beside else 0.0) + width if width else 0.0
    return rows


def _draw(sheets: Sheets, blocks: Sequence[Block]) -> None:
    figures = [block for block in blocks if isinstance(block, FigureBlock)]
    if figures:
        return _draw_figures(sheets, figures)
    block = blocks[0]
    if isinstance(block, HeadingBlock):
        sheets.need(110)
        sheets.top += 10
        _draw_text(sheets, block.title, 12, weight="bold")
        sheets.top += 3
    elif isinstance(block, TextBlock):
        _draw_paragraphs(sheets, block)
    elif isinstance(block, TableBlock):
        draw_table(sheets, block)
    elif isinstance(block, GalleryBlock):
        draw_films(sheets, block)
    return None


def _draw_text(sheets: Sheets, text: str, size: float, **style: object) -> None:
    for line in wrap_text(text, CONTENT_WIDTH, size, bold=style.get("weight") == "bold"):
        sheets.need(size * LINE)
        sheets.line(line, MARGIN, sheets.top, size, **style)
        sheets.top += size * LINE


def _draw_paragraphs(sheets: Sheets, block: TextBlock) -> None:
    if block.word:
        _draw_text(sheets, block.word.upper(), 6.5, weight="bold", color=FAINT_INK)
    for paragraph in block.text.split("\n\n"):
        _draw_text(sheets, paragraph, 8)
    sheets.top += 6


def _width(block: FigureBlock) -> float:
    return min(block.inches[0] * 72 * _SCALE, CONTENT_WIDTH)


def _draw_figures(sheets: Sheets, figures: Sequence[FigureBlock]) -> None:
    widths = [_width(figure) for figure in figures]
    heights = [
        width * figure.inches[1] / figure.inches[0] for width, figure in zip(widths, figures, strict=True)
    ]
    captions = [wrap_text(figure.caption, width, 7) for width, figure in zip(widths, figures, strict=True)]
    lowest = max(heights)
    sheets.need(lowest + max(map(len, captions)) * 7 * LINE + 12)
    x = MARGIN
    for figure, width, height, caption in zip(figures, widths, heights, captions, strict=True):
        sheets.picture(figure.png, x, sheets.top, width, height)
        for place, line in enumerate(caption):
            sheets.line(line, x, sheets.top + lowest + 3 + place * 7 * LINE, 7, color=FAINT_INK)
        x += width + _GAP
    sheets.top += lowest + max(map(len, captions)) * 7 * LINE + 12
