"""Reader of MIMIC-CXR-JPG: names, joins, duplicates and labels."""

import gzip

import numpy as np
import polars as pl
import pytest
from handmade_release import MIMIC_CSV, STUDIES, dicom_id, make_release

from cxrkit.data.mimic_cxr.csv_columns import read_text_columns
from cxrkit.data.mimic_cxr.films import read_films
from cxrkit.data.mimic_cxr.labels import read_labels
from cxrkit.data.mimic_cxr.layout import CHEXPERT, METADATA, NEGBIO, TEST_LABELS, find_mimic_cxr
from cxrkit.data.rejects import RejectLog
from cxrkit.errors import DataLayoutError
from cxrkit.vocabulary import FINDING_INDEX


def films_of(release, folder):
    rejects = RejectLog()
    table = read_films(find_mimic_cxr(release.write_mimic(folder)), rejects)
    return table, rejects.counts()


def labels_of(release, folder, part=CHEXPERT):
    rejects = RejectLog()
    layout = find_mimic_cxr(release.write_mimic(folder))
    table = read_films(layout, rejects)
    studies = np.array([study for _, study in STUDIES], dtype=np.int32)
    labels = read_labels(layout.tables.get(part), studies, table.subject_of_study, rejects)
    return labels.values, rejects


def test_films_are_sorted_by_number_not_by_text(tmp_path):
    release = make_release()
    for part in (release.metadata, release.split, release.chexpert, release.negbio):
        for row in part:
            if row["study_id"] == str(STUDIES[0][1]):
                row["study_id"] = "9000001"
    table, counts = films_of(release, tmp_path)
    assert table.films["study_id"].to_list()[0] == 9000001
    assert counts == {}


def test_gzipped_table_is_read_when_both_exist(tmp_path):
    root = make_release().write_mimic(tmp_path)
    (root / METADATA).write_text("nonsense\n")
    assert find_mimic_cxr(root).tables[METADATA].name == METADATA + ".gz"


def test_optional_tables_may_be_absent(tmp_path):
    release = make_release()
    release.negbio, release.test_labels = [], []
    assert len(find_mimic_cxr(release.write_mimic(tmp_path)).tables) == 3


@pytest.mark.parametrize(
    ("position", "code"),
    [
        ("PA", 0),
        ("AP", 0),
        ("LATERAL", 1),
        ("LL", 1),
        ("", 3),
        ("NaN", 3),
        ("LAO", 2),
        ("AP AXIAL", 2),
        ("PA LLD", 2),
    ],
)
def test_views(tmp_path, position, code):
    release = make_release()
    release.metadata[0]["ViewPosition"] = position
    assert films_of(release, tmp_path)[0].films["view"][0] == code


def test_identical_rows_leave_one(tmp_path):
    release = make_release()
    release.metadata.append(dict(release.metadata[0]))
    release.split += [dict(release.split[1]), dict(release.split[1])]
    table, counts = films_of(release, tmp_path)
    assert table.films.height == 6
    assert counts == {"duplicate_row": 3}


def test_contradicting_rows_leave_none(tmp_path):
    release = make_release()
    release.metadata.append(release.metadata[0] | {"Rows": "91"})
    table, counts = films_of(release, tmp_path)
    assert dicom_id(1) not in table.films["dicom_id"].to_list()
    # The split table's row of the same film finds no partner.
    assert counts == {"conflicting_row": 2, "not_in_metadata": 1}


def test_a_study_of_two_patients_is_dropped(tmp_path):
    release = make_release()
    release.metadata[2]["study_id"] = release.metadata[0]["study_id"]
    _, counts = films_of(release, tmp_path)
    assert counts["conflicting_row"] == 2


def test_films_must_be_in_both_tables(tmp_path):
    release = make_release()
    del release.split[0]
    del release.metadata[3]
    table, counts = films_of(release, tmp_path)
    assert counts == {"not_in_metadata": 1, "not_in_split": 1}
    assert table.films.height == 4
    assert STUDIES[0][1] in table.subject_of_study


