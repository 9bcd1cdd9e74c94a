"""A table as HTML: aligned numbers, a caption, and words where there are no rows."""

import math
import re
from collections.abc import Sequence
from html import escape
from typing import Literal

from cxrkit.reporting.formatting import MISSING, format_cell

Alignment = Literal["left", "right", "center"]

# How tables write that there is no value; such cells take no part in what a column is.
_BLANKS = ("", MISSING, "-")
_REASONS = ("undefined", "not defined", "not computed")
_NUMBER = re.compile(r"[<>+−-]? ?\d[\d,]*(?:\.\d+)?(?: ?%)?(?: [\[(].*[\])])?$")


def _is_numeric(cell: object) -> bool:
    if cell is None or (isinstance(cell, str) and cell in _BLANKS):
        return True
    if isinstance(cell, str):
        return cell.startswith(_REASONS) or _NUMBER.match(cell) is not None
    return not isinstance(cell, bool) and (isinstance(cell, int | float) or hasattr(cell, "item"))


def _guess_alignment(rows: Sequence[Sequence[object]], column: int) -> Alignment:
    cells = [row[column] for row in rows]
    return "right" if all(_is_numeric(cell) for cell in cells) else "left"


def sides_of(rows: Sequence[Sequence[object]], columns: int) -> list[Alignment]:
    """Gives where the cells of each column stand: numbers to the right, words to the left."""
    return [_guess_alignment(rows, column) for column in range(columns)]


def _sort_key(cell: object, text: str) -> str:
    """Gives the number that the page's script sorts by; empty for words, which sort as they read."""
    if isinstance(cell, int | float) and math.isfinite(cell):
        return repr(float(cell))
    if isinstance(cell, str) and _NUMBER.match(cell):
        found = re.search(r"\d[\d,]*(?:\.\d+)?", cell)
        sign = "-" if cell[0] in "-−" else ""
        return sign + found.group().replace(",", "") if found else ""
    return text if text.replace(".", "", 1).isdigit() else ""


def _cell_html(cell: object, align: Alignment, tag: str) -> str:
    text = format_cell(cell)
    key = _sort_key(cell, text)
    data = f' data-key="{escape(key)}"' if key else ""
    scope = ' scope="row"' if tag == "th" else ""
    return f'<{tag} class="{align}"{scope}{data}>{escape(text)}</{tag}>'


def table_html(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    caption: str = "",
    align: Sequence[Alignment] | None = None,
    empty: str = "Nothing to show.",
) -> str:
    """Gives a table; numbers become text as `format_cell` says, and stand to the right.

    Args:
        columns: the headings.
        rows: one sequence of cells per row, each as long as `columns`; the first cell names the row.
        caption: a line above the table.
        align: one word per column; guessed from the cells when None.
        empty: what to say when there are no rows.

    Raises:
        ValueError: a row or `align` is not as long as `columns`.
    """
    wrong = next((row for row in rows if len(row) != len(columns)), None)
    if wrong is not None or (align is not None and len(align) != len(columns)):
        what = f"a row of {len(wrong)} cells" if wrong is not None else "an alignment of another length"
        raise ValueError(f"{what} in a table of {len(columns)} columns")
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    if not rows:
        return f'<p class="empty">{escape(caption)}{": " if caption else ""}{escape(empty)}</p>'
    sides = align or sides_of(rows, len(columns))
    head = "".join(
        f'<th class="{side}" scope="col">{escape(name)}</th>'
        for name, side in zip(columns, sides, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            _cell_html(cell, side, "th" if place == 0 else "td")
            for place, (cell, side) in enumerate(zip(row, sides, strict=True))
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
