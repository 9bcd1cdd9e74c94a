"""Tables of patients: what is read, how admissions become one value, and what is refused."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxrkit.errors import DataLayoutError
from cxrkit.evaluation.strata import read_patients


def _write(path, *lines):
    text = "\n".join(lines) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def test_tables_of_mimic_iv_are_read(tmp_path):
    patients = _write(
        tmp_path / "patients.csv.gz",
        "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod",
        "1,F,52,2180,2014 - 2016,",
        "2,M,18,2150,2014 - 2016,2151-01-01",
        "3,,91,2150,2014 - 2016,",
    )
    admissions = _write(
        tmp_path / "admissions.csv",
        "subject_id,hadm_id,race",
        "1,10,UNKNOWN",
        "1,11,BLACK/CAPE VERDEAN",
        "2,12,WHITE",
        "2,13,ASIAN - CHINESE",
        "3,14,HISPANIC/LATINO - CUBAN",
        "3,15,WHITE",
        "3,16,HISPANIC OR LATINO",
        "4,17,AMERICAN INDIAN/ALASKA NATIVE",
    )
    told = read_patients([patients, admissions], [1, 2, 3]).told
    assert told["sex"] == {1: "female", 2: "male", 3: "not stated"}
    assert told["age_group"] == {1: "40-59", 2: "18-39", 3: "80 and over"}
    # What is unknown gives way; two as common decide nothing.
    assert told["race"] == {1: "Black", 2: "not stated", 3: "Hispanic or Latino", 4: "other"}


def test_a_column_of_f_alone_is_no_flag(tmp_path):
    table = _write(tmp_path / "p.csv", "subject_id,gender", "1,F", "2,F")
    assert read_patients([table], [1]).told["sex"] == {1: "female", 2: "female"}


def test_parquet_is_read(tmp_path):
    pq.write_table(pa.table({"subject_id": [7], "sex": ["male"], "age": [64.5]}), tmp_path / "p.parquet")
    told = read_patients([tmp_path / "p.parquet"], [7]).told
    assert told == {"sex": {7: "male"}, "age_group": {7: "60-79"}}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["subject_id,weight", "1,80"], "subject_id, and one or more of gender"),
        (["patient,gender", "1,F"], "patient, gender"),
        (["subject_id,gender", "p10,F"], "something else than numbers"),
        (["subject_id,gender", "99,F"], "none of the patients"),
        (["subject_id,gender", '"'], "cannot be read"),
    ],
)
def test_unusable_tables_are_refused(tmp_path, lines, expected):
    table = _write(tmp_path / "p.csv", *lines)
    with pytest.raises(DataLayoutError) as caught:
        read_patients([table], [1, 2])
    assert expected in str(caught.value)


def test_missing_files_and_doubles_are_refused(tmp_path):
    with pytest.raises(DataLayoutError, match="cannot be read"):
        read_patients([tmp_path / "none.csv"], [1])
    first = _write(tmp_path / "a.csv", "subject_id,gender", "1,F")
    second = _write(tmp_path / "b.csv", "subject_id,sex", "1,M")
    with pytest.raises(DataLayoutError, match="two tables of patients tell sex"):
        read_patients([first, second], [1])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"subject_id,gender,Gender\n1,F,M\n", "columns of one name"),
        ("subject_id,race\n1,CAP VERD\u00c9\n".encode("latin-1"), "cannot be read|something else than text"),
        (b"subject_id,gender\n1,0\n2,1\n", "no value of gender is understood"),
        (b"subject_id,anchor_age\n1,> 89\n", "no value of anchor_age is understood"),
    ],
)
def test_odd_content_is_told(tmp_path, content, expected):
    (tmp_path / "p.csv").write_bytes(content)
    with pytest.raises(DataLayoutError, match=expected):
        read_patients([tmp_path / "p.csv"], [1, 2])


def test_a_row_without_subject_is_nobody(tmp_path):
    table = _write(tmp_path / "p.csv", "SUBJECT_ID,gender", "1,F", ",M")
    assert read_patients([table], [1]).told["sex"] == {1: "female"}