def test_split_table_with_another_study_of_the_film(tmp_path):
    release = make_release()
    release.split[0]["study_id"] = "59999999"
    assert films_of(release, tmp_path)[1] == {"conflicting_row": 1}


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("subject_id", "p10000001", "invalid_id"),
        ("study_id", "", "invalid_id"),
        ("study_id", "5.0e7", "invalid_id"),
        ("dicom_id", "../../secret", "invalid_id"),
        ("Rows", "0", "invalid_size"),
        ("Columns", "tall", "invalid_size"),
        ("Rows", "", "invalid_size"),
    ],
)
def test_unusable_rows_are_rejected(tmp_path, column, value, code):
    release = make_release()
    release.metadata[0][column] = value
    table, counts = films_of(release, tmp_path)
    assert counts[code] == 1
    assert table.films.height == 5


def test_all_splits_at_once(tmp_path):
    table, _ = films_of(make_release(), tmp_path)
    assert table.films["split"].to_list() == [0, 0, 0, 0, 1, 2]


def test_whole_numbers_as_pandas_saves_them(tmp_path):
    plain, _ = films_of(make_release(), tmp_path / "plain")
    release = make_release()
    for row in (*release.metadata, *release.split, *release.chexpert):
        row |= {
            name: f"{row[name]}.0" for name in ("subject_id", "study_id", "Rows", "Columns") if name in row
        }
    for row in release.chexpert:
        row |= {name: "nan" for name, value in row.items() if value == ""}
    saved, counts = films_of(release, tmp_path / "saved")
    assert saved.films.equals(plain.films)
    assert counts == {}
    labels, rejects = labels_of(release, tmp_path / "labels")
    assert rejects.counts() == {}
    assert np.array_equal(labels, labels_of(make_release(), tmp_path / "again")[0], equal_nan=True)


@pytest.mark.parametrize("part", ["metadata", "split", "chexpert"])
def test_a_required_table_without_a_usable_row(tmp_path, part):
    release = make_release()
    for row in getattr(release, part):
        row["subject_id"] = f"p{row['subject_id']}"
    with pytest.raises(DataLayoutError, match=f"no row of the table .*{part}.csv.gz can be used") as caught:
        labels_of(release, tmp_path)
    count = len(getattr(release, part))
    assert f"{count} rejected (invalid_id {count}); the first: invalid_id at" in caught.value.found
    assert "row 1" in caught.value.found
    assert caught.value.next_step


def test_labels_of_other_studies_only(tmp_path):
    release = make_release()
    for number, row in enumerate(release.chexpert):
        row["study_id"] = f"5999000{number}"
    with pytest.raises(DataLayoutError, match="chexpert") as caught:
        labels_of(release, tmp_path)
    assert "study_not_in_metadata 4" in caught.value.found


@pytest.mark.parametrize("part", [NEGBIO, TEST_LABELS])
def test_an_optional_table_may_have_a_header_only(tmp_path, part):
    release = make_release()
    root = release.write_mimic(tmp_path)
    name = part + ".gz" if part == NEGBIO else part
    header = ",".join(["study_id", *FINDING_INDEX]) + "\n"
    (root / name).write_bytes(gzip.compress(header.encode()) if part == NEGBIO else header.encode())
    rejects = RejectLog()
    layout = find_mimic_cxr(root)
    labels = read_labels(layout.tables[part], np.array([50000001], dtype=np.int32), {}, rejects)
    assert np.isnan(labels.values).all()
    assert not labels.present.any()
    assert rejects.counts() == {}


def test_the_chexpert_table_may_not_have_a_header_only(tmp_path):
    release = make_release()
    root = release.write_mimic(tmp_path)
    header = ",".join(["subject_id", "study_id", *FINDING_INDEX]) + "\n"
    (root / (CHEXPERT + ".gz")).write_bytes(gzip.compress(header.encode()))
    with pytest.raises(DataLayoutError, match=r"chexpert\.csv\.gz is empty"):
        read_labels(find_mimic_cxr(root).tables[CHEXPERT], np.array([50000001]), {}, RejectLog())


