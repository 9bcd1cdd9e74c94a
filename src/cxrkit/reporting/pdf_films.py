"""Films on the pages of a PDF: rows of pictures, each with its title and texts below."""

from collections.abc import Sequence
from dataclasses import replace

from cxrkit.reporting.blocks import GalleryBlock
from cxrkit.reporting.figures import film_grid
from cxrkit.reporting.gallery import GalleryItem
from cxrkit.reporting.page import figure_png
from cxrkit.reporting.palette import FAINT_INK
from cxrkit.reporting.sheets import CONTENT_WIDTH, LINE, MARGIN, Sheets
from cxrkit.reporting.wrapping import wrap_text

_PER_ROW = 3
_SIZE = 6.5
_COLUMN = CONTENT_WIDTH / _PER_ROW


def draw_films(sheets: Sheets, gallery: GalleryBlock) -> None:
    """Draws the films of a gallery; a row of films is never broken between pages."""
    signs = {
        "predicted boxes solid": any(b.kind == "predicted" for item in gallery.items for b in item.boxes),
        "reference boxes dashed": any(b.kind == "reference" for item in gallery.items for b in item.boxes),
        "attention above an even share coloured, the denser the more": any(
            item.heat is not None for item in gallery.items
        ),
    }
    if any(signs.values()):
        key = "; ".join(words for words, is_there in signs.items() if is_there)
        sheets.line(key, MARGIN, sheets.top, 7, color=FAINT_INK)
        sheets.top += 7 * LINE + 2
    for start in range(0, len(gallery.items), _PER_ROW):
        _draw_row(sheets, gallery.items[start : start + _PER_ROW])


def _draw_row(sheets: Sheets, items: Sequence[GalleryItem]) -> None:
    # Titles are long: below the film they can be broken into lines.
    figure = film_grid([replace(item, title="") for item in items], columns=_PER_ROW)
    width, height = figure.get_size_inches()
    shown_height = CONTENT_WIDTH * float(height / width)
    texts = [_lines(item) for item in items]
    total = shown_height + max(map(len, texts)) * _SIZE * LINE + 10
    sheets.need(total)
    sheets.picture(figure_png(figure), MARGIN, sheets.top, CONTENT_WIDTH, shown_height)
    for place, lines in enumerate(texts):
        for number, (line, weight) in enumerate(lines):
            y = sheets.top + shown_height + 2 + number * _SIZE * LINE
            sheets.line(line, MARGIN + place * _COLUMN + 3, y, _SIZE, weight=weight)
    sheets.top += total


def _lines(item: GalleryItem) -> list[tuple[str, str]]:
    """Gives lines with the weight of their letters."""
    entries = [(item.title, "bold")] if item.title else []
    entries += [(line if isinstance(line, str) else ": ".join(line), "normal") for line in item.lines]
    return [
        (line, weight)
        for text, weight in entries
        for line in wrap_text(text, _COLUMN - 8, _SIZE, bold=weight == "bold")
    ]
