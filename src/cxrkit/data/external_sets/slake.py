"""SLAKE (Liu et al., ISBI 2021): `test.json` and its like beside `imgs/xmlab0/source.jpg`."""

from collections import Counter
from pathlib import Path

from cxrkit.data.external_sets.question_set import ExternalQuestion, QuestionSet
from cxrkit.data.external_sets.records import Record, picture_of, read_records, words_of

IMAGES = "imgs"
LAYOUT = f"FOLDER/test.json (train.json, validate.json) and FOLDER/{IMAGES}/xmlab0/source.jpg"
SPLITS = ("test", "validate", "train")
_KEYS = (
    "qid",
    "img_name",
    "question",
    "answer",
    "q_lang",
    "location",
    "modality",
    "answer_type",
)
_CHEST = ("chest", "lung", "heart")


def read_slake(folder: Path, split: str) -> QuestionSet:
    """Reads the English questions about chest radiographs.

    Args:
        folder: holds the JSON files and the folder of pictures.
        split: `test`, `validate` or `train`.

    Raises:
        DataLayoutError: the file is missing or not in this layout.
    """
    records = read_records(folder / f"{split}.json", _KEYS, LAYOUT)
    left_out: Counter[str] = Counter()
    questions = []
    for record in records:
        reason = _why_not(record)
        if reason:
            left_out[reason] += 1
        else:
            questions.append(_question(record, folder / IMAGES))
    return QuestionSet("slake", split, tuple(questions), len(records), dict(left_out))


def _why_not(record: Record) -> str | None:
    if words_of(record, "q_lang").lower() != "en":
        return "not in English"
    if words_of(record, "modality").lower().replace("-", "") != "xray":
        return "not a radiograph"
    if not words_of(record, "location").lower().startswith(_CHEST):
        return "not a chest picture"
    return None


def _question(record: Record, images: Path) -> ExternalQuestion:
    name = words_of(record, "img_name")
    return ExternalQuestion(
        question_id=words_of(record, "qid"),
        image_name=name,
        film=picture_of(images, name),
        question=words_of(record, "question"),
        answer=words_of(record, "answer"),
        is_closed=words_of(record, "answer_type").upper() == "CLOSED",
    )