@pytest.mark.parametrize("count", [1, 2])
def test_patients_in_two_splits_are_counted(tmp_path, count):
    release = make_release()
    release.split[0]["split"] = "validate"
    if count == 2:
        release.split.append(release.split[3] | {"dicom_id": dicom_id(50), "split": "train"})
    with pytest.raises(DataLayoutError, match=f"^{count} patient") as caught:
        films_of(release, tmp_path)
    assert "p10000001 in train and validate" in caught.value.found


def test_tables_of_different_releases_have_no_common_film(tmp_path):
    release = make_release()
    for row in release.split:
        row["dicom_id"] = row["dicom_id"][::-1].replace("0", "a")
    with pytest.raises(DataLayoutError, match="no film is left") as caught:
        films_of(release, tmp_path)
    assert "12 rejected (not_in_metadata 6, not_in_split 6); the first: not_in_metadata" in caught.value.found


def test_labels_by_name(tmp_path):
    labels, rejects = labels_of(make_release(), tmp_path)
    assert labels[0, FINDING_INDEX["Pleural Effusion"]] == 1
    assert labels[0, FINDING_INDEX["Edema"]] == -1
    assert labels[0, FINDING_INDEX["Pneumonia"]] == 0
    assert np.isnan(labels[0]).sum() == 11
    assert rejects.counts() == {}


def test_label_rows_that_cannot_be_used(tmp_path):
    release = make_release()
    rows = release.chexpert
    rows[0]["Edema"] = "2.0"
    rows[1]["subject_id"] = "10000009"
    rows[2]["study_id"] = "s1"
    rows += [dict(rows[3]), rows[3] | {"study_id": "59999999"}]
    labels, rejects = labels_of(release, tmp_path)
    assert rejects.counts() == {
        "duplicate_row": 1,
        "invalid_id": 1,
        "invalid_label": 1,
        "study_not_in_metadata": 2,
    }
    assert np.isnan(labels[:3]).all()
    assert not np.isnan(labels[3]).all()
    assert all(row.kind == "row" and row.where.startswith(f"{CHEXPERT}:row ") for row in rejects.rows)


def test_contradicting_label_rows_leave_none(tmp_path):
    release = make_release()
    release.chexpert.append(release.chexpert[0] | {"Edema": "1.0"})
    labels, rejects = labels_of(release, tmp_path)
    assert rejects.counts() == {"conflicting_row": 2}
    assert np.isnan(labels[0]).all()


@pytest.mark.parametrize("data", [b"", b"dicom_id,ViewPosition\n", b"\n\n"])
def test_empty_table(tmp_path, data):
    (tmp_path / "table.csv").write_bytes(data)
    with pytest.raises(DataLayoutError, match="table"):
        read_text_columns(tmp_path / "table.csv", ["dicom_id"])


def test_cut_off_gzip_and_wrong_encoding(tmp_path):
    lines = b"dicom_id,x\n" + b"".join(b"%d,abc\n" % number for number in range(5000))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(lines)[:4000])
    (tmp_path / "latin.csv").write_bytes(b"dicom_id,x\na,\xe9\xff\n")
    for name in ("cut.csv.gz", "latin.csv"):
        with pytest.raises(DataLayoutError, match=name) as caught:
            read_text_columns(tmp_path / name, ["dicom_id", "x"])
        assert "SHA256SUMS" in caught.value.next_step


def test_text_columns_agree_with_the_csv_module(tmp_path):
    import csv

    path = tmp_path / "table.csv"
    path.write_text('\ufeffb,a,"c"\r\n1, 2 ,"x, y"\r\n\r\n,"q""uote",\r\n', encoding="utf-8")
    with path.open(newline="", encoding="utf-8-sig") as stream:
        expected = [
            [row[name].strip() for name in ("a", "b", "c")]
            for row in csv.DictReader(stream)
            if any(row.values())
        ]
    frame = read_text_columns(path, ["a", "b", "c"])
    assert [list(row) for row in frame.select("a", "b", "c").iter_rows()] == expected
    assert frame.schema["a"] == pl.String


def test_every_csv_name_is_the_released_one():
    assert set(MIMIC_CSV.values()) >= {METADATA, CHEXPERT}
