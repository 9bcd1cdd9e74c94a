"""Defects of the MIMIC-CXR-JPG tables."""

from cxrkit.data.synthetic.csv_files import write_gzip
from cxrkit.data.synthetic.defect_target import (
    CsvRow,
    SetRoots,
    column,
    frontal_film,
    read_rows,
    too_small,
    train_studies,
    write_rows,
)
from cxrkit.data.synthetic.mimic_rows import CHEXPERT_FILE, METADATA_FILE, SPLIT_FILE


def blank_view(roots: SetRoots) -> None:
    """Blanks ViewPosition of one AP or PA film."""
    _change_metadata_cell(roots, "ViewPosition", "")


def spoil_subject_id(roots: SetRoots) -> None:
    """Puts a word in the place of one subject_id."""
    _change_metadata_cell(roots, "subject_id", "unknown")


def _change_metadata_cell(roots: SetRoots, name: str, value: str) -> None:
    path = roots.mimic / METADATA_FILE
    rows = read_rows(path)
    rows[frontal_film(roots).row][column(METADATA_FILE, name)] = value
    write_rows(path, rows)


def repeat_row(roots: SetRoots) -> None:
    """Repeats one metadata row."""
    rows, number = read_rows(roots.mimic / METADATA_FILE), frontal_film(roots).row
    _insert(roots, rows, number, list(rows[number]))


def repeat_row_differently(roots: SetRoots) -> None:
    """Repeats one metadata row with another view and other Rows."""
    rows, number = read_rows(roots.mimic / METADATA_FILE), frontal_film(roots).row
    other = list(rows[number])
    view, height = column(METADATA_FILE, "ViewPosition"), column(METADATA_FILE, "Rows")
    other[view] = "PA" if other[view] == "AP" else "AP"
    other[height] = str(int(other[height]) + 16)
    _insert(roots, rows, number, other)


def _insert(roots: SetRoots, rows: list[CsvRow], number: int, row: CsvRow) -> None:
    rows.insert(number + 1, row)
    write_rows(roots.mimic / METADATA_FILE, rows)


def move_study_to_test(roots: SetRoots) -> None:
    """Moves one study of a train patient with several studies into the test split."""
    studies = train_studies(roots)
    subjects = [films[0].subject_id for films in studies]
    for films in studies:
        if subjects.count(films[0].subject_id) > 1:
            _rename_splits(roots, "study_id", str(films[0].study_id), "test")
            return
    raise too_small("a train patient with two studies")


def rename_split(roots: SetRoots) -> None:
    """Gives all films of one train patient the split name holdout."""
    _rename_splits(roots, "subject_id", str(frontal_film(roots).subject_id), "holdout")


def _rename_splits(roots: SetRoots, key: str, value: str, split: str) -> None:
    path = roots.mimic / SPLIT_FILE
    rows = read_rows(path)
    for row in rows[1:]:
        if row[column(SPLIT_FILE, key)] == value:
            row[column(SPLIT_FILE, "split")] = split
    write_rows(path, rows)


def remove_metadata(roots: SetRoots) -> None:
    """Removes the metadata file."""
    (roots.mimic / METADATA_FILE).unlink()


def remove_split(roots: SetRoots) -> None:
    """Removes the split file."""
    (roots.mimic / SPLIT_FILE).unlink()


def remove_chexpert(roots: SetRoots) -> None:
    """Removes the CheXpert file."""
    (roots.mimic / CHEXPERT_FILE).unlink()


def remove_split_column(roots: SetRoots) -> None:
    """Removes the column split from the split file."""
    path, number = roots.mimic / SPLIT_FILE, column(SPLIT_FILE, "split")
    write_rows(path, [[*row[:number], *row[number + 1 :]] for row in read_rows(path)])


def empty_metadata(roots: SetRoots) -> None:
    """Leaves nothing in the metadata file, not even a header."""
    write_gzip(roots.mimic / METADATA_FILE, b"")


def spoil_label(roots: SetRoots) -> None:
    """Writes the label 2.0 in the place of the first 1.0."""
    path = roots.mimic / CHEXPERT_FILE
    rows = read_rows(path)
    for row in rows[1:]:
        if "1.0" in row:
            row[row.index("1.0")] = "2.0"
            write_rows(path, rows)
            return
    raise too_small("a study with a positive label")


def turn_labels_round(roots: SetRoots) -> None:
    """Makes every positive CheXpert label of one finding negative, and every negative one positive."""
    path = roots.mimic / CHEXPERT_FILE
    rows = read_rows(path)
    place = column(CHEXPERT_FILE, "Pleural Effusion")
    turned = {"1.0": "0.0", "0.0": "1.0"}
    for row in rows[1:]:
        row[place] = turned.get(row[place], row[place])
    write_rows(path, rows)
