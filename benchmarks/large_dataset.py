"""A synthetic data set of any size with study files of the real size: some 190 questions, 350 KB each.

A few dozen studies are drawn by `cxrkit synth`, filled up with questions of the types that the release has
more of, and copied under new identifiers. Answers get a number, so that an answer's text recurs some times
and a question's text hundreds of times, as in MIMIC-Ext-CXR-QBA. Films are small: not measured here.
"""

import copy
import csv
import json
import os
import random
import zipfile
from pathlib import Path

from cxrkit.data.synthetic import write_dataset

QUESTIONS_PER_STUDY = 190
BASE_PATIENTS = 24
_METADATA, _SPLIT = "mimic-cxr-2.0.0-metadata.csv", "mimic-cxr-2.0.0-split.csv"
_LABELS = "mimic-cxr-2.0.0-chexpert.csv"
# Of these types the release has more per study than the synthetic graphs give reason for.
_FILLING = ("C07", "C08", "C01", "C02", "C03", "C04", "D01", "D02")


def make_large_dataset(root: Path, questions: int, per_study: int = QUESTIONS_PER_STUDY) -> int:
    """Writes `mimic-cxr-jpg/` and `mimic-ext-cxr-qba/` below `root`; gives the number of studies."""
    base = root / "base"
    write_dataset(base, patients=BASE_PATIENTS, seed=0, image_size=64)
    studies = _base_studies(base, per_study)
    number = max(1, round(questions / per_study))
    mimic, qba = root / "mimic-cxr-jpg", root / "mimic-ext-cxr-qba"
    (qba / "metadata").mkdir(parents=True)
    info = base / "mimic-ext-cxr-qba" / "metadata" / "dataset_info.json"
    (qba / "metadata" / "dataset_info.json").write_bytes(info.read_bytes())
    tables: dict[str, list[dict[str, str]]] = {_METADATA: [], _SPLIT: [], _LABELS: []}
    with (
        zipfile.ZipFile(qba / "qa.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=4) as asked,
        zipfile.ZipFile(qba / "scene_data.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=4) as scenes,
    ):
        for position in range(number):
            study = studies[position % len(studies)]
            _write_copy(study, position, position // len(studies), mimic, tables, asked, scenes)
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
    with (
        zipfile.ZipFile(base / "mimic-ext-cxr-qba" / "qa.zip") as asked,
        zipfile.ZipFile(base / "mimic-ext-cxr-qba" / "scene_data.zip") as scenes,
    ):
        scene_names = {name.rpartition("/")[2]: name for name in scenes.namelist()}
        studies = []
        for name in asked.namelist():
            if not name.endswith(".qa.json"):
                continue
            study_id = name.rpartition("/")[2].removesuffix(".qa.json")
            scene = scene_names.get(f"{study_id}.scene_graph.json")
            studies.append(
                {
                    "patient": name.split("/")[-2],
                    "study": study_id,
                    "questions": _filled(json.loads(asked.read(name)), per_study),
                    "scene": scenes.read(scene) if scene else b"{}",
                    "folder": mimic / "files" / "/".join(name.split("/")[-3:-1]) / study_id,
                    **{
                        table: [row for row in rows[table] if row["study_id"] == study_id[1:]]
                        for table in rows
                    },
                }
            )
    return studies


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    import gzip

    with gzip.open(folder / f"{name}.gz", "rt", newline="") as stream:
        return list(csv.DictReader(stream))


def _filled(content: dict, per_study: int) -> bytes:
    questions = content["questions"] = content["questions"][:per_study]
    source = [question for question in questions if question["question_type"][:3] in _FILLING]
    draw = random.Random(0)
    while len(questions) < per_study:
        question = copy.deepcopy(draw.choice(source))
        question["question_id"] = f"{question['question_type']}_{len(questions):03d}"
        questions.append(question)
    for question in questions:
        for answer in question["answers"]:
            # Brings the size of a question down to the 1.8 KB of the release.
            answer.pop("extraction_quality", None)
    return json.dumps(content, separators=(",", ":")).encode()


def _write_copy(
    study: dict,
    position: int,
    round_number: int,
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
            content = content.replace(b'","name_tag"', f' ({round_number // 2})","name_tag"'.encode())
        archive.writestr(f"{suffix}/{folder}/s{study_id}.{suffix}.json", content)
