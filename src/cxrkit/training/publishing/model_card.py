"""The model card: `README.md` of the published folder, from what the run wrote down."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from cxrkit.reporting import format_count, format_number
from cxrkit.version import __version__

_PIPELINES = {"vqa": "visual-question-answering", "classify": "image-classification"}
_TITLES = {
    "vqa": "questions about chest X-rays, answered over a scene graph (SSG-VQA-Net)",
    "classify": "14 findings of chest X-rays (CheXpert labels)",
}
_USES = {
    "vqa": """from cxrkit.models.vqa import SSGVQAModel

model = SSGVQAModel.from_pretrained("FOLDER_OR_REPOSITORY")
# film [1, 3, side, side]: model.config has image_size, image_mean and image_std
encoded = model.encode_image(film)
answers = model.answer(encoded, ["Is there edema?"])
""",
    "classify": """from cxrkit.models.classifier import CXRClassifier

model = CXRClassifier.from_pretrained("FOLDER_OR_REPOSITORY")
# film [1, 3, side, side]: model.config has image_size, image_mean and image_std
probabilities = model(film).sigmoid()
""",
}
_INTENDED = """For research on chest X-ray models: to repeat the figures below, to compare models, to start
other trainings from it. It is not a medical device and not for decisions about patients."""
_REAL = """* The films come from one hospital (Beth Israel Deaconess Medical Center, Boston); other machines,
  patients and habits of reporting were not seen.
* Labels and answers were taken from reports by programs; they repeat what was reported, errors included.
* The data sets need credentialed access, and their data use agreement binds whoever trains on them. Neither
  films nor reports nor identifiers are in this folder."""
_DRAWN = """* The films are drawn by a program. The figures show that the software works; they say nothing
  about real films."""
_ORACLE = """* The scene graph it was trained with is the data set's own (`oracle`), which holds the
  answers: its figures are an upper bound, and nobody has such a graph of a new film."""


@dataclass(frozen=True)
class Evaluated:
    """Figures of an evaluation of the very same model.

    Attributes:
        split: the split.
        n_studies: studies in it.
        n_patients: patients in it.
        columns: of the table.
        rows: figure by figure, with intervals and controls.
        warning: what must be read first, or None.
    """

    split: str
    n_studies: int
    n_patients: int
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    warning: str | None = None


def model_card(
    facts: Mapping[str, Any],
    metadata: Mapping[str, Any],
    *,
    license_name: str | None = None,
    evaluated: Evaluated | None = None,
) -> str:
    """Gives the text of a model card.

    Args:
        facts: from `record_facts`.
        metadata: `training_metadata.json` of the model.
        license_name: for the front matter; None leaves it out.
        evaluated: figures with intervals, when the model was evaluated.
    """
    task = str(facts["task"])
    parts = [
        _front_matter(facts, license_name),
        f"# A cxrkit model: {_TITLES[task]}\n\nWritten by cxrkit {__version__}.",
        f"## Use\n\n```python\n{_USES[task]}```",
        f"## Intended use\n\n{_INTENDED}",
        f"## Data\n\n{_data(facts)}",
        f"## Figures\n\n{_figures(metadata, evaluated)}",
        f"## Limits\n\n{_limits(facts)}",
        f"## How it was made\n\n{_origin(facts, metadata)}",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(facts: Mapping[str, Any], license_name: str | None) -> str:
    task, is_synthetic = str(facts["task"]), facts["data"]["is_synthetic"]
    tags = ["chest-x-ray", "radiology", "medical-imaging", "cxrkit"] + ["synthetic-data"] * is_synthetic
    content: dict[str, Any] = {"library_name": "cxrkit", "pipeline_tag": _PIPELINES[task], "tags": tags}
    if task == "vqa":
        content["language"] = ["en"]
    if license_name is not None:
        content["license"] = license_name
    if facts["base_models"]:
        content["base_model"] = list(facts["base_models"])
    return f"---\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True)}---"


def _data(facts: Mapping[str, Any]) -> str:
    data, counts = facts["data"], facts["data"]["training"]
    names = " and ".join(data["names"])
    if data["is_synthetic"]:
        source = f"Synthetic films, drawn by cxrkit in the layout of {names}."
    elif data["is_there"]:
        source = f"{names}."
    else:
        source = f"{names}, by the layout; the source was not at hand when training began."
    asked = f", {format_count(counts['questions'])} questions" if facts["task"] == "vqa" else ""
    lines = [
        source,
        "",
        f"* Training split: {format_count(counts['films'])} films of "
        f"{format_count(counts['studies'])} studies and "
        f"{format_count(counts['patients'])} patients{asked}. The validation split chose the best model.",
        f"* Filters: {_assignments(data['filters'])}.",
        f"* Fingerprint of the index: `{facts['index_fingerprint']}`.",
    ]
    return "\n".join(lines)


def _figures(metadata: Mapping[str, Any], evaluated: Evaluated | None) -> str:
    tables = [] if evaluated is None else [_evaluated(evaluated)]
    rows = [
        (f"`{name}`", "not defined" if value is None else format_number(value), "no interval: point estimate")
        for name, value in metadata["validation_metrics"].items()
    ]
    heading = f"On the validation split, after {format_count(metadata['step'])} updates"
    which = "; the split chose this model, so they flatter it a little:"
    tables.append(f"{heading}{which}\n\n{_table(('figure', 'value', '95 % interval'), rows)}")
    return "\n\n".join(tables)


def _evaluated(evaluated: Evaluated) -> str:
    size = f"{format_count(evaluated.n_studies)} studies, {format_count(evaluated.n_patients)} patients"
    lines = [f"On the {evaluated.split} split ({size}); intervals over patients:"]
    if evaluated.warning is not None:
        lines.append(f"**{evaluated.warning}**")
    return "\n\n".join([*lines, _table(evaluated.columns, evaluated.rows)])


def _limits(facts: Mapping[str, Any]) -> str:
    settings, data = facts["settings"], facts["data"]
    parts = [_DRAWN if data["is_synthetic"] else _REAL]
    if data["filters"]["data.view_filter"] != "all":
        parts.append(f"* Only one kind of view was seen: `{data['filters']['data.view_filter']}`.")
    if data["filters"]["data.max_samples"] is not None:
        parts.append("* A trial: `data.max_samples` cut the training films.")
    if settings.get("model.scene_graph_source") == "oracle":
        parts.append(_ORACLE)
    return "\n".join(parts)


def _origin(facts: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    task = facts["task"]
    command = facts["command"] or f"# begun from Python, with cxrkit.training.{task}"
    settings = yaml.safe_dump(dict(facts["settings"]), sort_keys=False, allow_unicode=True)
    used = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return (
        f"```\n{command}\n```\n\n"
        f"Settings other than the defaults, paths left out:\n\n```yaml\n{settings}```\n\n"
        f"{facts['films_per_update']} films per update, {facts['processes']} process(es); "
        f"{metadata['weights']} weights. Versions: cxrkit {metadata['cxrkit_version']}, {used}."
    )


def _assignments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in values.items())


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
