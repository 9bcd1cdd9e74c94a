import csv
import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, UnidentifiedImageError

from cxrkit.data.synthetic import DEFECTS, write_dataset
from cxrkit.data.synthetic.defects import plant_defect
from cxrkit.errors import CxrkitError

METADATA, SPLIT, CHEXPERT = (
    f"mimic-cxr-jpg/mimic-cxr-2.0.0-{name}.csv.gz" for name in ("metadata", "split", "chexpert")
)
QA, SCENES = "mimic-ext-cxr-qba/qa.zip", "mimic-ext-cxr-qba/scene_data.zip"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("sound") / "set"
    write_dataset(output, patients=8, seed=2, image_size=64)
    return output


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def table(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(gzip.decompress(data).decode())))


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class Change:
    """The files that differ between a sound set and one with a defect."""

    def __init__(self, before: dict[str, bytes], after: dict[str, bytes]) -> None:
        self.before, self.after = before, after
        names = sorted(before.keys() | after.keys())
        self.names = [name for name in names if before.get(name) != after.get(name)]

    def only(self, name: str) -> tuple[bytes, bytes | None]:
        assert self.names == [name]
        return self.before[name], self.after.get(name)

    def film(self) -> tuple[bytes, bytes | None]:
        (name,) = self.names
        assert name.endswith(".jpg")
        return self.only(name)

    def rows(self, name: str) -> tuple[list[list[str]], list[list[str]]]:
        before, after = self.only(name)
        assert after is not None
        return table(before), table(after)

    def cell(self, name: str) -> tuple[str, str, str]:
        before, after = self.rows(name)
        changes = [
            (before[0][column], old[column], new[column])
            for old, new in zip(before, after, strict=True)
            for column in range(len(old))
            if old[column] != new[column]
        ]
        assert len(changes) == 1
        return changes[0]

    def member(self) -> tuple[bytes, bytes]:
        before, after = self.only(QA)
        assert after is not None
        old, new = members(before), members(after)
        assert list(old) == list(new)
        ((first, second),) = ((old[name], new[name]) for name in old if old[name] != new[name])
        return first, second

    def question(self) -> tuple[dict, dict]:
        first, second = (json.loads(data)["questions"] for data in self.member())
        ((old, new),) = ((old, new) for old, new in zip(first, second, strict=True) if old != new)
        return old, new


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def missing_image(change: Change) -> None:
    assert change.film()[1] is None


def missing_all_images_of_a_study(change: Change) -> None:
    (folder,) = {name.rpartition("/")[0] for name in change.names}
    assert all(name not in change.after for name in change.names)
    assert not any(name.startswith(folder) for name in change.after)


def truncated_jpeg(change: Change) -> None:
    with pytest.raises(OSError, match="truncated"):
        opened(change.film()[1])


def not_an_image(change: Change) -> None:
    with pytest.raises(UnidentifiedImageError):
        opened(change.film()[1])


