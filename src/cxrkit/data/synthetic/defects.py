"""The defects that can be planted into a synthetic set, one at a time, for tests of what follows.

Each changes what its description says and nothing else; checksums and lists stay those of the sound set.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from cxrkit.data.synthetic import defects_films, defects_records, defects_tables
from cxrkit.data.synthetic.defect_target import SetRoots

_Planter = Callable[[SetRoots], None]
_PLANTERS: Mapping[str, tuple[str, _Planter]] = MappingProxyType(
    {
        "missing_image": ("one film's file is missing", defects_films.remove_film),
        "missing_all_images_of_a_study": (
            "a study's folder is there but empty",
            defects_films.remove_films_of_study,
        ),
        "truncated_jpeg": ("one film's file ends half way", defects_films.truncate_film),
        "not_an_image": ("one film's file holds text", defects_films.replace_film_by_text),
        "wrong_image_size": (
            "one film is half as large as Rows and Columns say",
            defects_films.shrink_film,
        ),
        "nan_view": ("ViewPosition of one AP or PA film is blank", defects_tables.blank_view),
        "patient_in_two_splits": (
            "one study of a train patient is in the test split",
            defects_tables.move_study_to_test,
        ),
        "unknown_split_name": ("a patient's split is called holdout", defects_tables.rename_split),
        "duplicate_metadata_rows": ("one row of the metadata file is there twice", defects_tables.repeat_row),
        "conflicting_duplicate_rows": (
            "a film has a second metadata row with another view and other Rows",
            defects_tables.repeat_row_differently,
        ),
        "missing_csv": ("the metadata CSV is missing", defects_tables.remove_metadata),
        "missing_split_csv": ("the split CSV is missing", defects_tables.remove_split),
        "missing_chexpert_csv": ("the CheXpert CSV is missing", defects_tables.remove_chexpert),
        "missing_column": ("the split CSV lacks the column split", defects_tables.remove_split_column),
        "empty_csv": ("the metadata CSV has no content, not even a header", defects_tables.empty_metadata),
        "non_numeric_id": ("subject_id of one metadata row is a word", defects_tables.spoil_subject_id),
        "label_out_of_range": ("one CheXpert label is 2.0", defects_tables.spoil_label),
        "malformed_json": ("one member of qa.zip ends half way", defects_records.cut_member),
        "empty_json_member": ("one member of qa.zip is empty", defects_records.empty_member),
        "box_outside_image": (
            "one answer's box reaches far beyond the film's right edge",
            defects_records.push_box_outside,
        ),
        "unordered_box": ("one answer's box has x1 and x2 swapped", defects_records.swap_box_corners),
        "unknown_question_type": (
            "one question is of a type that does not exist, D99_has_smell",
            defects_records.rename_question_type,
        ),
        "unknown_region": (
            "the answers of one where-question name a region that no vocabulary has",
            defects_records.rename_region,
        ),
        "unknown_entity": (
            "the answers of one has-finding question name a finding that no vocabulary has",
            defects_records.rename_entity,
        ),
        "unknown_rating": ("one question's rating is 9_Z", defects_records.rename_rating),
        "question_without_answers": (
            "one question has an empty list of answers",
            defects_records.remove_answers,
        ),
        "duplicate_question_id": (
            "two questions of one study have the same question_id",
            defects_records.repeat_question_id,
        ),
        "study_not_in_metadata": (
            "qa.zip and scene_data.zip hold a study that MIMIC-CXR-JPG lacks",
            defects_records.add_unknown_study,
        ),
        "duplicate_film_across_splits": (
            "a film of the test split is a train film, byte for byte",
            defects_films.copy_film_to_test,
        ),
        "near_duplicate_film_across_splits": (
            "a film of the test split is a train film, smaller, brighter and compressed anew",
            defects_films.copy_film_anew_to_test,
        ),
        "question_tells_answer": (
            "every has-finding question ends with a word that depends on its answer",
            defects_records.tell_answers,
        ),
        "labels_contradict_questions": (
            "CheXpert's labels of pleural effusion are turned round",
            defects_tables.turn_labels_round,
        ),
        "missing_qa_zip": ("qa.zip is missing", defects_records.remove_archive),
        "corrupt_zip": ("qa.zip ends half way", defects_records.truncate_archive),
        "missing_dataset_info": (
            "metadata/dataset_info.json is missing",
            defects_records.remove_vocabularies,
        ),
    }
)

DEFECTS: Mapping[str, str] = MappingProxyType({name: text for name, (text, _) in _PLANTERS.items()})


def plant_defect(name: str, mimic: Path, qba: Path) -> None:
    """Plants a defect of `DEFECTS` into a written set.

    Args:
        name: key of `DEFECTS`.
        mimic: the MIMIC-CXR-JPG root.
        qba: the MIMIC-Ext-CXR-QBA root.

    Raises:
        CxrkitError: the set is too small to hold the defect.
    """
    _PLANTERS[name][1](SetRoots(mimic, qba))
