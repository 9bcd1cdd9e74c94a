"""What is known about one study before its files are read."""

from dataclasses import dataclass, field

from cxrkit.data.index.placed_boxes import FilmOfStudy, PlacedBoxes
from cxrkit.data.qba.members import StudyKey, member_place
from cxrkit.data.rejects import Reject, RejectLog


@dataclass
class StudyContext:
    """One study, and what becomes of its unusable boxes.

    Attributes:
        study_row: row in `studies`.
        key: (subject_id, study_id).
        films: accepted films by dicom_id.
        rejected_films: dicom_ids of films of the study that were rejected.
        rejects: takes what fails.
        unusable: boxes that were left out: (code, dicom_id, file) -> number of uses.
    """

    study_row: int
    key: StudyKey
    films: dict[str, FilmOfStudy]
    rejected_films: frozenset[str]
    rejects: RejectLog
    unusable: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def note_unusable(self, placed: PlacedBoxes, suffix: str) -> None:
        """Takes the unusable boxes of one use of a localization.

        Args:
            placed: the localization.
            suffix: of the file that it stands in: `qa` or `scene_graph`.
        """
        for code, dicom_id in placed.faults:
            self._count(code, dicom_id, suffix, 1)
        for dicom_id, number in placed.elsewhere:
            rejected = dicom_id in self.rejected_films
            # Questions and scene graph name the same films: one row for both.
            self._count("box_on_rejected_image" if rejected else "box_on_unknown_image", dicom_id, "", number)

    def _count(self, code: str, dicom_id: str, suffix: str, number: int) -> None:
        key = (code, dicom_id, suffix)
        self.unusable[key] = self.unusable.get(key, 0) + number

    def report_unusable(self) -> int:
        """Writes one reject per film and reason, and gives the number of boxes on films not accepted.

        A box recurs in many questions of its study: a row for each use would be millions for one fault.
        """
        for (code, dicom_id, suffix), number in self.unusable.items():
            where = member_place(self.key, suffix) if suffix else ""
            detail = f"{number} box{'es' if number > 1 else ''}"
            self.rejects.add(Reject(code, "box", *self.key, dicom_id, "", where, detail))
        return sum(number for (_, _, suffix), number in self.unusable.items() if not suffix)
