"""What is known about one study while its files are read: ids, accepted films, checked boxes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cxrkit.boxes import lies_in_image
from cxrkit.data.qba.records import Localization, Localizations
from cxrkit.data.rejects import Reject, RejectLog

Corners = tuple[float, float, float, float]
_CODE_LIMIT = 127


class FilmOfStudy(NamedTuple):
    """An accepted film: row in `images`, width and height in pixels."""

    image_row: int
    width: int
    height: int


class PlacedBox(NamedTuple):
    """A box that passed the checks, xyxy_px on one film."""

    image_row: int
    corners: Corners
    is_fallback: bool
    localization_quality: int


@dataclass
class StudyContext:
    """One study and the checks of its boxes.

    Attributes:
        study_row: row in `studies`.
        subject_id: patient number.
        study_id: study number.
        films: accepted films by dicom_id.
        rejected_films: dicom_ids of films of the study that were rejected.
        rejects: takes what fails.
        dropped: boxes on films that are not accepted: (code, dicom_id) -> number.
    """

    study_row: int
    subject_id: int
    study_id: int
    films: dict[str, FilmOfStudy]
    rejected_films: frozenset[str]
    rejects: RejectLog
    dropped: dict[tuple[str, str], int] = field(default_factory=dict)
    _verdicts: dict[tuple[int, Corners], str] = field(default_factory=dict)

    def place_boxes(
        self, localizations: Localizations | None, where: str, question_id: str = ""
    ) -> Iterator[PlacedBox]:
        """Gives the boxes on accepted films that lie in their film; the others become rejects.

        Args:
            localizations: boxes by dicom_id.
            where: file (and region) for the rejects.
            question_id: the question for the rejects.
        """
        for dicom_id, localization in (localizations or {}).items():
            if localization is None or not localization.bboxes:
                continue
            film = self.films.get(dicom_id)
            if film is None:
                self._count_dropped(dicom_id, len(localization.bboxes))
                continue
            fallback, quality = bool(localization.is_fallback), _quality(localization)
            for box in localization.bboxes:
                corners: Corners = tuple(box)  # type: ignore[assignment]
                code = self._verdict(film, corners)
                if not code:
                    yield PlacedBox(film.image_row, corners, fallback, quality)
                    continue
                self.rejects.add(
                    Reject(code, "box", self.subject_id, self.study_id, dicom_id, question_id, where)
                )

    def report_dropped(self) -> int:
        """Writes one reject per film with boxes that was not accepted, and gives the number of boxes."""
        for (code, dicom_id), number in self.dropped.items():
            detail = f"{number} boxes"
            self.rejects.add(Reject(code, "box", self.subject_id, self.study_id, dicom_id, detail=detail))
        return sum(self.dropped.values())

    def _count_dropped(self, dicom_id: str, number: int) -> None:
        code = "box_on_rejected_image" if dicom_id in self.rejected_films else "box_on_unknown_image"
        self.dropped[code, dicom_id] = self.dropped.get((code, dicom_id), 0) + number

    def _verdict(self, film: FilmOfStudy, corners: Corners) -> str:
        # Identical boxes recur in all questions of a study.
        key = (film.image_row, corners)
        code = self._verdicts.get(key)
        if code is None:
            code = self._verdicts[key] = check_box(corners, film.width, film.height)
        return code


def check_box(corners: Corners, width: int, height: int) -> str:
    """Gives the reason code of an unusable box, or "" for a good one.

    >>> check_box((0.0, 0.0, 9.0, 9.0), 10, 10), check_box((9.0, 0.0, 1.0, 9.0), 10, 10)
    ('', 'box_unordered')
    """
    if len(corners) != 4 or not np.isfinite(corners).all():
        return "box_malformed"
    if corners[2] <= corners[0] or corners[3] <= corners[1]:
        return "box_unordered"
    return "" if lies_in_image(np.array(corners), width, height) else "box_outside_image"


def _quality(localization: Localization) -> int:
    return int(max(0, min(localization.localization_quality or 0, _CODE_LIMIT)))
