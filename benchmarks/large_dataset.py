"""A synthetic data set of any size with study files of the real size: some 190 questions, 350 KB each.

`BASE_PATIENTS` patients with some 210 studies are drawn by `cxrkit synth`, filled up with questions of the
types that the release has more of, and copied under new identifiers. Records are as often equal as the
release's documentation lets expect, for cxrkit reads equal bytes once:

* 128 studies in a row are copies of 128 different drawn studies, and no study has a question twice;
* an added question is asked in another study and answered out of this one's own answers: all questions of a
  study speak of the same observations and boxes;
* what is said of an observation that is present (its modifiers) differs from study to study;
* answers get a number, so that an answer's text recurs some 5 times, and a question's text hundreds of times.

Films are small: not measured here. `python benchmarks/large_dataset.py` prints what comes out.
"""

import copy
import csv
import gzip
import json
import os
import random
import statistics
import tempfile
import zipfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from cxrkit.data.synthetic import write_dataset
from cxrkit.vocabulary import Head, find_question_type

QUESTIONS_PER_STUDY = 190
# As many base studies as this lie between two copies of one; cxrkit reads 128 studies at a time.
BASE_PATIENTS, FEWEST_BASE_STUDIES = 96, 150
# So many studies in a row share the numbers of their answers' texts.
STUDIES_PER_NUMBER = 6
_METADATA, _SPLIT = "mimic-cxr-2.0.0-metadata.csv", "mimic-cxr-2.0.0-split.csv"
_LABELS = "mimic-cxr-2.0.0-chexpert.csv"
# Of these types the release has more per study than the synthetic graphs give reason for.
_FILLING = ("C07", "C08", "C01", "C02", "C03", "C04", "D01", "D02")
_MODIFIERS = tuple(
    [[kind, value] for kind, value in zip(("temporal", "texture", "spread"), values, strict=True) if value]
    for values in product(
        (None, "acute", "chronic", "new", "old", "unchanged"),
        (None, "hazy", "linear", "patchy", "dense", "nodular", "reticular"),
        (None, "focal", "diffuse", "multifocal", "scattered", "segmental"),
    )
)
# Optional keys that nothing reads; without them a question has the 1.8 KB of the release.
_LEFT_OUT = ("extraction_quality", "obs_entities_parents", "obs_categories", "from_report")
_LEFT_OUT_OF_PLACES = ("instance_mask_ids", "missing_localization")
Question = dict[str, Any]


