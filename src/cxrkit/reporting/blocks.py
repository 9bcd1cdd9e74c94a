"""What a page consists of, for those who write it in another form than HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cxrkit.reporting.gallery import GalleryItem


@dataclass(frozen=True)
class HeadingBlock:
    """The beginning of a section."""

    title: str


@dataclass(frozen=True)
class TextBlock:
    """Paragraphs, separated by empty lines.

    Attributes:
        text: the paragraphs.
        word: what kind of remark it is, written before it; empty for plain text.
    """

    text: str
    word: str = ""


@dataclass(frozen=True)
class TableBlock:
    """A table whose cells are texts.

    Attributes:
        columns: the headings.
        rows: one text per column.
        caption: a line above.
        sides: `left`, `right` or `center` per column.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    sides: Sequence[str]


@dataclass(frozen=True)
class FigureBlock:
    """A drawn figure.

    Attributes:
        png: the picture.
        caption: a line below.
        inches: width and height.
    """

    png: bytes
    caption: str
    inches: tuple[float, float]


@dataclass(frozen=True)
class GalleryBlock:
    """Films with boxes and texts."""

    items: Sequence[GalleryItem]


Block: TypeAlias = HeadingBlock | TextBlock | TableBlock | FigureBlock | GalleryBlock
