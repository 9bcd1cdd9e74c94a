"""One self-contained HTML page: sections, tables, figures, notices and films, no address outside it."""

import base64
import hashlib
import io
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cxrkit.reporting.blocks import Block, FigureBlock, GalleryBlock, HeadingBlock, TableBlock, TextBlock
from cxrkit.reporting.formatting import format_cell
from cxrkit.reporting.gallery import GalleryItem, gallery_html
from cxrkit.reporting.tables import Alignment, sides_of, table_html
from cxrkit.reporting.writing import write_atomically
from cxrkit.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NoticeKind = Literal["info", "warning", "error", "success"]

FIGURE_DPI = 130
_NOTICE_WORDS: dict[str, str] = {"info": "Note", "warning": "Warning", "error": "Problem", "success": "Good"}

# Sorts a table by the column whose heading is clicked; the page is complete without it.
_SCRIPT = """
document.querySelectorAll("thead th").forEach(function (head) {
  head.addEventListener("click", function () {
    var table = head.closest("table"), body = table.tBodies[0], place = head.cellIndex;
    var up = head.getAttribute("aria-sort") !== "ascending";
    table.querySelectorAll("thead th").forEach(function (other) { other.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    var key = function (row) { return row.cells[place].dataset.key; };
    Array.from(body.rows).sort(function (a, b) {
      var x = key(a), y = key(b), order;
      if (x !== undefined && y !== undefined) order = x - y;
      else if (x !== y && (x === undefined || y === undefined)) order = x === undefined ? 1 : -1;
      else order = a.cells[place].textContent.localeCompare(b.cells[place].textContent);
      return up ? order : -order;
    }).forEach(function (row) { body.appendChild(row); });
  });
});
"""


