"""What became of each film, in a few bytes per film."""

from collections.abc import Sequence
from typing import NamedTuple, overload

import numpy as np

from cxrkit.data.films.film_error import FILM_CODES
from cxrkit.data.films.film_list import FilmFile, StoredAs
from cxrkit.data.films.plan import FILMS_PER_UNIT, StorePlan

_CODES = ("", *sorted(FILM_CODES))
_CODE_NUMBERS = {code: number for number, code in enumerate(_CODES)}


class FilmResult(NamedTuple):
    """One decoded film.

    Attributes:
        choice: which of its files was read.
        crc32: of the stored pixels, 0 when it was rejected.
        code: why it was rejected, or "".
        detail: what the reject's row says.
    """

    choice: int
    crc32: int
    code: str = ""
    detail: str = ""


class Outcomes:
    """Results of all films of a plan.

    Attributes:
        done: `[units]` bool.
        crc32: `[films]` uint32.
        choice: `[films]` uint8.
    """

    def __init__(self, plan: StorePlan) -> None:
        self.done = np.zeros(plan.units, dtype=np.bool_)
        self.crc32 = np.zeros(len(plan), dtype=np.uint32)
        self.choice = np.zeros(len(plan), dtype=np.uint8)
        self._code = np.zeros(len(plan), dtype=np.uint8)
        self._details: dict[int, str] = {}

    def unit_rows(self, unit: int) -> range:
        """Gives the rows of a unit's films."""
        return range(unit * FILMS_PER_UNIT, min((unit + 1) * FILMS_PER_UNIT, len(self.crc32)))

    def set_unit(self, unit: int, results: Sequence[FilmResult]) -> None:
        """Takes the results of a unit's films."""
        for row, result in zip(self.unit_rows(unit), results, strict=True):
            self.set_film(row, result)
        self.done[unit] = True

    def set_film(self, row: int, result: FilmResult) -> None:
        """Takes the result of one film.

        Raises:
            KeyError: the code is none of `FILM_CODES`.
        """
        self.choice[row], self.crc32[row] = result.choice, result.crc32
        self._code[row] = _CODE_NUMBERS[result.code]
        self._details.pop(row, None)
        if result.detail:
            self._details[row] = result.detail

    def film(self, row: int) -> FilmResult:
        """Gives the result of one film."""
        code = _CODES[self._code[row]]
        return FilmResult(int(self.choice[row]), int(self.crc32[row]), code, self._details.get(row, ""))

    def unit(self, unit: int) -> list[FilmResult]:
        """Gives the results of a unit's films."""
        return [self.film(row) for row in self.unit_rows(unit)]

    @property
    def accepted(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Rows of the films that were not rejected, in order."""
        return np.flatnonzero(self._code == 0)

    @property
    def rejected(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Rows of the others."""
        return np.flatnonzero(self._code)

    def forget_unit(self, unit: int) -> None:
        """Marks a unit as not done."""
        self.done[unit] = False
        for row in self.unit_rows(unit):
            self._details.pop(row, None)
            self._code[row] = self.crc32[row] = self.choice[row] = 0


class StoredFilms(Sequence[StoredAs]):
    """What became of the films of a finished run, in order; each is made when it is asked for."""

    def __init__(self, films: Sequence[FilmFile], outcomes: Outcomes) -> None:
        self._films = films
        self._outcomes = outcomes

    def __len__(self) -> int:
        return len(self._films)

    @overload
    def __getitem__(self, row: int) -> StoredAs: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[StoredAs]: ...
    def __getitem__(self, row: int | slice) -> StoredAs | Sequence[StoredAs]:
        """Gives what became of a film, or of those of a slice as a list."""
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        row = range(len(self))[row]
        result = self._outcomes.film(row)
        return StoredAs(self._films[row].paths[result.choice], result.code, result.detail)
