"""Defects of the question-answer set: members of the archives, questions, answers, boxes."""

from collections.abc import Callable
from typing import Any

import msgspec

from cxrkit.data.synthetic.archive import read_members, write_members
from cxrkit.data.synthetic.defect_target import SetRoots, too_small, train_studies
from cxrkit.data.synthetic.identifiers import study_folder

Record = dict[str, Any]
_FIRST_FREE_STUDY = 50_000_000


def cut_member(roots: SetRoots) -> None:
    """Cuts one member of qa.zip in half."""
    _change_member(roots, lambda data: data[: len(data) // 2])


def empty_member(roots: SetRoots) -> None:
    """Empties one member of qa.zip."""
    _change_member(roots, lambda _: b"")


def _change_member(roots: SetRoots, change: Callable[[bytes], bytes]) -> None:
    path = roots.qba / "qa.zip"
    members = read_members(path)
    name = _train_members(roots)[0]
    members[name] = change(members[name])
    write_members(path, members)


def _train_members(roots: SetRoots) -> list[str]:
    films = [films[0] for films in train_studies(roots)]
    return [f"qa/{study_folder(film.subject_id, film.study_id)}.qa.json" for film in films]


def push_box_outside(roots: SetRoots) -> None:
    """Moves the right edge of one answer's box far beyond the film."""
    _change_question(roots, _change_first_box(lambda box: [box[0], box[1], box[2] + 10_000.0, box[3]]))


def swap_box_corners(roots: SetRoots) -> None:
    """Swaps x1 and x2 of one answer's box."""
    _change_question(roots, _change_first_box(lambda box: [box[2], box[1], box[0], box[3]]))


def _change_first_box(change: Callable[[list[float]], list[float]]) -> Callable[[Record], bool]:
    def apply(question: Record) -> bool:
        for location in question["answers"][0]["localization"].values():
            if location["bboxes"] and not location["is_fallback"]:
                location["bboxes"][0] = change(location["bboxes"][0])
                return True
        return False

    return apply


def rename_question_type(roots: SetRoots) -> None:
    """Gives one question a type that does not exist."""

    def apply(question: Record) -> bool:
        question["question_type"] = "D99_has_smell"
        question["question_id"] = "D99_has_smell_001"
        return True

    _change_question(roots, apply)


def rename_region(roots: SetRoots) -> None:
    """Gives the answers of one positive where-question a region that no vocabulary has."""
    _change_question(roots, _retag("D03_where_is_finding", "regions", "unlisted region"))


def rename_entity(roots: SetRoots) -> None:
    """Gives the answers of one positive has-finding question an entity that no vocabulary has."""
    _change_question(roots, _retag("D02_has_finding", "obs_entities", "unlisted finding"))


def _retag(type_name: str, key: str, value: str) -> Callable[[Record], bool]:
    def apply(question: Record) -> bool:
        answers = question["answers"]
        if question["question_type"] != type_name or answers[0]["positiveness"] != "pos":
            return False
        for answer in answers:
            answer[key] = [value]
            for child in answer["sub_answers"]:
                child[key] = [value]
        return True

    return apply


def rename_rating(roots: SetRoots) -> None:
    """Gives one question a rating that does not exist."""

    def apply(question: Record) -> bool:
        question["question_quality"]["rating"] = "9_Z"
        return True

    _change_question(roots, apply)


def remove_answers(roots: SetRoots) -> None:
    """Leaves one question without answers."""

    def apply(question: Record) -> bool:
        question["answers"] = []
        return True

    _change_question(roots, apply)


def _change_question(roots: SetRoots, apply: Callable[[Record], bool]) -> None:
    """Changes the first question of the train split that `apply` accepts."""

    def change(record: Record) -> bool:
        return any(apply(question) for question in record["questions"])

    _change_record(roots, change)


def repeat_question_id(roots: SetRoots) -> None:
    """Gives a study's second question the identifier of its first."""

    def change(record: Record) -> bool:
        first, second = record["questions"][:2]
        second["question_id"] = first["question_id"]
        return True

    _change_record(roots, change)


def _change_record(roots: SetRoots, change: Callable[[Record], bool]) -> None:
    path = roots.qba / "qa.zip"
    members = read_members(path)
    for name in _train_members(roots):
        record = msgspec.json.decode(members[name])
        if change(record):
            members[name] = msgspec.json.encode(record)
            write_members(path, members)
            return
    raise too_small("a train study with a positive finding")


def tell_answers(roots: SetRoots) -> None:
    """Ends the text of every has-finding question of all studies with a word that gives the answer away."""
    path = roots.qba / "qa.zip"
    members = read_members(path)
    for name, data in members.items():
        if not name.endswith(".qa.json"):
            continue
        record = msgspec.json.decode(data)
        for question in record["questions"]:
            if question["question_type"] == "D02_has_finding" and question["answers"]:
                word = "again" if question["answers"][0]["positiveness"] == "pos" else "at all"
                question["question"] = question["question"].rstrip("?") + f" {word}?"
        members[name] = msgspec.json.encode(record)
    write_members(path, members)


def add_unknown_study(roots: SetRoots) -> None:
    """Adds a copy of one study's records under a study id that MIMIC-CXR-JPG lacks."""
    source = train_studies(roots)[0][0]
    known = {name.rpartition("/s")[2][:8] for name in read_members(roots.qba / "qa.zip")}
    study_id = next(n for n in range(_FIRST_FREE_STUDY, 2 * _FIRST_FREE_STUDY) if str(n) not in known)
    old, new = f"s{source.study_id}", f"s{study_id}"
    for archive in ("qa.zip", "scene_data.zip"):
        path = roots.qba / archive
        members = read_members(path)
        copies = {
            name.replace(old, new): data.replace(old.encode(), new.encode())
            for name, data in members.items()
            if old in name
        }
        write_members(path, members | copies)


def remove_archive(roots: SetRoots) -> None:
    """Removes qa.zip."""
    (roots.qba / "qa.zip").unlink()


def truncate_archive(roots: SetRoots) -> None:
    """Cuts qa.zip in half."""
    path = roots.qba / "qa.zip"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def remove_vocabularies(roots: SetRoots) -> None:
    """Removes dataset_info.json."""
    (roots.qba / "metadata" / "dataset_info.json").unlink()
