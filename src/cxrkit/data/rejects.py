"""What was skipped while preparing, and why: one row each, never a silent replacement."""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from cxrkit.data.films.film_error import FILM_CODES

RejectKind = Literal["image", "study", "question", "answer", "box", "row", "member", "element"]

REJECT_MEANINGS: dict[str, str] = {
    "box_malformed": "a box is not four finite numbers",
    "box_on_rejected_image": "boxes lie on a film that was itself rejected",
    "box_on_unknown_image": "boxes lie on a film that is not part of the study",
    "box_outside_image": "a box leaves the film by more than one pixel",
    "box_unordered": "a box has x2 <= x1 or y2 <= y1",
    "conflicting_row": "rows of one identifier contradict each other; all of them are dropped",
    "corrupt_member": "a member of an archive, or an extracted file, cannot be read",
    "duplicate_member": "an archive or folder holds the study's file twice; the first stands",
    "duplicate_question": "a question id occurs again in its study; the first stands",
    "duplicate_row": "a row repeats another one exactly; one is kept",
    "empty_question": "a question has no text",
    "id_mismatch": "the identifiers inside a file are not those of its name",
    "invalid_id": "an identifier of a row is not a number, or not a plain file name",
    "invalid_label": "a label is none of 1, 0, -1 and blank",
    "invalid_size": "Rows or Columns is not a positive whole number",
    "malformed_element": "a name, observation, region or relation in a file has not the documented shape",
    "malformed_json": "a file is not JSON of the documented shape",
    "malformed_question": "a question inside a readable file has not the documented shape",
    "missing_question_id": "a question has no identifier",
    "no_answers": "a question has no main answer",
    "no_questions": "a file of questions has none: `questions` is null or missing",
    "not_in_metadata": "a film of the split table is not in the metadata table",
    "not_in_split": "a film of the metadata table is not in the split table",
    "study_not_in_metadata": "a study of a table or of QBA is unknown to the metadata table",
    "study_without_image": "a study has no accepted film",
    "unexpected_member": "a file's name is not p1x/p1xxxxxxx/s...",
    "unknown_question_type": "a question is of none of the 27 types",
    "unknown_rating": "a rating is none of 0_ .. 6_A++",
    **FILM_CODES,
}

# By the reason that is commonest among rejected films: what a user can do about it.
_FILM_REMEDIES = {
    "missing_image": "finish the download of files/",
    "truncated_image": "download the cut-off files of files/ again",
    "size_mismatch": "the films were resized, but boxes are in pixels of Columns x Rows: use those of the "
    "original MIMIC-CXR-JPG release",
    "not_an_image": "use the films as released; a web page saved as .jpg is none",
    "dicom_incomplete": "use the DICOM files of MIMIC-CXR as released",
    "damaged_image": "download the damaged files of files/ again, and compare them with SHA256SUMS.txt",
    "unreadable_image": "mend the permissions, or download the damaged files of files/ again",
    "unsupported_pixels": "use the 8-bit files of MIMIC-CXR-JPG as released, not a conversion of DICOM",
}
_USE_RELEASE = "use the films and tables of one and the same release of MIMIC-CXR-JPG"

COLUMNS = ("code", "kind", "subject_id", "study_id", "dicom_id", "question_id", "where", "detail")


class Reject(NamedTuple):
    """One skipped thing.

    Attributes:
        code: a key of `REJECT_MEANINGS`.
        kind: what was skipped.
        subject_id: patient number without prefix, -1 where unknown.
        study_id: study number without prefix, -1 where unknown.
        dicom_id: the film, or "".
        question_id: the question, or "".
        where: file and place; the same whatever the container.
        detail: numbers and field names; never text of a report or a question.
    """

    code: str
    kind: RejectKind
    subject_id: int = -1
    study_id: int = -1
    dicom_id: str = ""
    question_id: str = ""
    where: str = ""
    detail: str = ""


class RejectLog:
    """Collects rejects in any order and writes them sorted."""

    def __init__(self) -> None:
        self._rows: list[Reject] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, reject: Reject) -> None:
        """Takes one reject; an undocumented code is a mistake of the program."""
        if reject.code not in REJECT_MEANINGS:
            raise KeyError(reject.code)
        self._rows.append(reject)

    @property
    def rows(self) -> list[Reject]:
        """All rejects, sorted."""
        return sorted(self._rows)

    def counts(self) -> dict[str, int]:
        """Gives the number of rejects per code, by name."""
        return dict(sorted(Counter(row.code for row in self._rows).items()))

    def summary(self, table: str = "") -> str:
        """Says how many rejects there are by code and which is the first, for an error message.

        Args:
            table: only rejects of this table; all when empty.
        """
        rows = [row for row in self._rows if not table or row.where.startswith(f"{table}:")]
        if not rows:
            return "nothing rejected"
        counts = Counter(row.code for row in rows).most_common()
        listed = ", ".join(f"{code} {count}" for code, count in counts)
        return f"{len(rows)} rejected ({listed}); the first: {rows[0].code} at {rows[0].where}"

    def write(self, path: Path) -> None:
        """Writes `rejects.csv`; unknown numbers are left blank."""
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in self.rows:
                writer.writerow("" if value == -1 else value for value in row)


def film_remedy(counts: Mapping[str, int]) -> str:
    """Gives what to do about rejected films.

    Args:
        counts: rejected films by code.

    >>> film_remedy({"missing_image": 3, "not_an_image": 1})
    'finish the download of files/'
    """
    commonest = max(counts, key=lambda code: counts[code], default="")
    return _FILM_REMEDIES.get(commonest, _USE_RELEASE)


def read_rejects(path: Path) -> list[Reject]:
    """Reads `rejects.csv` back.

    Raises:
        ValueError: it is damaged.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        try:
            table = csv.DictReader(stream)
            if tuple(table.fieldnames or ()) != COLUMNS:
                raise ValueError(f"{path.name} is damaged: its columns are not those of the format")
            return [_from_record(record) for record in table]
        except (KeyError, TypeError, csv.Error) as error:
            raise ValueError(f"{path.name} is damaged: {error!r}") from error


def _from_record(record: dict[str, str]) -> Reject:
    kind: RejectKind = record["kind"]  # type: ignore[assignment]
    return Reject(
        record["code"],
        kind,
        int(record["subject_id"] or -1),
        int(record["study_id"] or -1),
        record["dicom_id"],
        record["question_id"],
        record["where"],
        record["detail"],
    )
