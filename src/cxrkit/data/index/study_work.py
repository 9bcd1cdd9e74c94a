"""What a process is given to do: small records that name studies, films and places in archives."""

from typing import NamedTuple

from cxrkit.data.index.placed_boxes import FilmOfStudy
from cxrkit.data.qba.member_reader import Place
from cxrkit.data.qba.members import StudyKey


class StudyWork(NamedTuple):
    """One study to be indexed: its row in `studies`, its films and where its files lie."""

    row: int
    key: StudyKey
    split: int
    films: dict[str, FilmOfStudy]
    rejected_films: frozenset[str]
    questions: Place | None
    scene: Place | None


class StrayStudy(NamedTuple):
    """A study without a row in the index; its questions are only counted."""

    key: StudyKey
    code: str
    questions: Place | None


class IndexUnit(NamedTuple):
    """The studies of one chunk, in order."""

    number: int
    studies: tuple[StudyWork, ...]
    strays: tuple[StrayStudy, ...]
