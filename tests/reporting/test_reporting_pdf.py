import re
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure

from cxrkit.reporting import GalleryItem, Heat, LabelledBox, Page
from cxrkit.reporting.blocks import TableBlock
from cxrkit.reporting.pdf import write_pdf
from cxrkit.reporting.pdf_tables import column_widths
from cxrkit.reporting.sheets import CONTENT_WIDTH
from cxrkit.reporting.wrapping import text_width, wrap_text


def full_page(rows: int = 5) -> Page:
    page = Page("A report", "about something")
    page.facts([("studies", "12")])
    page.section("First", "Some words.\n\nMore words.")
    page.table(("name", "value"), [(f"row {number}", number) for number in range(rows)], "A table")
    page.notice("costs $5 or $6", "warning")
    page.figures([(Figure(figsize=(3, 2)), "left"), (Figure(figsize=(3, 2)), "right")])
    page.remark("nothing else")
    film = np.zeros((20, 20), np.uint8)
    heat = Heat(np.eye(2), (0.0, 0.0, 20.0, 20.0))
    page.gallery([GalleryItem(film, [LabelledBox((1, 1, 9, 9), "", "reference")], "right", ["x"], heat)] * 4)
    return page


def pages(content: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", content))


def test_the_same_page_gives_the_same_pdf(tmp_path):
    for name in ("one.pdf", "two.pdf"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            write_pdf(full_page(), tmp_path / name)
    content = (tmp_path / "one.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content == (tmp_path / "two.pdf").read_bytes()
    assert b"MediaBox [ 0 0 595 842 ]" in content


def test_a_long_table_goes_on_over_pages(tmp_path):
    write_pdf(full_page(rows=300), tmp_path / "long.pdf")
    write_pdf(full_page(), tmp_path / "short.pdf")
    long, short = (pages((tmp_path / name).read_bytes()) for name in ("long.pdf", "short.pdf"))
    assert long >= short + 4


def test_lines_are_no_wider_than_asked_for_and_nothing_is_lost():
    text = "some words and one " + "verylongword" * 8 + " then more"
    lines = wrap_text(text, 80, 7)
    assert all(text_width(line, 7) <= 80 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert wrap_text("", 80, 7) == [""]


@pytest.mark.parametrize("words", [1, 30])
def test_columns_fit_on_the_page(words):
    table = TableBlock(("name", "text"), [["a name", "word " * words]], "", ("left", "left"))
    widths = column_widths(table.columns, table.rows)
    assert sum(widths) < CONTENT_WIDTH
    assert widths[0] >= text_width("name", 6.5)
