"""What is known about one study before its files are read."""

from dataclasses import dataclass, field

from cxrkit.data.index.placed_boxes import FilmOfStudy, PlacedBoxes
from cxrkit.data.qba.members import StudyKey
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
        elsewhere: boxes on films that are not accepted: (code, dicom_id) -> number.
    """

    study_row: int
    key: StudyKey
    films: dict[str, FilmOfStudy]
    rejected_films: frozenset[str]
    rejects: RejectLog
    elsewhere: dict[tuple[str, str], int] = field(default_factory=dict)

    def note_unusable(self, placed: PlacedBoxes, where: str, question_id: str = "") -> None:
        """Takes the unusable boxes of one use of a localization.

        Args:
            placed: the localization.
            where: file (and region) for the rejects.
            question_id: the question for the rejects.
        """
        for code, dicom_id in placed.faults:
            self.rejects.add(Reject(code, "box", *self.key, dicom_id, question_id, where))
        for dicom_id, number in placed.elsewhere:
            rejected = dicom_id in self.rejected_films
            key = ("box_on_rejected_image" if rejected else "box_on_unknown_image", dicom_id)
            self.elsewhere[key] = self.elsewhere.get(key, 0) + number

    def report_elsewhere(self) -> int:
        """Writes one reject per film with boxes that was not accepted, and gives the number of boxes."""
        for (code, dicom_id), number in self.elsewhere.items():
            self.rejects.add(Reject(code, "box", *self.key, dicom_id, detail=f"{number} boxes"))
        return sum(self.elsewhere.values())