def make_large_dataset(root: Path, questions: int, per_study: int = QUESTIONS_PER_STUDY) -> int:
    """Writes `mimic-cxr-jpg/` and `mimic-ext-cxr-qba/` below `root`; gives the number of studies."""
    base = root / "base"
    write_dataset(base, patients=BASE_PATIENTS, seed=0, image_size=64, workers=len(os.sched_getaffinity(0)))
    studies = _base_studies(base, per_study)
    if len(studies) < FEWEST_BASE_STUDIES:
        raise SystemExit(f"only {len(studies)} base studies: give BASE_PATIENTS more")
    number = max(1, round(questions / per_study))
    mimic, qba = root / "mimic-cxr-jpg", root / "mimic-ext-cxr-qba"
    (qba / "metadata").mkdir(parents=True)
    info = base / "mimic-ext-cxr-qba" / "metadata" / "dataset_info.json"
    (qba / "metadata" / "dataset_info.json").write_bytes(info.read_bytes())
    tables: dict[str, list[dict[str, str]]] = {_METADATA: [], _SPLIT: [], _LABELS: []}
    with (
        zipfile.ZipFile(qba / "qa.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=3) as asked,
        zipfile.ZipFile(qba / "scene_data.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=3) as scenes,
    ):
        for position in range(number):
            _write_copy(studies[position % len(studies)], position, mimic, tables, asked, scenes)
    for name, rows in tables.items():
        with (mimic / name).open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return number


def _base_studies(base: Path, per_study: int) -> list[dict]:
    """Gives the drawn studies: rows of the tables, films, questions and scene graph as bytes."""
    mimic = base / "mimic-cxr-jpg"
    rows = {name: _rows(mimic, name) for name in (_METADATA, _SPLIT, _LABELS)}
    studies = []
    with (
        zipfile.ZipFile(base / "mimic-ext-cxr-qba" / "qa.zip") as asked,
        zipfile.ZipFile(base / "mimic-ext-cxr-qba" / "scene_data.zip") as scenes,
    ):
        scene_names = {name.rpartition("/")[2]: name for name in scenes.namelist()}
        for name in asked.namelist():
            study_id = name.rpartition("/")[2].removesuffix(".qa.json")
            studies.append(
                {
                    "patient": name.split("/")[-2],
                    "study": study_id,
                    "content": json.loads(asked.read(name)),
                    "scene": scenes.read(scene_names[f"{study_id}.scene_graph.json"]),
                    "folder": mimic / "files" / "/".join(name.split("/")[-3:-1]) / study_id,
                    **{
                        table: [row for row in rows[table] if row["study_id"] == study_id[1:]]
                        for table in rows
                    },
                }
            )
    # Questions with details: those of the synthetic studies have fewer answers than the release's.
    filling = [
        (number, question)
        for number, study in enumerate(studies)
        for question in study["content"]["questions"]
        if question["question_type"][:3] in _FILLING and len(question["answers"]) > 1
    ]
    for number, study in enumerate(studies):
        others = [question for source, question in filling if source != number]
        study["questions"] = _filled(study, others, per_study, random.Random(number))
    for study in studies:
        del study["content"]
    return studies


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    with gzip.open(folder / f"{name}.gz", "rt", newline="") as stream:
        return list(csv.DictReader(stream))


def _filled(study: dict, others: list[Question], per_study: int, draw: random.Random) -> bytes:
    """Gives the study's file with `per_study` questions, the missing ones asked as in other studies."""
    own = study["content"]["questions"]
    observations = list(json.loads(study["scene"])["observations"])
    questions = copy.deepcopy(own[:per_study])
    known = {(question["question_type"], question["question"]) for question in own}
    for question in draw.sample(others, len(others)) if len(questions) < per_study else ():
        if len(questions) == per_study:
            break
        asked = (question["question_type"], question["question"])
        if asked not in known:
            known.add(asked)
            questions.append(_answered_here(question, own, observations, draw))
    if len(questions) < per_study:
        raise SystemExit(f"no {per_study} different questions for a study: give BASE_PATIENTS more")
    _renumber(questions)
    _vary(questions, draw)
    return json.dumps(study["content"] | {"questions": questions}, separators=(",", ":")).encode()


def _answered_here(
    question: Question, own: list[Question], observations: list[str], draw: random.Random
) -> Question:
    """Gives a question of another study with answers of this one: a study speaks of its own observations."""
    # A yes or no is answered with one; what follows may be any answer of the study.
    alike = [entry for entry in own if _is_yes_or_no(entry) == _is_yes_or_no(question)]
    more = [draw.choice(draw.choice(own)["answers"]) for _ in range(draw.choice((1, 1, 2)))]
    chosen = [copy.deepcopy(answer) for answer in (draw.choice(alike)["answers"][0], *more)]
    for number, answer in enumerate(chosen, start=1):
        answer |= {"answer_id": number, "answer_type": "main_answer" if number == 1 else "details"}
    quality = own[0]["question_img_localization_quality"]
    referred = sorted(draw.sample(observations, min(len(observations), len(question["obs_ids"]))))
    return question | {
        "answers": chosen,
        "question_img_localization_quality": quality,
        "obs_ids": referred,
        "variables": copy.deepcopy(question["variables"]),
    }


def _is_yes_or_no(question: Question) -> bool:
    return find_question_type(question["question_type"]).head is Head.BINARY


def _all_answers(answers: list[dict]) -> Iterator[dict]:
    for answer in answers:
        yield answer
        yield from _all_answers(answer["sub_answers"])


def _renumber(questions: list[Question]) -> None:
    used: dict[str, int] = {}
    for question in questions:
        kind = question["question_type"]
        used[kind] = used.get(kind, 0) + 1
        question["question_id"] = f"{kind}_{used[kind]:03d}"


def _vary(questions: list[Question], draw: random.Random) -> None:
    """Gives each positive observation of a study modifiers of its own, the same in all its answers."""
    drawn: dict[str, list[list[str]]] = {}
    for question in questions:
        question.pop("extraction_quality", None)
        for answer in _all_answers(question["answers"]):
            for key in _LEFT_OUT:
                answer.pop(key, None)
            for place, key in product(answer["localization"].values(), _LEFT_OUT_OF_PLACES):
                place.pop(key, None)
            if answer["positiveness"] == "pos":
                said = json.dumps([answer["regions"], answer["obs_entities"], answer["modifiers"]])
                severity = [pair for pair in answer["modifiers"] if pair[0] == "severity"]
                answer["modifiers"] = severity + drawn.setdefault(said, draw.choice(_MODIFIERS))


def _write_copy(
    study: dict,
    position: int,
    mimic: Path,
    tables: dict[str, list[dict[str, str]]],
    asked: zipfile.ZipFile,
    scenes: zipfile.ZipFile,
) -> None:
    subject_id, study_id = str(10_000_000 + position * 37), str(50_000_000 + position)
    new_ids = {study["patient"]: f"p{subject_id}", study["study"]: f"s{study_id}"}
    folder = f"p{subject_id[:2]}/p{subject_id}"
    films = mimic / "files" / folder / f"s{study_id}"
    films.mkdir(parents=True)
    for number, row in enumerate(study[_METADATA]):
        tail = f"{position:08x}-{number:08x}"
        new_ids[row["dicom_id"]] = row["dicom_id"][: -len(tail)] + tail
    ids = {"subject_id": subject_id, "study_id": study_id}
    for name in (_METADATA, _SPLIT):
        tables[name] += [row | ids | {"dicom_id": new_ids[row["dicom_id"]]} for row in study[name]]
    tables[_LABELS] += [row | ids for row in study[_LABELS]]
    for film in study["folder"].glob("*.jpg"):
        os.link(film, films / f"{new_ids[film.stem]}.jpg")
    for archive, content, suffix in (
        (asked, study["questions"], "qa"),
        (scenes, study["scene"], "scene_graph"),
    ):
        for old, new in new_ids.items():
            content = content.replace(old.encode(), new.encode())
        if archive is asked:
            number = position // STUDIES_PER_NUMBER
            content = content.replace(b'","name_tag"', f' ({number})","name_tag"'.encode())
        archive.writestr(f"{suffix}/{folder}/s{study_id}.{suffix}.json", content)


def describe(qba: Path) -> dict[str, float]:
    """Gives sizes and recurrences of the questions of all studies."""
    size, packed, number = [], [], []
    answers: list[str] = []
    asked: list[str] = []
    tags: list[str] = []
    tags_of_study: list[int] = []
    with zipfile.ZipFile(qba / "qa.zip") as archive:
        for member in archive.infolist():
            size.append(member.file_size / 1000)
            packed.append(member.compress_size / 1000)
            questions = json.loads(archive.read(member))["questions"]
            number.append(len(questions))
            asked += [question["question"] for question in questions]
            given = [answer for question in questions for answer in question["answers"]]
            answers += [answer["text"] for answer in given]
            keys = [json.dumps([a["regions"], a["obs_entities"], a["modifiers"]]) for a in given]
            tags_of_study.append(len(set(keys)))
            tags += keys
    return {
        "studies": len(size),
        "questions_per_study": statistics.mean(number),
        "member_kb": statistics.mean(size),
        "smallest_member_kb": min(size),
        "largest_member_kb": max(size),
        "packed_kb": statistics.mean(packed),
        "answers_per_question": len(answers) / len(asked),
        "uses_of_a_question_text": len(asked) / len(set(asked)),
        "uses_of_an_answer_text": len(answers) / len(set(answers)),
        "tags_of_a_study": statistics.mean(tags_of_study),
        "different_tags": len(set(tags)),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        make_large_dataset(Path(folder), 128 * QUESTIONS_PER_STUDY)
        for name, value in describe(Path(folder) / "mimic-ext-cxr-qba").items():
            print(f"{name:<24}{value:>12,.1f}")


if __name__ == "__main__":
    main()