def figure_png(figure: "Figure", dpi: int = FIGURE_DPI) -> bytes:
    """Gives a figure as PNG; the same figure gives the same bytes (no date, no software name).

    Args:
        figure: a matplotlib figure; no display is needed.
        dpi: dots per inch.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None}, facecolor="white")
    return stream.getvalue()


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part.strip())}</p>" for part in text.split("\n\n") if part.strip())


def _figure_block(figure: "Figure", caption: str) -> FigureBlock:
    width, height = figure.get_size_inches()
    return FigureBlock(figure_png(figure), caption, (float(width), float(height)))


def _figure_html(block: FigureBlock) -> str:
    data = base64.b64encode(block.png).decode("ascii")
    width, height = (round(96 * inches) for inches in block.inches)
    return (
        f'<figure><div class="scroll"><img alt="{escape(block.caption)}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{data}"></div><figcaption>{escape(block.caption)}</figcaption></figure>'
    )


class Page:
    """A page that is written as one HTML file; the same calls give the same bytes.

    Everything given as text is escaped. What comes before the first section stands at the top.

    Args:
        title: the heading and the browser's title.
        subtitle: a line below it.
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self._sections: list[tuple[str, list[str]]] = [("", [])]
        self.blocks: list[Block] = []

    def _add(self, html: str, *blocks: Block) -> None:
        self._sections[-1][1].append(html)
        self.blocks += blocks

    def section(self, title: str, text: str = "") -> None:
        """Begins a section, which the table of contents lists.

        Args:
            title: its heading.
            text: paragraphs, separated by empty lines.
        """
        self._sections.append((title, []))
        self._add(_paragraphs(text), HeadingBlock(title), *([TextBlock(text)] if text else []))

    def paragraph(self, text: str) -> None:
        """Adds paragraphs, separated by empty lines."""
        self._add(_paragraphs(text), TextBlock(text))

    def remark(self, text: str) -> None:
        """Says in a faint line why something is not there."""
        self._add(f'<p class="empty">{escape(text)}</p>', TextBlock(text))

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Adds a row of large figures, each a name and its value.

        Args:
            facts: pairs such as `("studies", "1,204")`.
        """
        cells = "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts
        )
        text = ", ".join(f"{name}: {value}" for name, value in facts)
        self._add(f'<dl class="facts">{cells}</dl>', TextBlock(text))

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        caption: str = "",
        align: Sequence[Alignment] | None = None,
        empty: str = "Nothing to show.",
    ) -> None:
        """Adds a table; see `table_html` for the arguments.

        Raises:
            ValueError: a row is not as long as `columns`.
        """
        html = table_html(columns, rows, caption, align, empty)
        cells = [[format_cell(cell) for cell in row] for row in rows]
        block = TableBlock(columns, cells, caption, align or sides_of(rows, len(columns)))
        self._add(html, block if rows else TextBlock(f"{caption}{': ' if caption else ''}{empty}"))

    def figure(self, figure: "Figure", caption: str) -> None:
        """Adds a matplotlib figure as PNG inside the page.

        Args:
            figure: what to draw.
            caption: a line below it; also what a screen reader says.
        """
        block = _figure_block(figure, caption)
        self._add(_figure_html(block), block)

    def figures(self, figures: Sequence[tuple["Figure", str]]) -> None:
        """Adds matplotlib figures side by side, as many as the page is wide; each with its caption."""
        blocks = [_figure_block(figure, caption) for figure, caption in figures]
        if blocks:
            self._add(f'<div class="figures">{"".join(map(_figure_html, blocks))}</div>', *blocks)

    def notice(self, text: str, kind: NoticeKind = "info") -> None:
        """Adds a framed remark.

        Args:
            text: paragraphs, separated by empty lines.
            kind: what it is; the frame also says it in a word, not by colour alone.

        Raises:
            ValueError: the kind is unknown.
        """
        if kind not in _NOTICE_WORDS:
            raise ValueError(f"a notice is one of {', '.join(_NOTICE_WORDS)}, not {kind!r}")
        self._add(
            f'<aside class="notice {kind}"><strong>{_NOTICE_WORDS[kind]}</strong>{_paragraphs(text)}</aside>',
            TextBlock(text, _NOTICE_WORDS[kind]),
        )

    def gallery(self, items: Sequence[GalleryItem]) -> None:
        """Adds a grid of films with their boxes and texts.

        Raises:
            ValueError: an image is not `uint8 [height, width]`.
        """
        self._add(gallery_html(items), GalleryBlock(items) if items else TextBlock("No films to show."))

    def to_html(self) -> str:
        """Gives the whole page as text."""
        style = files("cxrkit.reporting").joinpath("page.css").read_text("utf-8")
        digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode("ascii")
        # The browser itself then refuses any connection the page might try.
        policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
        subtitle = f'<p class="subtitle">{escape(self.subtitle)}</p>' if self.subtitle else ""
        return (
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
            f'<header id="top"><h1>{escape(self.title)}</h1>{subtitle}</header>\n{self._contents_html()}'
            f"<main>\n{self._sections_html()}</main>\n"
            f"<footer>made by cxrkit {escape(__version__)}</footer>\n"
            f"<script>{_SCRIPT}</script>\n</body>\n</html>\n"
        )

    def _contents_html(self) -> str:
        titles = [title for title, _ in self._sections if title]
        entries = "".join(
            f'<li><a href="#section-{place}">{escape(title)}</a></li>'
            for place, title in enumerate(titles, 1)
        )
        return f'<nav aria-label="Contents"><h2>Contents</h2><ol>{entries}</ol></nav>\n' if titles else ""

    def _sections_html(self) -> str:
        parts = []
        number = 0
        for title, blocks in self._sections:
            content = "\n".join(block for block in blocks if block)
            if title:
                number += 1
                parts.append(
                    f'<section id="section-{number}"><h2>{escape(title)}</h2>\n{content}</section>\n'
                )
            elif content:
                parts.append(f"<section>{content}</section>\n")
        return "".join(parts)

    def write(self, path: Path) -> None:
        """Writes the page; a file that is there is replaced in one step.

        Raises:
            OSError: the folder cannot be made or written.
        """
        # A lone half of a surrogate pair in a text must not stop a report.
        write_atomically(path, self.to_html().encode("utf-8", "xmlcharrefreplace"))
