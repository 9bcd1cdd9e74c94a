"""Tables on the pages of a PDF: columns as wide as they need, the headings again on every page."""

from collections.abc import Sequence

from cxrkit.reporting.blocks import TableBlock
from cxrkit.reporting.palette import INK
from cxrkit.reporting.sheets import CONTENT_WIDTH, LINE, MARGIN, Sheets
from cxrkit.reporting.wrapping import text_width, wrap_text

_SIZE = 6.5
_GAP = 9.0
_ROW_GAP = 3.5


def draw_table(sheets: Sheets, table: TableBlock) -> None:
    """Draws a table; rows are never broken between pages."""
    widths = column_widths(table.columns, table.rows)
    if table.caption:
        sheets.need(70)
        for line in wrap_text(table.caption, CONTENT_WIDTH, 8, bold=True):
            sheets.line(line, MARGIN, sheets.top, 8, weight="bold")
            sheets.top += 8 * LINE
        sheets.top += 2
    head = _wrapped(table.columns, widths, bold=True)
    sheets.need(_height(head) + 30)
    _draw_row(sheets, head, widths, table.sides, bold=True)
    for row in table.rows:
        cells = _wrapped(row, widths)
        if sheets.need(_height(cells)):
            _draw_row(sheets, head, widths, table.sides, bold=True)
        _draw_row(sheets, cells, widths, table.sides)
    sheets.top += 10


def column_widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[float]:
    """Gives the widths of columns in points: what their cells need, less where the page is too narrow.

    Where cells have to be broken, every column keeps its longest word if that is possible, and the rest is
    shared by what the columns lack.
    """
    lines = [(columns, True), *((row, False) for row in rows)]
    room = CONTENT_WIDTH - _GAP * (len(columns) - 1)
    whole = [max(text_width(row[place], _SIZE, bold) for row, bold in lines) for place in range(len(columns))]
    if sum(whole) <= room:
        return whole
    least = [
        max(
            (text_width(word, _SIZE, bold) for row, bold in lines for word in row[place].split()), default=0.0
        )
        for place in range(len(columns))
    ]
    if sum(least) >= room:
        return [room * width / sum(least) for width in least]
    share = (room - sum(least)) / (sum(whole) - sum(least))
    return [small + share * (large - small) for small, large in zip(least, whole, strict=True)]


def _wrapped(row: Sequence[str], widths: Sequence[float], bold: bool = False) -> list[list[str]]:
    # A hair wider: a cell that fits exactly is not broken by a rounding step.
    return [wrap_text(cell, width + 0.1, _SIZE, bold) for cell, width in zip(row, widths, strict=True)]


def _height(cells: Sequence[Sequence[str]]) -> float:
    return max(len(lines) for lines in cells) * _SIZE * LINE + _ROW_GAP


def _draw_row(
    sheets: Sheets,
    cells: Sequence[Sequence[str]],
    widths: Sequence[float],
    sides: Sequence[str],
    bold: bool = False,
) -> None:
    x = MARGIN
    for lines, width, side in zip(cells, widths, sides, strict=True):
        anchor = {"left": x, "right": x + width, "center": x + width / 2}[side]
        for place, text in enumerate(lines):
            y = sheets.top + place * _SIZE * LINE
            sheets.line(text, anchor, y, _SIZE, ha=side, weight="bold" if bold else "normal")
        x += width + _GAP
    sheets.top += _height(cells)
    sheets.rule(sheets.top - 2.2, MARGIN, x - _GAP, **({"color": INK} if bold else {}))
