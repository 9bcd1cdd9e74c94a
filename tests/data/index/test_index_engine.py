"""The parts of the index's engine, each against a plain way of doing the same."""

import numpy as np
import pyarrow as pa
import pytest

from cxrkit.data.index.chunk_columns import columns_of_rows
from cxrkit.data.index.chunk_file import ChunkError, ChunkSummary, open_chunk, write_chunk
from cxrkit.data.index.column_file import ColumnFile
from cxrkit.data.index.counts import IndexCounts
from cxrkit.data.index.schemas import TABLES, table_schema
from cxrkit.data.index.text_join import TextNumbers
from cxrkit.data.index.texts import TextTable
from cxrkit.data.rejects import Reject

FIXED = {"questions": {"study_row": 7, "first_box": 2**40, "rating": 6, "category_valid": 1}}


def read(path):
    table = pa.ipc.open_file(pa.memory_map(str(path), "r")).read_all()
    table.validate(full=True)
    return table


def random_columns(table, rows, seed):
    draw = np.random.default_rng(seed)
    lists = {"entities", "regions"}
    texts = {"obs_id": ["O01", "O02.01", "", "é"], "text": ["", "No.", "Ein längerer Text", "x" * 300]}
    content = []
    for field in table_schema(table):
        if field.name in texts:
            content.append([texts[field.name][n] for n in draw.integers(0, 4, rows)])
        elif field.name in lists:
            content.append([draw.integers(0, 300, n).tolist() for n in draw.integers(0, 4, rows)])
        elif pa.types.is_floating(field.type):
            content.append(draw.uniform(0, 3000, rows).astype(np.float32).tolist())
        else:
            content.append(draw.integers(0, 2, rows).tolist())
    return list(zip(*content, strict=True))


@pytest.mark.parametrize("table", [name for name in TABLES if name not in ("images", "studies")])
@pytest.mark.parametrize("parts", [[0], [1], [5, 0, 3], [20_000, 1, 40_000]])
def test_column_files_are_what_arrow_itself_would_write(tmp_path, table, parts):
    rows = [random_columns(table, count, seed) for seed, count in enumerate(parts)]
    flat = [row for part in rows for row in part]
    columns = [columns_of_rows(table, part) for part in rows]
    sizes = {
        name: sum(len(part[name].values) for part in columns)
        for name, column in columns[0].items()
        if isinstance(column, tuple)
    }
    with ColumnFile(tmp_path, table, len(flat), sizes) as file:
        for part in columns:
            for name, column in part.items():
                if isinstance(column, tuple):
                    file.append_ragged(name, column.lengths, column.values)
                else:
                    file.append(name, column)
    schema = table_schema(table)
    expected = pa.table(
        [pa.array([row[place] for row in flat], field.type) for place, field in enumerate(schema)],
        schema=schema,
    )
    found = read(tmp_path / f"{table}.arrow")
    assert found.schema.equals(schema, check_metadata=True)
    assert found.equals(expected)
    assert all(column.num_chunks <= 1 for column in found.columns)


@pytest.mark.parametrize("at_once", [1, 7, 10_000])
@pytest.mark.parametrize("sizes", [[], [0], [40], [30, 0, 30, 30]])
def test_texts_of_chunks_are_numbered_as_one_reader_would(monkeypatch, sizes, at_once):
    monkeypatch.setattr("cxrkit.data.index.text_join._TEXTS_AT_ONCE", at_once)
    draw = np.random.default_rng(1)
    chunks = [[f"text {n}" for n in draw.integers(0, 25, size)] for size in sizes]
    tables = []
    for chunk in chunks:
        tables.append(TextTable())
        for text in chunk:
            tables[-1].row(text)
    numbers = TextNumbers([table.columns()[1] for table in tables])
    plain: dict[str, int] = {}
    for chunk in chunks:
        for text in chunk:
            plain.setdefault(text, len(plain))
    assert numbers.total == len(plain)
    stored = []
    for place, chunk in enumerate(chunks):
        distinct = list(dict.fromkeys(chunk))
        assert numbers.of_chunk(place).tolist() == [plain[text] for text in distinct]
        new = numbers.new_in_chunk(place)
        stored += [text for text, is_new in zip(distinct, new, strict=True) if is_new]
    assert stored == list(plain)


def make_chunk(path):
    counts = IndexCounts(dropped_boxes=3)
    counts.question_types[4, 1] += 9
    counts.unmapped_entities["hernia"] += 2
    summary = ChunkSummary(
        rows={"texts": 2},
        studies=[(3, 1, 0, True, False)],
        appended={"regions": ["heart"]},
        counts=counts.pack(),
        rejects=[Reject("no_answers", "question", 10000001, 50000001, question_id="D02", where="a")],
    )
    texts = columns_of_rows("texts", [("one",), ("zwei",)])
    write_chunk(path, summary, {"texts": texts}, digests=np.arange(4, dtype=np.uint64).reshape(2, 2))
    return counts, summary


def test_a_chunk_comes_back_as_it_was(tmp_path):
    counts, summary = make_chunk(tmp_path / "chunk-000001")
    chunk = open_chunk(tmp_path / "chunk-000001")
    assert chunk.summary.rejects == summary.rejects
    assert (chunk.summary.rows, chunk.summary.studies) == (summary.rows, summary.studies)
    assert chunk.summary.appended == summary.appended
    assert IndexCounts.unpack(chunk.summary.counts) == counts
    assert chunk.array("digests").tolist() == [[0, 1], [2, 3]]
    lengths, values = chunk.column("texts", "text")
    assert (lengths.tolist(), values.tobytes()) == ([3, 4], b"onezwei")
    assert [path.name for path in tmp_path.iterdir()] == ["chunk-000001"]


def test_no_damage_of_a_chunk_goes_unseen(tmp_path):
    make_chunk(tmp_path / "chunk")
    data = (tmp_path / "chunk").read_bytes()
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0x10
        (tmp_path / "chunk").write_bytes(damaged)
        with pytest.raises(ChunkError):
            open_chunk(tmp_path / "chunk")
    (tmp_path / "chunk").write_bytes(data[:-1])
    with pytest.raises(ChunkError):
        open_chunk(tmp_path / "chunk")


def test_counts_add_up():
    first, second = IndexCounts(yes_no_disagreements=1), IndexCounts(yes_no_disagreements=2)
    first.ratings[4] += 1
    second.ratings.update({4: 2, 6: 5})
    first.add(second)
    assert first.yes_no_disagreements == 3
    assert first.ratings == {4: 3, 6: 5}
