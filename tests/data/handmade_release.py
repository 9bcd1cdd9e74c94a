"""A tiny copy of both data sets as plain Python, so that a test can change any part before writing it."""

import copy
import csv
import gzip
import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cxrkit.vocabulary import FINDINGS, find_question_type

WIDTH, HEIGHT = 120, 90
MIMIC_CSV = {
    "metadata": "mimic-cxr-2.0.0-metadata.csv",
    "split": "mimic-cxr-2.0.0-split.csv",
    "chexpert": "mimic-cxr-2.0.0-chexpert.csv",
    "negbio": "mimic-cxr-2.0.0-negbio.csv",
    "test_labels": "mimic-cxr-2.1.0-test-set-labeled.csv",
}
STUDIES = [(10000001, 50000001), (10000001, 50000002), (11000002, 50000003), (12000003, 50000004)]
SPLIT_OF_PATIENT = {10000001: "train", 11000002: "validate", 12000003: "test"}


def dicom_id(number: int) -> str:
    return "-".join(f"{number:08x}" for _ in range(5))


def localization(
    dicom: str, boxes: list[list[float]], quality: int = 4, fallback: bool = False
) -> dict[str, Any]:
    return {
        dicom: {
            "image_id": dicom,
            "localization_reference_ids": [],
            "bboxes": boxes,
            "is_fallback": fallback,
            "localization_quality": quality,
        }
    }


def answer(text: str, positive: bool | None = True, **more: Any) -> dict[str, Any]:
    polarity = {True: "pos", False: "neg", None: None}[positive]
    return {"answer_type": "main_answer", "answer_level": 0, "text": text, "positiveness": polarity, **more}


def question(
    kind: str, text: str, answers: list[dict[str, Any]], number: int = 1, **more: Any
) -> dict[str, Any]:
    known = find_question_type(kind)
    return {
        "question_id": f"{kind}_{number:03d}",
        "question_type": kind,
        "question_strategy": known.strategy if known else "finding",
        "variables": {},
        "obs_ids": ["O01"],
        "question": text,
        "answers": answers,
        "question_quality": {"rating": "5_A+"},
        **more,
    }


def study_questions(dicom: str) -> list[dict[str, Any]]:
    boxes = localization(dicom, [[10.0, 10.0, 50.0, 60.0]])
    effusion = {"obs_entities": ["pleural effusion"], "regions": ["left lung"], "localization": boxes}
    mild = {"modifiers": [["severity", "mild"]]}
    return [
        question("A_indication", "Why was the film taken?", [answer("For cough.", obs_entities=[])]),
        question(
            "B01_describe_all",
            "Describe the film.",
            [answer("Effusion.", **effusion), answer("Heart fine.", False)],
        ),
        question("B04_is_normal", "Is the film normal?", [answer("No, it is not.", True, regions=["lungs"])]),
        question("D02_has_finding", "Is there an effusion?", [answer("Yes, there is.", **effusion)]),
        question("D03_where_is_finding", "Where is the effusion?", [answer("Left lung.", **effusion)]),
        question("D04_how_severe_is_finding", "How large is it?", [answer("Small.", **effusion, **mild)]),
        question("B12_describe_device", "Which devices?", [answer("None.", False)]),
    ]


def scene_graph(dicom: str) -> dict[str, Any]:
    boxes = localization(dicom, [[10.0, 10.0, 50.0, 60.0]])
    common = {"regions": [{"region": "left lung", "distances": []}], "obs_categories": ["DISEASE"]}
    return {
        "observations": {
            "O01": {
                "obs_id": "O01",
                "child_level": 0,
                "positiveness": "pos",
                "from_report": True,
                "obs_entities": ["pleural effusion"],
                "obs_subcategories": ["PLEURA"],
                "modifiers": {"severity": ["mild"], "spread": []},
                **common,
            },
            "O01.01": {
                "obs_id": "O01.01",
                "child_level": 1,
                "positiveness": "neg",
                "obs_entities": ["hernia"],
                **common,
            },
        },
        "regions": {
            "left lung": {"region": "left lung", "localization": boxes},
            "lungs": {"region": "lungs", "localization": boxes},
        },
        "obs_relations": [{"parent_observation_id": "O01", "child_observation_id": "O01.01"}],
    }


