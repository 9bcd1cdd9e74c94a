"""VQA-RAD (Lau et al., Sci. Data 2018): `VQA_RAD Dataset Public.json` beside `VQA_RAD Image Folder/`.

All chest pictures of the set are radiographs; `phrase_type` says which questions are for testing.
"""

from collections import Counter
from pathlib import Path

from cxrkit.data.external_sets.question_set import ExternalQuestion, QuestionSet
from cxrkit.data.external_sets.records import Record, picture_of, read_records, words_of

FILE = "VQA_RAD Dataset Public.json"
IMAGES = "VQA_RAD Image Folder"
LAYOUT = f"FOLDER/{FILE} and FOLDER/{IMAGES}/synpic12345.jpg"
SPLITS = ("test", "train", "all")
_KEYS = ("qid", "image_name", "image_organ", "answer", "answer_type", "question", "phrase_type")


def read_vqa_rad(folder: Path, split: str) -> QuestionSet:
    """Reads the chest questions.

    Args:
        folder: holds the JSON file and the folder of pictures.
        split: `test` (phrase types that begin with test), `train` (the others) or `all`.

    Raises:
        DataLayoutError: the file is missing or not in this layout.
    """
    records = [
        record
        for record in read_records(folder / FILE, _KEYS, LAYOUT)
        if split == "all" or _is_test(record) == (split == "test")
    ]
    left_out: Counter[str] = Counter()
    questions = []
    for record in records:
        if words_of(record, "image_organ").upper() != "CHEST":
            left_out["not a chest picture"] += 1
            continue
        questions.append(_question(record, folder / IMAGES))
    return QuestionSet("vqa_rad", split, tuple(questions), len(records), dict(left_out))


def _is_test(record: Record) -> bool:
    return words_of(record, "phrase_type").lower().startswith("test")


def _question(record: Record, images: Path) -> ExternalQuestion:
    name = words_of(record, "image_name")
    return ExternalQuestion(
        question_id=words_of(record, "qid"),
        image_name=name,
        film=picture_of(images, name),
        question=words_of(record, "question"),
        answer=words_of(record, "answer"),
        is_closed=words_of(record, "answer_type").upper() == "CLOSED",
    )
