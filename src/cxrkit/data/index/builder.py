"""Writes the index in one pass over the studies; memory does not grow with their number except for texts."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from cxrkit.data.index.counts import IndexCounts
from cxrkit.data.index.question_rows import QuestionRows
from cxrkit.data.index.scene_rows import SceneRows
from cxrkit.data.index.schemas import LABEL_SOURCES, table_schema
from cxrkit.data.index.study_context import FilmOfStudy, StudyContext
from cxrkit.data.index.table_writer import TableWriter, TextTable
from cxrkit.data.mimic_cxr.films import VIEWS
from cxrkit.data.mimic_cxr.labels import StudyLabels
from cxrkit.data.qba.decoding import Decoder, RecordError
from cxrkit.data.qba.layout import QbaFiles
from cxrkit.data.qba.members import MemberError, StudyFiles, StudyKey, member_place
from cxrkit.data.qba.records import Question, SceneGraphFile
from cxrkit.data.qba.salvage import Problem
from cxrkit.data.qba.vocabularies import NameTable
from cxrkit.data.rejects import Reject, RejectLog

STUDIES_PER_BATCH = 512
_STREAMED = ("questions", "answer_boxes", "region_boxes", "observations", "texts")
Progress = Callable[[int, int], None]


class IndexBuilder:
    """Writes all tables of one index.

    Args:
        folder: empty folder for the files.
        films: accepted films, sorted; as `FilmTable.films` with a further column `path`.
        rejected_films: dicom_ids of rejected films by study_id.
        labels: by name (chexpert, negbio, radiologist), rows as the studies of `films`.
        names: the open vocabularies; new names are appended.
        rejects: takes what is skipped.
    """

    def __init__(
        self,
        folder: Path,
        films: pl.DataFrame,
        rejected_films: dict[int, frozenset[str]],
        labels: dict[str, StudyLabels],
        names: dict[str, NameTable],
        rejects: RejectLog,
    ) -> None:
        self.counts = IndexCounts()
        self._folder = folder
        self._studies = studies_of_films(films)
        self._films = films
        self._dicom_ids: list[str] = films["dicom_id"].to_list()
        self._widths: list[int] = films["columns"].to_list()
        self._heights: list[int] = films["rows"].to_list()
        self._rejected_films = rejected_films
        self._labels = labels
        self._names = names
        self._rejects = rejects
        self._decoder = Decoder()

    def write(self, qba: QbaFiles | None, progress: Progress | None = None) -> None:
        """Writes every table and `vocabularies.json`.

        Args:
            qba: questions and scene graphs; None writes films and labels only.
            progress: called with (studies done, studies).
        """
        self._write_images()
        questions = _StudyReader(qba.questions if qba else None, self._rejects)
        scenes = _StudyReader(qba.scenes if qba else None, self._rejects)
        with ExitStack() as stack:
            writers = {name: stack.enter_context(TableWriter(self._folder, name)) for name in _STREAMED}
            studies = stack.enter_context(TableWriter(self._folder, "studies"))
            texts = TextTable(writers["texts"])
            question_rows = QuestionRows(
                writers["questions"], writers["answer_boxes"], texts, self._names, self.counts
            )
            scene_rows = SceneRows(writers["region_boxes"], writers["observations"], self._names, self.counts)
            total = self._studies.height
            for row, record in enumerate(self._studies.iter_rows(named=True)):
                context = self._context(row, record)
                studies.add(self._write_study(context, record, questions, scenes, question_rows, scene_rows))
                self.counts.dropped_boxes += context.report_dropped()
                if (row + 1) % STUDIES_PER_BATCH == 0:
                    for writer in (*writers.values(), studies):
                        writer.flush()
                if progress and ((row + 1) % 16 == 0 or row + 1 == total):
                    progress(row + 1, total)
        self._write_vocabularies()

    def _write_images(self) -> None:
        films = self._films.join(
            self._studies.select("study_id", pl.int_range(pl.len(), dtype=pl.Int32).alias("study_row")),
            on="study_id",
            how="left",
            maintain_order="left",
        )
        schema = table_schema("images")
        arrays = [pa.array(films[field.name].to_list(), field.type) for field in schema]
        with TableWriter(self._folder, "images") as writer:
            writer.write(pa.record_batch(arrays, schema=schema))
        split = self._films["split"].to_list()
        self.counts.images.update(split)
        self.counts.studies.update(self._studies["split"].to_list())
        self.counts.patients.update(self._studies.unique("subject_id")["split"].to_list())
        self.counts.views.update(VIEWS[view] for view in self._films["view"].to_list())

    def _context(self, row: int, record: dict[str, int]) -> StudyContext:
        first, number = record["first_image"], record["num_images"]
        placed = {
            self._dicom_ids[film]: FilmOfStudy(film, self._widths[film], self._heights[film])
            for film in range(first, first + number)
        }
        rejected = self._rejected_films.get(record["study_id"], frozenset())
        return StudyContext(row, record["subject_id"], record["study_id"], placed, rejected, self._rejects)

    def _write_study(
        self,
        context: StudyContext,
        record: dict[str, int],
        questions: "_StudyReader",
        scenes: "_StudyReader",
        question_rows: QuestionRows,
        scene_rows: SceneRows,
    ) -> tuple[object, ...]:
        first_question, first_box = len(question_rows.questions), len(scene_rows.region_boxes)
        first_observation = len(scene_rows.observations)
        asked = self._read_questions(context, questions)
        scene = self._read_scene(context, scenes)
        added = question_rows.add_study(context, record["split"], asked) if asked else 0
        if scene is not None:
            scene_rows.add_study(context, scene)
            scene_rows.check_questions(scene, asked or ())
        return (
            context.subject_id,
            context.study_id,
            record["split"],
            record["first_image"],
            record["num_images"],
            first_question,
            added,
            first_box,
            len(scene_rows.region_boxes) - first_box,
            first_observation,
            len(scene_rows.observations) - first_observation,
            added > 0,
            scene is not None,
            *(bool(self._labels[name].present[context.study_row]) for name in LABEL_SOURCES),
            *(self._labels[name].values[context.study_row].tolist() for name in LABEL_SOURCES),
        )

    def _read_questions(self, context: StudyContext, files: "_StudyReader") -> list[Question] | None:
        key = (context.subject_id, context.study_id)
        data = files.read(key)
        if data is None:
            return None
        try:
            questions, problems = self._decoder.questions(data, key)
        except RecordError as error:
            self._rejects.add(Reject(error.code, "member", *key, where=files.place(key), detail=error.detail))
            return None
        self._note(problems, key, files.place(key))
        return questions

    def _read_scene(self, context: StudyContext, files: "_StudyReader") -> SceneGraphFile | None:
        key = (context.subject_id, context.study_id)
        data = files.read(key)
        if data is None:
            return None
        try:
            scene, problems = self._decoder.scene_graph(data, key)
        except RecordError as error:
            self._rejects.add(Reject(error.code, "member", *key, where=files.place(key), detail=error.detail))
            return None
        self._note(problems, key, files.place(key))
        return scene

    def _note(self, problems: list[Problem], key: StudyKey, place: str) -> None:
        for code, kind, inside, detail, question_id in problems:
            where = f"{place}:{inside}" if inside else place
            self._rejects.add(Reject(code, kind, *key, question_id=question_id, where=where, detail=detail))

    def _write_vocabularies(self) -> None:
        content: dict[str, object] = {kind: list(table.number) for kind, table in self._names.items()}
        content["sources"] = {kind: table.source for kind, table in self._names.items()}
        content["appended"] = {kind: table.appended for kind, table in self._names.items()}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (self._folder / "vocabularies.json").write_text(text + "\n", encoding="utf-8")


class _StudyReader:
    """Reads study files, if there are any; unreadable ones become rejects."""

    def __init__(self, files: StudyFiles | None, rejects: RejectLog) -> None:
        self._files = files
        self._keys = set(files.keys) if files else set()
        self._rejects = rejects

    def place(self, key: StudyKey) -> str:
        return member_place(key, self._files.suffix if self._files else "")

    def read(self, key: StudyKey) -> bytes | None:
        if self._files is None or key not in self._keys:
            return None
        try:
            return self._files.read(key)
        except MemberError as error:
            self._rejects.add(
                Reject("corrupt_member", "member", *key, where=self.place(key), detail=str(error))
            )
            return None


def studies_of_films(films: pl.DataFrame) -> pl.DataFrame:
    """Gives the studies of sorted films: subject_id, study_id, split, first_image, num_images."""
    numbered = films.with_row_index("image_row")
    return (
        numbered.group_by("subject_id", "study_id", maintain_order=True)
        .agg(
            pl.col("split").first(),
            pl.col("image_row").min().alias("first_image"),
            pl.len().alias("num_images"),
        )
        .sort("subject_id", "study_id")
    )


def reject_studies_without_films(
    qba: QbaFiles | None, indexed: npt.NDArray[np.int32], subject_of_study: dict[int, int], rejects: RejectLog
) -> None:
    """Writes one reject for each study that has no row in the index, with the number of its questions.

    Args:
        qba: questions, or None.
        indexed: `[S]` study_ids in the index.
        subject_of_study: the studies of the metadata table.
        rejects: takes `study_without_image` and `study_not_in_metadata`.
    """
    decoder = Decoder()
    files = qba.questions if qba else None
    keys = set(files.keys) if files else set()
    known = {(subject, study) for study, subject in subject_of_study.items()}
    without = known - set(zip((subject_of_study[int(s)] for s in indexed), indexed.tolist(), strict=True))
    reader = _StudyReader(files, rejects)
    for key in sorted(without | (keys - known)):
        data = reader.read(key)
        number = 0 if data is None else decoder.count_questions(data)
        code = "study_without_image" if key in known else "study_not_in_metadata"
        rejects.add(Reject(code, "study", *key, detail=f"{number} questions"))