@dataclass
class Release:
    """Both data sets; the parts are free to be changed before `write_mimic` and `write_qba`."""

    metadata: list[dict[str, Any]] = field(default_factory=list)
    split: list[dict[str, Any]] = field(default_factory=list)
    chexpert: list[dict[str, Any]] = field(default_factory=list)
    negbio: list[dict[str, Any]] = field(default_factory=list)
    test_labels: list[dict[str, Any]] = field(default_factory=list)
    films: dict[str, bytes] = field(default_factory=dict)
    questions: dict[tuple[int, int], Any] = field(default_factory=dict)
    scenes: dict[tuple[int, int], Any] = field(default_factory=dict)
    info: dict[str, Any] | None = None

    def write_mimic(self, root: Path, *, gzipped: bool = True, files_folder: str = "files") -> Path:
        root.mkdir(parents=True, exist_ok=True)
        for part, name in MIMIC_CSV.items():
            rows = getattr(self, part)
            if not rows:
                continue
            released_plain = part == "test_labels"
            write_csv(root / name, rows, gzipped=gzipped and not released_plain)
        for place, data in self.films.items():
            path = root / files_folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return root

    def write_qba(
        self,
        root: Path,
        *,
        zipped: bool = True,
        qa_prefix: str = "qa/",
        scene_prefix: str = "scene_data/",
        scene_archive: str = "scene_data.zip",
    ) -> Path:
        root.mkdir(parents=True, exist_ok=True)
        qa = {f"{qa_prefix}{place(key)}.qa.json": value for key, value in self.questions.items()}
        scenes = {f"{scene_prefix}{place(key)}.scene_graph.json": value for key, value in self.scenes.items()}
        scenes |= {f"{scene_prefix}{place(key)}.metadata.json": {"split": "val"} for key in self.scenes}
        for archive, members in (("qa.zip", qa), (scene_archive, scenes)):
            encoded = {
                name: value if isinstance(value, bytes) else json.dumps(value).encode()
                for name, value in members.items()
            }
            if zipped and encoded:
                (root / archive).write_bytes(zip_bytes(encoded))
            for name, data in ({} if zipped else encoded).items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(data)
        if self.info is not None:
            (root / "metadata").mkdir(exist_ok=True)
            (root / "metadata" / "dataset_info.json").write_text(json.dumps(self.info))
        return root

    def copy(self) -> "Release":
        return copy.deepcopy(self)


def place(key: tuple[int, int]) -> str:
    return f"p{str(key[0])[:2]}/p{key[0]}/s{key[1]}"


def zip_bytes(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def write_csv(path: Path, rows: list[dict[str, Any]], *, gzipped: bool = False) -> None:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    data = stream.getvalue().encode()
    if gzipped:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(data))
    else:
        path.write_bytes(data)


def film_bytes(seed: int, width: int = WIDTH, height: int = HEIGHT, form: str = "JPEG") -> bytes:
    ramp = np.linspace(0, 200, width)[None, :] + np.linspace(0, 50, height)[:, None] + seed
    stream = io.BytesIO()
    Image.fromarray(ramp.astype(np.uint8)).save(stream, form, **({"quality": 95} if form == "JPEG" else {}))
    return stream.getvalue()


def labels(**values: str) -> dict[str, str]:
    return {name: values.get(name.replace(" ", "_"), "") for name in FINDINGS}


def make_release() -> Release:
    """Three patients, four studies; the second study has a lateral and a blank view besides."""
    release = Release()
    films = [(study, number) for number, study in enumerate(STUDIES)] + [(STUDIES[1], 4), (STUDIES[1], 5)]
    views = ["PA", "AP", "AP", "PA", "LATERAL", ""]
    for (key, number), view in zip(films, views, strict=True):
        dicom = dicom_id(number + 1)
        ids = {"dicom_id": dicom, "subject_id": str(key[0]), "study_id": str(key[1])}
        release.metadata.append(
            {**ids, "ViewPosition": view, "Rows": str(HEIGHT), "Columns": str(WIDTH), "StudyTime": "1.5"}
        )
        release.split.append({**ids, "split": SPLIT_OF_PATIENT[key[0]]})
        release.films[f"{place(key)}/{dicom}.jpg"] = film_bytes(number)
    for number, key in enumerate(STUDIES):
        dicom = dicom_id(number + 1)
        ids = {"subject_id": str(key[0]), "study_id": str(key[1])}
        release.chexpert.append({**ids, **labels(Pleural_Effusion="1.0", Edema="-1.0", Pneumonia="0.0")})
        release.negbio.append({**ids, **labels(Pleural_Effusion="1.0")})
        names = {"patient_id": f"p{key[0]}", "study_id": f"s{key[1]}"}
        release.questions[key] = {**names, "questions": study_questions(dicom)}
        release.scenes[key] = {**names, **scene_graph(dicom)}
    values = labels(Lung_Opacity="1.0")
    values["Airspace Opacity"] = values.pop("Lung Opacity")
    release.test_labels = [{"study_id": str(STUDIES[3][1]), **values}]
    release.info = {
        "region_names": ["left lung", "right lung", "lungs"],
        "finding_entities": ["consolidation", "pleural effusion"],
        "obs_categories": ["ANATOMICAL_FINDING", "DISEASE"],
    }
    return release
