"""Figures, tables and one self-contained HTML page; knows no model.

`cxrkit.reporting.figures` and `cxrkit.reporting.curves` make matplotlib figures and are imported by
their own names, so that a page without figures does not load matplotlib.
"""

from cxrkit.reporting.formatting import (
    format_cell,
    format_count,
    format_interval,
    format_number,
    format_part,
    format_percent,
    format_quantity,
    format_signed,
)
from cxrkit.reporting.gallery import GalleryItem, Heat, LabelledBox
from cxrkit.reporting.page import Page, figure_png
from cxrkit.reporting.writing import write_atomically

__all__ = [
    "GalleryItem",
    "Heat",
    "LabelledBox",
    "Page",
    "figure_png",
    "format_cell",
    "format_count",
    "format_interval",
    "format_number",
    "format_part",
    "format_percent",
    "format_quantity",
    "format_signed",
    "write_atomically",
]
