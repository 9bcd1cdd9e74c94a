"""What the earlier systems did to index the questions, written plainly: JSON into dicts, one by one."""

import json
import zipfile

from cxrkit.vocabulary import FINDINGS, REGIONS, find_question_type, finding_of_entity, regions_of_name

SEVERITY = {"mild": 1, "small": 1, "minimal": 1, "moderate": 2, "severe": 3, "large": 3, "significant": 3}


def load_samples(
    asked: zipfile.ZipFile, scenes: zipfile.ZipFile, names: list[str], sizes: dict[str, tuple[int, int]]
) -> list[dict]:
    """Gives one dict per question of some studies, with what a network needs of it.

    Args:
        asked: `qa.zip`.
        scenes: `scene_data.zip`.
        names: members of `asked`.
        sizes: width and height of each film by dicom_id.
    """
    samples: list[dict] = []
    for name in names:
        with asked.open(name) as stream:
            content = json.load(stream)
        folder, _, file = name.rpartition("/")
        scene_name = f"{folder.replace('qa/', 'scene_graph/', 1)}/{file.replace('.qa.', '.scene_graph.')}"
        with scenes.open(scene_name) as stream:
            graph = scene_of(json.load(stream), sizes)
        samples += [sample_of(question, content, graph, sizes) for question in content["questions"]]
    return samples


def sample_of(question: dict, content: dict, graph: dict, sizes: dict[str, tuple[int, int]]) -> dict:
    """Gives one sample."""
    answers = question["answers"]
    main = [answer for answer in answers if answer.get("answer_type") == "main_answer"]
    positive = [answer for answer in answers if answer.get("positiveness") == "pos"]
    kind = find_question_type(
        question["question_type"], question["question_strategy"], question["question_id"]
    )
    rating = (question.get("question_quality") or {}).get("rating") or main[0]["answer_quality"]["rating"]
    text = " ".join(answer["text"] for answer in main)
    category, region = [0.0] * len(FINDINGS), [0.0] * len(REGIONS)
    severity = 0
    for answer in positive:
        for entity in answer["obs_entities"]:
            finding = finding_of_entity(entity)
            if finding is not None:
                category[finding] = 1.0
        for name in answer["regions"]:
            for number in regions_of_name(name if isinstance(name, str) else name["region"]):
                region[number] = 1.0
        for modifier, value in answer["modifiers"]:
            if modifier == "severity":
                severity = max(severity, SEVERITY.get(value, 0))
    return {
        "patient_id": content["patient_id"],
        "study_id": content["study_id"],
        "question_id": question["question_id"],
        "question_type": kind.name if kind else None,
        "question": question["question"],
        "answer": text,
        "rating": int(rating.split("_")[0]),
        "binary": int(text.lower().startswith("yes")),
        "category": category,
        "region": region,
        "severity": severity,
        "boxes": [box for answer in main for box in boxes_of(answer["localization"], sizes)],
        "answers": answers,
        "scene_graph": graph,
    }


def boxes_of(localization: dict, sizes: dict[str, tuple[int, int]]) -> list[list[float]]:
    """Gives boxes as fractions of their film."""
    boxes = []
    for dicom_id, place in localization.items():
        width, height = sizes[dicom_id]
        boxes += [[x1 / width, y1 / height, x2 / width, y2 / height] for x1, y1, x2, y2 in place["bboxes"]]
    return boxes


def scene_of(scene: dict, sizes: dict[str, tuple[int, int]]) -> dict:
    """Gives the regions and observations of a scene graph as lists."""
    regions = {name: boxes_of(region["localization"], sizes) for name, region in scene["regions"].items()}
    observations = [
        {
            "entities": observation["obs_entities"],
            "regions": [region["region"] for region in observation["regions"]],
            "positive": observation["positiveness"] == "pos",
        }
        for observation in scene["observations"].values()
    ]
    return {"regions": regions, "observations": observations, "relations": scene["obs_relations"]}