def wrong_image_size(change: Change) -> None:
    before, after = map(opened, change.film())
    assert after.size == (before.width // 2, before.height // 2)
    assert after.mode == "L"


def nan_view(change: Change) -> None:
    name, old, new = change.cell(METADATA)
    assert (name, new) == ("ViewPosition", "")
    assert old in ("AP", "PA")


def patient_in_two_splits(change: Change) -> None:
    _, after = change.rows(SPLIT)
    splits: dict[str, set[str]] = {}
    for _, _, subject, split in after[1:]:
        splits.setdefault(subject, set()).add(split)
    assert [names for names in splits.values() if len(names) > 1] == [{"train", "test"}]


def unknown_split_name(change: Change) -> None:
    before, after = change.rows(SPLIT)
    renamed = {old[2] for old, new in zip(before, after, strict=True) if old != new}
    assert len(renamed) == 1
    assert {row[3] for row in after[1:] if row[2] in renamed} == {"holdout"}


def duplicate_metadata_rows(change: Change) -> None:
    before, after = change.rows(METADATA)
    assert len(after) == len(before) + 1
    assert {tuple(row) for row in after} == {tuple(row) for row in before}


def conflicting_duplicate_rows(change: Change) -> None:
    before, after = change.rows(METADATA)
    (extra,) = [row for row in after if row not in before]
    (twin,) = [row for row in before if row[0] == extra[0]]
    assert [n for n in range(len(twin)) if twin[n] != extra[n]] == [4, 5]


def missing_csv(change: Change) -> None:
    assert change.only(METADATA)[1] is None


def missing_split_csv(change: Change) -> None:
    assert change.only(SPLIT)[1] is None


def missing_chexpert_csv(change: Change) -> None:
    assert change.only(CHEXPERT)[1] is None


def missing_column(change: Change) -> None:
    before, after = change.rows(SPLIT)
    assert after == [row[:3] for row in before]


def empty_csv(change: Change) -> None:
    _, after = change.rows(METADATA)
    assert after == []


def non_numeric_id(change: Change) -> None:
    name, _, new = change.cell(METADATA)
    assert name == "subject_id"
    assert not new.isdigit()


def label_out_of_range(change: Change) -> None:
    _, old, new = change.cell(CHEXPERT)
    assert (old, new) == ("1.0", "2.0")


def malformed_json(change: Change) -> None:
    _, after = change.member()
    assert after
    with pytest.raises(json.JSONDecodeError):
        json.loads(after)


def empty_json_member(change: Change) -> None:
    assert change.member()[1] == b""


def changed_box(change: Change) -> tuple[list[float], list[float]]:
    old, new = change.question()
    assert old["answers"][1:] == new["answers"][1:]
    first, second = (answer["localization"] for answer in (old["answers"][0], new["answers"][0]))
    ((before, after),) = (
        (one, other)
        for image in first
        for one, other in zip(first[image]["bboxes"], second[image]["bboxes"], strict=True)
        if one != other
    )
    return before, after


def box_outside_image(change: Change) -> None:
    before, after = changed_box(change)
    assert after[2] > 5000
    assert [*after[:2], after[3]] == [*before[:2], before[3]]


def unordered_box(change: Change) -> None:
    before, after = changed_box(change)
    assert after == [before[2], before[1], before[0], before[3]]
    assert after[0] > after[2]


def unknown_question_type(change: Change) -> None:
    _, new = change.question()
    assert new["question_type"] == "D99_has_smell"


def unknown_region(change: Change) -> None:
    old, new = change.question()
    assert old["question_type"] == "D03_where_is_finding"
    assert old["answers"][0]["positiveness"] == "pos"
    assert all(answer["regions"] == ["unlisted region"] for answer in new["answers"])


def unknown_entity(change: Change) -> None:
    old, new = change.question()
    assert old["answers"][0]["positiveness"] == "pos"
    assert all(answer["obs_entities"] == ["unlisted finding"] for answer in new["answers"])


def unknown_rating(change: Change) -> None:
    assert change.question()[1]["question_quality"]["rating"] == "9_Z"


def question_without_answers(change: Change) -> None:
    assert change.question()[1]["answers"] == []


def duplicate_question_id(change: Change) -> None:
    change.question()
    names = [question["question_id"] for question in json.loads(change.member()[1])["questions"]]
    assert len(set(names)) == len(names) - 1


def study_not_in_metadata(change: Change) -> None:
    assert change.names == [QA, SCENES]
    known = {row[2] for row in table(change.after[METADATA])}
    for archive, count in ((QA, 1), (SCENES, 2)):
        old, new = members(change.before[archive]), members(change.after[archive])
        added = new.keys() - old.keys()
        assert len(added) == count
        assert {name: new[name] for name in old} == old
        for name in added:
            study = json.loads(new[name])["study_id"]
            assert study in name
            assert study[1:] not in known


def missing_qa_zip(change: Change) -> None:
    assert change.only(QA)[1] is None


def corrupt_zip(change: Change) -> None:
    _, after = change.only(QA)
    assert after
    with pytest.raises(zipfile.BadZipFile):
        members(after)


def missing_dataset_info(change: Change) -> None:
    assert change.only("mimic-ext-cxr-qba/metadata/dataset_info.json")[1] is None


def given_film(change: Change) -> tuple[bytes, bytes]:
    """Gives the train film and what now stands in the place of a test film, whose row has its size."""
    assert [name for name in change.names if not name.endswith(".jpg")] in ([METADATA], [])
    (path,) = [name for name in change.names if name.endswith(".jpg")]
    dicom_id = Path(path).stem
    splits = {row[0]: row[3] for row in table(change.after[SPLIT])}
    assert splits[dicom_id] == "test"
    header, *rows = table(change.after[METADATA])
    (row,) = [row for row in rows if row[0] == dicom_id]
    film = opened(change.after[path])
    sides = (row[header.index("Columns")], row[header.index("Rows")])
    assert sides == (str(film.width), str(film.height))
    train = {
        name: data for name, data in change.before.items() if splits.get(Path(name).stem) == "train"
    }  # fmt: skip
    return min(train.values(), key=lambda data: _difference(data, change.after[path])), change.after[path]


def _difference(first: bytes, second: bytes) -> int:
    small = [opened(data).resize((16, 16)).tobytes() for data in (first, second)]
    return sum(abs(one - other) for one, other in zip(*small, strict=True))


def duplicate_film_across_splits(change: Change) -> None:
    source, given = given_film(change)
    assert given == source


def near_duplicate_film_across_splits(change: Change) -> None:
    source, given = given_film(change)
    assert given != source
    before, after = opened(source), opened(given)
    assert after.size == (round(before.width * 0.9), round(before.height * 0.9))
    assert _difference(source, given) < 16 * 16 * 10


def question_tells_answer(change: Change) -> None:
    before, after = change.only(QA)
    assert after is not None
    old, new = members(before), members(after)
    assert list(old) == list(new)
    told = set()
    for name in old:
        if not name.endswith(".qa.json"):
            assert old[name] == new[name]
            continue
        records = [json.loads(data) for data in (old[name], new[name])]
        for first, second in zip(*(record["questions"] for record in records), strict=True):
            if first["question_type"] == "D02_has_finding":
                is_positive = first["answers"][0]["positiveness"] == "pos"
                added = second["question"].removeprefix(first["question"].rstrip("?"))
                told.add((is_positive, added))
                second["question"] = first["question"]
            assert first == second
    assert told == {(True, " again?"), (False, " at all?")}


def labels_contradict_questions(change: Change) -> None:
    before, after = change.rows(CHEXPERT)
    place = before[0].index("Pleural Effusion")
    turned = {"1.0": "0.0", "0.0": "1.0"}
    expected = [[*row[:place], turned.get(row[place], row[place]), *row[place + 1 :]] for row in before]
    assert after == expected != before


CHECKS: dict[str, Callable[[Change], None]] = {
    check.__name__: check
    for check in (
        missing_image, missing_all_images_of_a_study, truncated_jpeg, not_an_image, wrong_image_size,
        nan_view, patient_in_two_splits, unknown_split_name, duplicate_metadata_rows,
        conflicting_duplicate_rows,
        missing_csv, missing_split_csv, missing_chexpert_csv, missing_column, empty_csv, non_numeric_id,
        label_out_of_range, malformed_json, empty_json_member, box_outside_image, unordered_box,
        unknown_question_type, unknown_region, unknown_entity, unknown_rating, question_without_answers,
        duplicate_question_id, study_not_in_metadata, missing_qa_zip, corrupt_zip, missing_dataset_info,
        duplicate_film_across_splits, near_duplicate_film_across_splits, question_tells_answer,
        labels_contradict_questions,
    )
}  # fmt: skip


def test_every_defect_is_checked_and_described() -> None:
    assert set(CHECKS) == set(DEFECTS)
    documentation = (Path(__file__).parents[2] / "docs" / "synthetic.md").read_text()
    for name, text in DEFECTS.items():
        assert f"| `{name}` | {text} |" in documentation


@pytest.mark.parametrize("name", CHECKS)
def test_defect_changes_one_thing_and_nothing_else(sound: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(sound, tmp_path / "set")
    plant_defect(name, tmp_path / "set" / "mimic-cxr-jpg", tmp_path / "set" / "mimic-ext-cxr-qba")
    CHECKS[name](Change(contents(sound), contents(tmp_path / "set")))


def test_write_dataset_plants_the_defect_and_says_so(sound: Path, tmp_path: Path) -> None:
    summary = write_dataset(tmp_path / "set", patients=8, seed=2, image_size=64, defect="missing_column")
    assert summary.defect == "missing_column"
    change = Change(contents(sound), contents(tmp_path / "set"))
    assert change.names == [SPLIT, "synthetic.json"]
    assert json.loads(change.after["synthetic.json"])["defect"] == "missing_column"


def test_unknown_defect_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(CxrkitError) as caught:
        write_dataset(tmp_path / "set", patients=1, seed=0, image_size=64, defect="rust")
    assert all(name in str(caught.value) for name in DEFECTS)
    assert not (tmp_path / "set").exists()


def test_a_set_too_small_for_a_defect_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CxrkitError, match="so small a set"):
        write_dataset(tmp_path / "set", patients=1, seed=3, image_size=64, defect="patient_in_two_splits")
