"""What a model card says of a training, written when it begins: data, settings, command, versions."""

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import timm

from cxrkit.config import Settings, VQASettings
from cxrkit.data.batches.dataset import FilmDataset
from cxrkit.data.index import Index
from cxrkit.data.synthetic.writer import MARKER
from cxrkit.models.text import SCRATCH
from cxrkit.reporting import write_atomically
from cxrkit.training.arguments import films_per_update, processes
from cxrkit.training.publishing.places import (
    command_without_places,
    is_place,
    settings_without_places,
    without_places,
)

FACTS_FILE = "model_card.json"
_PACKAGES = ("torch", "transformers", "timm")


def record_facts(run_dir: Path, settings: Settings, index: Index, films: FilmDataset) -> None:
    """Writes `model_card.json` into the folder of a run; nothing in it is of a patient or of this machine.

    Args:
        run_dir: the run's folder.
        settings: resolved.
        index: the index it trains on.
        films: the training films.
    """
    facts = {
        "task": settings.task,
        "command": command_without_places(sys.argv),
        "data": {**_sources(index), "filters": _filters(settings), "training": _counts(index, films)},
        "index_fingerprint": index.fingerprint,
        "settings": _chosen_settings(settings),
        "films_per_update": films_per_update(settings),
        "processes": processes(),
        "base_models": _base_models(settings),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    write_atomically(run_dir / FACTS_FILE, text.encode())


def _sources(index: Index) -> dict[str, Any]:
    films, questions = index.mimic_cxr_jpg_path, index.mimic_ext_cxr_qba_path
    names = ["MIMIC-CXR-JPG"] + ["MIMIC-Ext-CXR-QBA"] * (questions is not None)
    return {"names": names, "is_synthetic": (films.parent / MARKER).is_file(), "is_there": films.is_dir()}


def _filters(settings: Settings) -> dict[str, Any]:
    data = settings.data
    filters: dict[str, Any] = {"data.view_filter": data.view_filter, "data.max_samples": data.max_samples}
    if isinstance(settings, VQASettings):
        types = None if data.question_types is None else list(data.question_types)
        filters |= {"data.quality_grade": data.quality_grade, "data.question_types": types}
    return filters


def _counts(index: Index, films: FilmDataset) -> dict[str, int]:
    """Gives how much it trains on; a question belongs to a study, whose films share it."""
    study_of_film = index.column("images", "study_row")[films.selection.image_rows]
    studies, first_film = np.unique(study_of_film, return_index=True)
    return {
        "patients": len(np.unique(index.column("studies", "subject_id")[studies])),
        "studies": len(studies),
        "films": len(films),
        "questions": int(films.selection.num_questions[first_film].sum()),
    }


def _chosen_settings(settings: Settings) -> dict[str, Any]:
    """Gives the settings that are not the defaults, by dotted key."""
    defaults = settings_without_places(type(settings)())
    return {
        f"{section}.{key}": value
        for section, part in settings_without_places(settings).items()
        if isinstance(part, dict)
        for key, value in part.items()
        if value != defaults[section][key]
    }


def _base_models(settings: Settings) -> list[str]:
    """Gives the repositories of the hub whose weights the training started from."""
    found: list[str | None] = []
    if settings.model.pretrained is True:
        published = timm.get_pretrained_cfg(settings.model.visual_backbone)
        found.append(None if published is None else published.hf_hub_id)
    if isinstance(settings, VQASettings):
        encoder = settings.model.text_encoder
        found.append(None if encoder.startswith(SCRATCH) or is_place(encoder) else encoder)
    return [without_places(name).partition("@")[0] for name in found if name and name.count("/") == 1]
