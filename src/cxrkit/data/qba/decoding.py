"""From a study's bytes to decoded records; damage is told apart by how much of the file it costs."""

from typing import Any

import msgspec

from cxrkit.data.qba.members import StudyKey
from cxrkit.data.qba.records import QaFile, Question, RawQaFile, RawQuestion, SceneGraphFile
from cxrkit.data.qba.salvage import Problem, load_leniently, salvage_questions, salvage_scene_graph

# What the quick way raises on a file that only the patient one can read, in part or in whole.
NOT_AS_DOCUMENTED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_QUESTION_MARK = b'"question_id"'


class _Shell(msgspec.Struct):
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
    """Decodes the two kinds of study files: at once where all is well, else element by element."""

    def __init__(self) -> None:
        self._qa = msgspec.json.Decoder(QaFile)
        self._raw_qa = msgspec.json.Decoder(RawQaFile)
        self._shell = msgspec.json.Decoder(_Shell)
        self._scene = msgspec.json.Decoder(SceneGraphFile)

    def raw_questions(self, data: bytes, key: StudyKey) -> list[RawQuestion] | None:
        """Decodes the outer shape of `s*.qa.json` quickly; its parts are still to be decoded.

        Returns:
            The questions, or None when the file says that there are none.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: for `questions` to look at in detail.
            RecordError: the file is another study's.
        """
        record = self._raw_qa.decode(data)
        _check_ids(record.patient_id, record.study_id, key, f"; {len(record.questions or ())} questions lost")
        return record.questions

    def salvaged_questions(self, data: bytes, key: StudyKey) -> tuple[list[RawQuestion], list[Problem]]:
        """Gives what `questions` gives in the shape of `raw_questions`; errors likewise."""
        questions, problems = self.questions(data, key)
        clean = self._raw_qa.decode(msgspec.json.encode(QaFile(questions=questions)))
        return clean.questions or [], problems

    def questions(self, data: bytes, key: StudyKey) -> tuple[list[Question], list[Problem]]:
        """Decodes `s*.qa.json`.

        Args:
            data: the file's bytes.
            key: the ids in the file's name.

        Returns:
            The questions, and what was left out.

        Raises:
            RecordError: the file is not JSON, not of the documented shape, or another study's.
        """
        problems: list[Problem] = []
        try:
            record = self._qa.decode(data)
        except NOT_AS_DOCUMENTED as error:
            lost = f"; about {data.count(_QUESTION_MARK)} questions lost"
            content = _load_again(data, error, lost)
            try:
                record, problems = salvage_questions(content)
            except (msgspec.ValidationError, RecursionError) as deeper:
                raise RecordError("malformed_json", _place_only(deeper) + lost) from deeper
        _check_ids(record.patient_id, record.study_id, key, f"; {len(record.questions or ())} questions lost")
        if record.questions is None:
            problems.append(NO_QUESTIONS)
        return record.questions or [], problems

    def scene_graph(self, data: bytes, key: StudyKey) -> tuple[SceneGraphFile, list[Problem]]:
        """Decodes `s*.scene_graph.json`; arguments, result and errors as for `questions`."""
        problems: list[Problem] = []
        try:
            record = self._scene.decode(data)
        except NOT_AS_DOCUMENTED as error:
            content = _load_again(data, error, "")
            try:
                record, problems = salvage_scene_graph(content)
            except (msgspec.ValidationError, RecursionError) as deeper:
                raise RecordError("malformed_json", _place_only(deeper)) from deeper
        _check_ids(record.patient_id, record.study_id, key, "")
        return record, problems

    def count_questions(self, data: bytes) -> int:
        """Gives the number of questions in a file that is not indexed; roughly when it is no JSON."""
        try:
            return len(self._shell.decode(data).questions or ())
        except NOT_AS_DOCUMENTED:
            return data.count(_QUESTION_MARK)


NO_QUESTIONS = Problem("no_questions", "member", "")


def _load_again(data: bytes, error: Exception, lost: str) -> Any:
    """Reads what the strict decoder refused, unless it is no JSON for Python either."""
    try:
        return load_leniently(data)
    except (ValueError, RecursionError):
        raise RecordError("malformed_json", _place_only(error) + lost) from error


def _check_ids(patient: str | int | None, study: str | int | None, key: StudyKey, lost: str) -> None:
    for name, stated, expected in (("patient_id", patient, key[0]), ("study_id", study, key[1])):
        if stated is not None and str(stated).lstrip("ps") != str(expected):
            raise RecordError("id_mismatch", f"{name} is not that of the file name{lost}")


def _place_only(error: Exception) -> str:
    """Gives the decoder's message, which names types and places, never values."""
    return str(error) if isinstance(error, msgspec.DecodeError) else type(error).__name__
