"""From a study's bytes to decoded records; damage is told apart by how much of the file it costs."""

import msgspec

from cxrkit.data.qba.members import StudyKey
from cxrkit.data.qba.records import QaFile, Question, SceneGraphFile


class _RawQaFile(msgspec.Struct):
    patient_id: str | int | None = None
    study_id: str | int | None = None
    questions: list[msgspec.Raw] | None = None


class RecordError(Exception):
    """A file cannot be used; becomes a reject.

    Args:
        code: the reject's reason code.
        detail: what the reject's row says.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Decoder:
    """Decodes the two kinds of study files."""

    def __init__(self) -> None:
        self._qa = msgspec.json.Decoder(QaFile)
        self._raw_qa = msgspec.json.Decoder(_RawQaFile)
        self._question = msgspec.json.Decoder(Question)
        self._scene = msgspec.json.Decoder(SceneGraphFile)

    def questions(self, data: bytes, key: StudyKey) -> tuple[list[Question], list[tuple[int, str]]]:
        """Decodes `s*.qa.json`.

        Args:
            data: the file's bytes.
            key: the ids in the file's name.

        Returns:
            The questions, and (position, problem) of each question of another shape.

        Raises:
            RecordError: the file is not JSON, not of the documented shape, or another study's.
        """
        broken: list[tuple[int, str]] = []
        try:
            record = self._qa.decode(data)
        except msgspec.ValidationError:
            record, broken = self._one_by_one(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RecordError("malformed_json", _place_only(error)) from error
        _check_ids(record.patient_id, record.study_id, key)
        return record.questions or [], broken

    def scene_graph(self, data: bytes, key: StudyKey) -> SceneGraphFile:
        """Decodes `s*.scene_graph.json`; arguments and errors as for `questions`."""
        try:
            record = self._scene.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RecordError("malformed_json", _place_only(error)) from error
        _check_ids(record.patient_id, record.study_id, key)
        return record

    def count_questions(self, data: bytes) -> int:
        """Gives the number of questions in a file that is not indexed; 0 when it cannot be read."""
        try:
            return len(self._raw_qa.decode(data).questions or ())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return 0

    def _one_by_one(self, data: bytes) -> tuple[QaFile, list[tuple[int, str]]]:
        try:
            raw = self._raw_qa.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RecordError("malformed_json", _place_only(error)) from error
        good: list[Question] = []
        broken: list[tuple[int, str]] = []
        for position, part in enumerate(raw.questions or ()):
            try:
                good.append(self._question.decode(part))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                broken.append((position, _place_only(error)))
        return QaFile(raw.patient_id, raw.study_id, good), broken


def _check_ids(patient: str | int | None, study: str | int | None, key: StudyKey) -> None:
    for name, stated, expected in (("patient_id", patient, key[0]), ("study_id", study, key[1])):
        if stated is not None and str(stated).lstrip("ps") != str(expected):
            raise RecordError("id_mismatch", f"{name} is not that of the file name")


def _place_only(error: Exception) -> str:
    """Gives the decoder's message, which names types and places, never values."""
    return str(error) if isinstance(error, msgspec.DecodeError) else type(error).__name__
