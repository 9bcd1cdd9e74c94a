"""Sex, age and race of the patients, from tables that the researcher gives.

The names are those of MIMIC-IV's `patients` (gender, anchor_age) and `admissions` (race), which are given
together or alone. Race is grouped by its first word, as in "BLACK/CAPE VERDEAN"; a patient with several
groups in several admissions is in the commonest of them, or in none when two are as common.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from cxrkit.errors import DataLayoutError
from cxrkit.inference.schema import METADATA_KEY

PATIENT_COLUMNS = ("sex", "age_group", "race")
_COLUMN_NAMES = {"sex": ("gender", "sex"), "age_group": ("anchor_age", "age"), "race": ("race", "ethnicity")}
NOT_STATED = "not stated"
_SEXES = {"F": "female", "FEMALE": "female", "M": "male", "MALE": "male"}
_EXAMPLES = {"sex": "F, M, female or male", "age_group": "years, such as 52", "race": "a word, such as WHITE"}
_AGE_STARTS = (0, 18, 40, 60, 80)
_RACES = {
    "ASIAN": "Asian",
    "BLACK": "Black",
    "HISPANIC": "Hispanic or Latino",
    "LATINO": "Hispanic or Latino",
    "WHITE": "White",
    "PORTUGUESE": "White",
}
# A gender of F would else be read as "false".
_TEXT = pacsv.ConvertOptions(true_values=[], false_values=[])
_UNKNOWN_RACES = ("UNKNOWN", "UNABLE TO OBTAIN", "PATIENT DECLINED TO ANSWER", "")


@dataclass(frozen=True)
class PatientTables:
    """What tables of patients tell.

    Attributes:
        told: by column of the prediction table, the value of each patient.
        sha256: of each file, by name.
    """

    told: Mapping[str, Mapping[int, str]]
    sha256: Mapping[str, str]


def read_patients(paths: Sequence[Path], subjects: Iterable[int]) -> PatientTables:
    """Reads sex, age group and race of the patients.

    Args:
        paths: CSV (also `.csv.gz`) or Parquet files with `subject_id` and one or more of gender or sex,
            anchor_age or age (years), race or ethnicity.
        subjects: the patients of the data; the tables must know one.

    Raises:
        DataLayoutError: a file cannot be read, lacks its columns, two tell the same, or none knows a patient.
    """
    told: dict[str, dict[int, str]] = {}
    for path in paths:
        for name, values in _read(path).items():
            if name in told:
                raise DataLayoutError(
                    f"two tables of patients tell {name}",
                    expected="each of sex, age and race in one table",
                    found=f"{name} a second time in {path}",
                    next_step="give only one of the tables",
                )
            told[name] = values
    known, wanted = set().union(*told.values()), set(subjects)
    if not known & wanted:
        raise DataLayoutError(
            "the tables of patients know none of the patients of the data",
            expected=f"subject_id such as {min(wanted, default=10000032)}",
            found=f"{len(known):,} other patients in {', '.join(map(str, paths))}",
            next_step="give tables of the same data set, as MIMIC-IV's patients.csv.gz and admissions.csv.gz",
        )
    return PatientTables(told, {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths})


def with_patients(table: pa.Table, patients: PatientTables) -> pa.Table:
    """Gives the prediction table with a text column for each of sex, age group and race that was told.

    Args:
        table: predictions of either task, with `subject_id`.
        patients: from `read_patients`.
    """
    subjects = table.column("subject_id").to_pylist()
    # What other tables told before must not stand beside what these tell.
    table = table.drop_columns([name for name in PATIENT_COLUMNS if name in table.column_names])
    for name in PATIENT_COLUMNS:
        if name not in patients.told:
            continue
        values = [patients.told[name].get(int(subject or 0), NOT_STATED) for subject in subjects]
        table = table.append_column(name, pa.array(values, pa.string()))
    metadata = json.loads((table.schema.metadata or {})[METADATA_KEY])
    metadata["patient_tables"] = dict(patients.sha256)
    metadata["patients_not_stated"] = _not_stated(table)
    return table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata, sort_keys=True).encode()})


def _not_stated(table: pa.Table) -> dict[str, int]:
    """Counts the patients without a value, by column: absent from the tables, blank, or not understood."""
    told = [name for name in PATIENT_COLUMNS if name in table.column_names]
    different = table.select(["subject_id", *told]).group_by(["subject_id", *told]).aggregate([])
    return {name: different.column(name).to_pylist().count(NOT_STATED) for name in told}


def _read(path: Path) -> dict[str, dict[int, str]]:
    """Reads what one file tells: by column of the prediction table, the value of each patient."""
    table = _read_table(path)
    columns = {
        name: column
        for name, names in _COLUMN_NAMES.items()
        if (column := next((each for each in names if each in table.column_names), None))
    }
    if "subject_id" not in table.column_names or not columns:
        raise DataLayoutError(
            f"{path} is no table of patients",
            expected="subject_id, and one or more of gender, anchor_age, race",
            found=", ".join(table.column_names),
        )
    try:
        told = {name: _texts(table, column) for name, column in columns.items()}
        subjects = [int(value or 0) for value in table.column("subject_id").cast(pa.int64()).to_pylist()]
    except (pa.ArrowException, ValueError) as error:
        raise DataLayoutError(
            f"{path}: subject_id holds something else than numbers, or a column something else than text",
            found=str(error),
        ) from error
    read = {"sex": _sex, "age_group": _age_group, "race": _race}
    values = {name: [read[name](text) for text in texts] for name, texts in told.items()}
    for name, found in values.items():
        if found and not set(found) - {NOT_STATED}:
            raise DataLayoutError(
                f"{path}: no value of {columns[name]} is understood",
                expected=_EXAMPLES[name],
                found=", ".join(sorted(set(told[name]))[:5]),
            )
    return {name: _one_per_patient(subjects, found) for name, found in values.items()}


def _texts(table: pa.Table, name: str) -> list[str]:
    return [
        "" if value is None else str(value).strip()
        for value in table.column(name).cast(pa.string()).to_pylist()
    ]


def _read_table(path: Path) -> pa.Table:
    try:
        table = (
            pq.read_table(path) if path.suffix == ".parquet" else pacsv.read_csv(path, convert_options=_TEXT)
        )
    except (OSError, pa.ArrowException) as error:
        raise DataLayoutError(
            f"the table of patients {path} cannot be read",
            expected="a CSV file with a header (also .csv.gz), or Parquet",
            found=str(error).splitlines()[0],
        ) from error
    names = [name.strip().lower() for name in table.column_names]
    if len(set(names)) < len(names):
        raise DataLayoutError(
            f"{path} has columns of one name", expected="each name once", found=", ".join(table.column_names)
        )
    table = table.rename_columns(names)
    if "subject_id" in names:
        table = table.filter(pc.is_valid(table.column("subject_id")))
    return table


def _one_per_patient(subjects: Sequence[int], values: Sequence[str]) -> dict[int, str]:
    """Gives each patient the commonest stated value, none when two are as common."""
    counts: Mapping[int, Counter[str]] = defaultdict(Counter)
    for subject, value in zip(subjects, values, strict=True):
        counts[subject][value] += 1
    return {subject: _commonest(found) for subject, found in counts.items()}


def _commonest(found: Counter[str]) -> str:
    stated = [(count, value) for value, count in found.items() if value != NOT_STATED]
    most = max((count for count, _ in stated), default=0)
    first = [value for count, value in stated if count == most]
    return first[0] if len(first) == 1 else NOT_STATED


def _sex(text: str) -> str:
    return _SEXES.get(text.upper(), NOT_STATED)


def _age_group(text: str) -> str:
    """Gives the group of an age in years, both ends included.

    >>> _age_group("59"), _age_group("80"), _age_group("91.5"), _age_group("?")
    ('40-59', '80 and over', '80 and over', 'not stated')
    """
    try:
        years = float(text)
    except ValueError:
        return NOT_STATED
    if not 0 <= years < 150:
        return NOT_STATED
    start = max(age for age in _AGE_STARTS if age <= years)
    place = _AGE_STARTS.index(start)
    if place == len(_AGE_STARTS) - 1:
        return f"{start} and over"
    return f"{start}-{_AGE_STARTS[place + 1] - 1}"


def _race(text: str) -> str:
    name = text.upper()
    if name in _UNKNOWN_RACES:
        return NOT_STATED
    return next((group for start, group in _RACES.items() if name.startswith(start)), "other")
