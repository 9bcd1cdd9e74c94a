"""Makes one chunk of the index: reads the files of its studies, decodes them, writes the columns."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cxrkit.data.index.chunk_file import ChunkSummary, write_chunk
from cxrkit.data.index.counts import IndexCounts
from cxrkit.data.index.question_rows import QuestionRows
from cxrkit.data.index.scene_rows import SceneRows
from cxrkit.data.index.study_context import StudyContext
from cxrkit.data.index.study_parts import References
from cxrkit.data.index.study_work import IndexUnit, StrayStudy, StudyWork
from cxrkit.data.index.texts import TextTable
from cxrkit.data.qba.decoding import NO_QUESTIONS, NOT_AS_DOCUMENTED, Decoder, RecordError
from cxrkit.data.qba.member_reader import MemberError, MemberReader, Place
from cxrkit.data.qba.members import StudyKey, member_place
from cxrkit.data.qba.records import SceneGraphFile
from cxrkit.data.qba.salvage import Problem
from cxrkit.data.qba.vocabularies import NameTable
from cxrkit.data.rejects import Reject, RejectLog


@dataclass
class ChunkState:
    """What a process needs for all its chunks."""

    folder: Path
    questions: MemberReader | None
    scenes: MemberReader | None
    names: dict[str, list[str]]
    decoder: Decoder = field(default_factory=Decoder)


def start_chunks(
    folder: Path, questions: Path | None, scenes: Path | None, names: dict[str, list[str]]
) -> ChunkState:
    """Opens the archives or folders.

    Args:
        folder: for the chunks' files.
        questions: archive or folder of the questions.
        scenes: archive or folder of the scene graphs.
        names: the listed vocabularies.
    """
    return ChunkState(folder, _reader(questions), _reader(scenes), names)


def _reader(origin: Path | None) -> MemberReader | None:
    return None if origin is None else MemberReader(origin)


def chunk_path(folder: Path, number: int) -> Path:
    """Gives the file of a chunk."""
    return folder / f"chunk-{number:06d}"


def build_chunk(state: ChunkState, unit: IndexUnit) -> int:
    """Writes the file of one chunk and gives its number of studies."""
    with _no_garbage_collection():
        chunk = _Chunk(state)
        for study in unit.studies:
            chunk.add(study)
        for stray in unit.strays:
            chunk.add_stray(stray)
        chunk.write(chunk_path(state.folder, unit.number))
    return len(unit.studies) + len(unit.strays)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Records make no cycles: looking for some in a growing chunk would cost a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Chunk:
    def __init__(self, state: ChunkState) -> None:
        self._state = state
        self._counts = IndexCounts()
        self._rejects = RejectLog()
        self._texts = TextTable()
        self._names = {
            kind: NameTable({name: number for number, name in enumerate(names)}, kind=kind)
            for kind, names in state.names.items()
        }
        self._questions = QuestionRows(self._texts, self._names, self._counts)
        self._scenes = SceneRows(self._names, self._counts)
        self._studies: list[tuple[int, int, int, bool, bool]] = []

    def add(self, work: StudyWork) -> None:
        study = StudyContext(work.row, work.key, work.films, work.rejected_films, self._rejects)
        added, references = self._add_questions(study, work)
        scene = self._read_scene(work)
        boxes, observations = 0, 0
        if scene is not None:
            boxes, observations = self._scenes.add_study(study, scene)
            self._scenes.check_references(scene, references)
        self._studies.append((added, boxes, observations, added > 0, scene is not None))
        self._counts.dropped_boxes += study.report_unusable()

    def add_stray(self, stray: StrayStudy) -> None:
        data = self._read(self._state.questions, stray.key, stray.questions, "qa")
        number = 0 if data is None else self._state.decoder.count_questions(data)
        self._rejects.add(Reject(stray.code, "study", *stray.key, detail=f"{number} questions"))

    def _add_questions(self, study: StudyContext, work: StudyWork) -> tuple[int, References]:
        data = self._read(self._state.questions, work.key, work.questions, "qa")
        if data is None:
            return 0, {}
        place = member_place(work.key, "qa")
        try:
            return self._add_decoded(study, work, data, place)
        except RecordError as error:
            self._rejects.add(Reject(error.code, "member", *work.key, where=place, detail=error.detail))
            return 0, {}

    def _add_decoded(
        self, study: StudyContext, work: StudyWork, data: bytes, place: str
    ) -> tuple[int, References]:
        decoder, add = self._state.decoder, self._questions.add_study
        try:
            questions = decoder.raw_questions(data, work.key)
            if questions is None:
                self._note([NO_QUESTIONS], work.key, place)
            return add(study, work.split, questions or ())
        except NOT_AS_DOCUMENTED:
            questions, problems = decoder.salvaged_questions(data, work.key)
        self._note(problems, work.key, place)
        return add(study, work.split, questions)

    def _read_scene(self, work: StudyWork) -> SceneGraphFile | None:
        data = self._read(self._state.scenes, work.key, work.scene, "scene_graph")
        if data is None:
            return None
        place = member_place(work.key, "scene_graph")
        try:
            scene, problems = self._state.decoder.scene_graph(data, work.key)
        except RecordError as error:
            self._rejects.add(Reject(error.code, "member", *work.key, where=place, detail=error.detail))
            return None
        self._note(problems, work.key, place)
        return scene

    def _read(
        self, reader: MemberReader | None, key: StudyKey, place: Place | None, suffix: str
    ) -> bytes | None:
        if reader is None or place is None:
            return None
        try:
            return reader.read(place)
        except MemberError as error:
            where = member_place(key, suffix)
            self._rejects.add(Reject("corrupt_member", "member", *key, where=where, detail=str(error)))
            return None

    def _note(self, problems: list[Problem], key: StudyKey, place: str) -> None:
        for code, kind, inside, detail, question_id in problems:
            where = f"{place}:{inside}" if inside else place
            self._rejects.add(Reject(code, kind, *key, question_id=question_id, where=where, detail=detail))

    def write(self, path: Path) -> None:
        texts, digests = self._texts.columns()
        tables = self._questions.finish() | self._scenes.finish() | {"texts": {"text": texts}}
        summary = ChunkSummary(
            rows={
                "questions": len(tables["questions"]["study_row"]),
                "answer_boxes": len(tables["answer_boxes"]["question_row"]),
                "region_boxes": len(tables["region_boxes"]["study_row"]),
                "observations": len(tables["observations"]["study_row"]),
                "texts": len(self._texts),
            },
            studies=self._studies,
            appended={
                kind: list(table.number)[len(self._state.names[kind]) :]
                for kind, table in self._names.items()
            },
            counts=self._counts.pack(),
            rejects=self._rejects.rows,
        )
        write_chunk(path, summary, tables, digests=digests)
