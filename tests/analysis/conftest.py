"""A hand-made index of a few rows whose every count is known, and a larger random one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cxrkit.vocabulary import ANSWER_HEADS, QUESTION_TYPES, Head


@dataclass
class TableIndex:
    """What the analysis reads of an index, as plain tables."""

    images: pa.Table
    studies: pa.Table
    questions: pa.Table
    answer_boxes: pa.Table
    region_boxes: pa.Table
    observations: pa.Table
    texts: pa.Table
    workspace: Path
    counts: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = "0123456789abcdef" * 4

    def column(self, table: str, name: str) -> np.ndarray:
        values = getattr(self, table)[name].combine_chunks()
        if pa.types.is_fixed_size_list(values.type):
            return values.flatten().to_numpy().reshape(-1, values.type.list_size)
        return values.to_numpy(zero_copy_only=False)

    def replace(self, table: str, **columns: Any) -> "TableIndex":
        """Puts other values into columns of a table."""
        old = getattr(self, table)
        for name, values in columns.items():
            field_type = old.schema.field(name).type
            place = old.schema.get_field_index(name)
            old = old.set_column(place, name, pa.array(values, field_type))
        setattr(self, table, old)
        return self


def _table(columns: dict[str, tuple[Any, pa.DataType]]) -> pa.Table:
    return pa.table({name: pa.array(values, kind) for name, (values, kind) in columns.items()})


def _labels(matrix: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.astype(np.float32).ravel()), 14)


def _texts(types: np.ndarray, draw: np.random.Generator) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Gives texts, and which of them are question and answer; a type has three phrasings."""
    phrases = [f"Kind {place} of question, asked in way {way}?" for place in range(27) for way in range(3)]
    answers = ["Yes.", "No.", "It is mild.", "In the left lung."]
    asked = types * 3 + draw.integers(0, 3, len(types))
    answered = len(phrases) + draw.integers(0, len(answers), len(types))
    return _table({"text": ([*phrases, *answers], pa.large_string())}), asked, answered


def random_index(folder: Path, studies: int = 60, questions: int = 20, seed: int = 0) -> TableIndex:
    """Draws an index in which every study has one frontal film, a graph, and questions of all types."""
    draw = np.random.default_rng(seed)
    rows = np.arange(studies)
    split = np.repeat([0, 1, 2], [studies - 2 * (studies // 5), studies // 5, studies // 5])
    subject = 10_000_000 + rows
    types = np.tile(np.arange(27), studies * questions // 27 + 1)[: studies * questions]
    head_of_type = [ANSWER_HEADS.index(e.head) if e.head in ANSWER_HEADS else -1 for e in QUESTION_TYPES]
    heads = np.array(head_of_type)[types]
    of_head = {head: heads == place for place, head in enumerate(ANSWER_HEADS)}
    count = len(types)
    answers = draw.integers(0, 4, count)
    observations = np.repeat(rows, 5)
    boxes = np.repeat(rows, 26)
    labels = draw.choice([1, 0, -1, np.nan], p=[0.3, 0.3, 0.1, 0.3], size=(studies, 14))
    texts, asked, answered = _texts(types, draw)
    rejects = folder / "index" / "rejects.csv"
    rejects.parent.mkdir(parents=True, exist_ok=True)
    rejects.write_text("code,kind,subject_id,study_id,dicom_id,question_id,where,detail\n")
    return TableIndex(
        images=_table(
            {
                "dicom_id": ([f"d{row}" for row in rows], pa.string()),
                "subject_id": (subject, pa.int32()),
                "study_row": (rows, pa.int32()),
                "view": (np.zeros(studies), pa.int8()),
                "rows": (draw.integers(2000, 3000, studies), pa.int32()),
                "columns": (draw.integers(2000, 3000, studies), pa.int32()),
            }
        ),
        studies=_table(
            {
                "subject_id": (subject, pa.int32()),
                "study_id": (50_000_000 + rows, pa.int32()),
                "split": (split, pa.int8()),
                "num_observations": (np.full(studies, 5), pa.int32()),
                "has_questions": (np.ones(studies, dtype=bool), pa.bool_()),
                "has_scene_graph": (np.ones(studies, dtype=bool), pa.bool_()),
            }
        )
        .append_column("chexpert", _labels(labels))
        .append_column("negbio", _labels(labels))
        .append_column("radiologist", _labels(np.full((studies, 14), np.nan))),
        questions=_table(
            {
                "study_row": (np.repeat(rows, questions), pa.int32()),
                "question_type": (types, pa.int8()),
                "rating": (draw.integers(0, 7, count), pa.int8()),
                "question_text": (asked, pa.int32()),
                "answer_text": (answered, pa.int32()),
                "head": (heads, pa.int8()),
                "polarity": (draw.integers(-1, 2, count), pa.int8()),
                "binary_target": (np.where(of_head[Head.BINARY], answers % 2, -1), pa.int8()),
                "severity_target": (np.where(of_head[Head.SEVERITY], answers, -1), pa.int8()),
                "category_target": (1 << draw.integers(0, 14, count), pa.int32()),
                "category_valid": (of_head[Head.CATEGORY], pa.bool_()),
                "region_target": (1 << draw.integers(0, 26, count), pa.int32()),
                "region_valid": (of_head[Head.REGION], pa.bool_()),
                "node_valid": (np.ones(count, dtype=bool), pa.bool_()),
                "num_boxes": (np.ones(count), pa.int32()),
            }
        ),
        answer_boxes=_table({"question_row": ([], pa.int64())}),
        region_boxes=_table(
            {
                "study_row": (boxes, pa.int32()),
                "image_row": (boxes, pa.int32()),
                "node": (np.tile(np.arange(26), studies), pa.int8()),
                "is_fallback": (draw.random(len(boxes)) < 0.1, pa.bool_()),
                "localization_quality": (draw.integers(1, 5, len(boxes)), pa.int8()),
            }
        ),
        observations=_table(
            {
                "study_row": (observations, pa.int32()),
                "parent": (np.tile([-1, -1, -1, 0, 1], studies), pa.int32()),
                "finding_bits": (1 << draw.integers(0, 14, len(observations)), pa.int32()),
                "node_bits": (1 << draw.integers(0, 26, len(observations)), pa.int32()),
                "positiveness": (draw.integers(-1, 2, len(observations)), pa.int8()),
                "severity": (draw.integers(-1, 4, len(observations)), pa.int8()),
                "from_report": (draw.random(len(observations)) < 0.5, pa.bool_()),
            }
        ),
        texts=texts,
        workspace=folder,
        counts={"rejects": {}, "unmapped_regions": {}, "unmapped_entities": {}, "yes_no_disagreements": 0},
    )


@pytest.fixture(scope="session")
def draw_index() -> Callable[..., TableIndex]:
    """Makes a random index below a given folder."""
    return random_index


@pytest.fixture
def make_index(tmp_path: Path) -> Callable[..., TableIndex]:
    """Makes a random index below a folder of this test's own."""
    return lambda **sizes: random_index(tmp_path / "workspace", **sizes)
