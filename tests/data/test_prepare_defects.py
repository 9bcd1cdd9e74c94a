"""Every defect that `cxrkit synth --defect` plants gives a clear error or a counted reject."""

import shutil

import pytest

from cxrkit.data.index import Index
from cxrkit.data.prepare import prepare_workspace
from cxrkit.data.synthetic import DEFECTS, write_dataset
from cxrkit.data.synthetic.defects import plant_defect
from cxrkit.errors import CxrkitError, DataLayoutError

SIZE = 32

ERRORS = {
    "corrupt_zip": "qa.zip",
    "empty_csv": "metadata.csv.gz is empty",
    "missing_chexpert_csv": "chexpert.csv",
    "missing_column": "split",
    "missing_csv": "metadata.csv",
    "missing_qa_zip": "qa.zip",
    "missing_split_csv": "split.csv",
    "patient_in_two_splits": "1 patient is in more than one split",
    "unknown_split_name": "holdout",
}
REJECTS = {
    "box_outside_image": {"box_outside_image": 1},
    "conflicting_duplicate_rows": {"box_on_unknown_image": 1, "conflicting_row": 2, "not_in_metadata": 1},
    "duplicate_metadata_rows": {"duplicate_row": 1},
    "duplicate_question_id": {"duplicate_question": 1},
    "empty_json_member": {"malformed_json": 1},
    "label_out_of_range": {"invalid_label": 1},
    "malformed_json": {"malformed_json": 1},
    "missing_all_images_of_a_study": {"missing_image": 1, "study_without_image": 1},
    "missing_image": {"box_on_rejected_image": 1, "missing_image": 1},
    "non_numeric_id": {"box_on_unknown_image": 1, "invalid_id": 1, "not_in_metadata": 1},
    "not_an_image": {"box_on_rejected_image": 1, "not_an_image": 1},
    "question_without_answers": {"no_answers": 1},
    "study_not_in_metadata": {"study_not_in_metadata": 1},
    "truncated_jpeg": {"box_on_rejected_image": 1, "truncated_image": 1},
    "unknown_question_type": {"unknown_question_type": 1},
    "unknown_rating": {"unknown_rating": 1},
    "unordered_box": {"box_unordered": 1},
    "wrong_image_size": {"box_on_rejected_image": 1, "size_mismatch": 1},
}
# Tolerated, but visible in the counts: see the tests below.
COUNTED = {"missing_dataset_info", "nan_view", "unknown_entity", "unknown_region"}
# Sound as files and tables: prepare has nothing to say. What they do to scores, `cxrkit analyze` finds;
# tests/analysis/test_analysis_planted.py.
SEEN_BY_ANALYSIS = {
    "duplicate_film_across_splits",
    "near_duplicate_film_across_splits",
    "question_tells_answer",
    "labels_contradict_questions",
}
# A study that loses one of several films also drops the boxes on it; one that loses its only film, all of it.
DEPENDENT = {"box_on_rejected_image", "box_on_unknown_image", "study_without_image"}


@pytest.fixture(scope="session")
def sound_set(tmp_path_factory):
    root = tmp_path_factory.mktemp("sound")
    write_dataset(root, patients=8, seed=3, image_size=64)
    return root


@pytest.fixture(scope="session")
def sound_summary(sound_set):
    return prepare(sound_set)


def prepare(root):
    return prepare_workspace(root / "mimic-cxr-jpg", root / "mimic-ext-cxr-qba", root / "workspace", SIZE)


@pytest.fixture
def damaged(sound_set, tmp_path):
    def plant(name):
        for part in ("mimic-cxr-jpg", "mimic-ext-cxr-qba"):
            shutil.copytree(sound_set / part, tmp_path / part)
        plant_defect(name, tmp_path / "mimic-cxr-jpg", tmp_path / "mimic-ext-cxr-qba")
        return tmp_path

    return plant


def test_every_defect_is_expected_here():
    assert set(DEFECTS) == set(ERRORS) | set(REJECTS) | COUNTED | SEEN_BY_ANALYSIS


def test_the_sound_set_has_no_rejects(sound_summary):
    assert sound_summary.counts["rejects"] == {}
    assert sound_summary.counts["yes_no_disagreements"] == 0
    assert sound_summary.counts["cross_checks"] == {}


@pytest.mark.parametrize("name", ERRORS)
def test_defect_gives_a_clear_error(damaged, name):
    root = damaged(name)
    with pytest.raises(CxrkitError) as caught:
        prepare(root)
    error = caught.value
    assert isinstance(error, DataLayoutError)
    assert ERRORS[name] in str(error)
    assert all((error.expected, error.found, error.next_step))
    assert not (root / "workspace" / "index").exists()


@pytest.mark.parametrize("name", REJECTS)
def test_defect_is_counted(damaged, sound_summary, name):
    summary = prepare(damaged(name))
    independent = {code: count for code, count in REJECTS[name].items() if code not in DEPENDENT}
    found = {code: count for code, count in summary.counts["rejects"].items() if code not in DEPENDENT}
    assert found == independent
    assert set(summary.counts["rejects"]) <= set(REJECTS[name]) | DEPENDENT
    assert summary.fingerprint != sound_summary.fingerprint


def test_blank_view_is_unknown(damaged, sound_summary):
    views = prepare(damaged("nan_view")).counts["views"]
    before = sound_summary.counts["views"]
    assert views["unknown"] == before.get("unknown", 0) + 1
    assert views["frontal"] == before["frontal"] - 1


def test_unknown_region_is_masked_and_counted(damaged, sound_summary):
    counts = prepare(damaged("unknown_region")).counts
    new = set(counts["unmapped_regions"]) - set(sound_summary.counts["unmapped_regions"])
    assert len(new) == 1
    assert counts["masked"]["region"] == sound_summary.counts["masked"].get("region", 0) + 1


def test_unknown_entity_is_counted(damaged, sound_summary):
    counts = prepare(damaged("unknown_entity")).counts
    assert len(set(counts["unmapped_entities"]) - set(sound_summary.counts["unmapped_entities"])) == 1


@pytest.mark.parametrize("name", sorted(SEEN_BY_ANALYSIS))
def test_what_only_the_analysis_sees_is_prepared_without_a_word(damaged, sound_summary, name):
    summary = prepare(damaged(name))
    assert set(summary.counts["rejects"]) <= DEPENDENT | {"box_outside_image"}
    assert summary.counts["questions"] == sound_summary.counts["questions"]
    assert summary.fingerprint != sound_summary.fingerprint


def test_without_vocabularies_the_index_learns_the_names(damaged, sound_summary):
    root = damaged("missing_dataset_info")
    summary = prepare(root)
    assert summary.counts["questions"] == sound_summary.counts["questions"]
    assert "left lung" in Index.open(root / "workspace").vocabularies.regions
