"""The folder `hub_upload/`: all that others need to load the best model, and nothing else, by allow-list."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cxrkit.config import load_settings
from cxrkit.errors import ArtifactError
from cxrkit.models.configuration import CONFIG_FILE, read_config
from cxrkit.models.saved_model import WEIGHTS_FILE
from cxrkit.training.publishing.facts import FACTS_FILE
from cxrkit.training.publishing.model_card import Evaluated, model_card
from cxrkit.training.publishing.places import settings_without_places, without_places
from cxrkit.training.publishing.published_files import (
    CALIBRATION_FILE,
    CARD_FILE,
    METADATA_KEYS,
    TOKENIZER,
    TOKENIZER_CONFIG,
    TOKENIZER_FILES,
)
from cxrkit.training.run_folder import BEST_MODEL, METADATA_FILE, MODEL_SETTINGS_FILE


def write_upload_folder(run_dir: Path, folder: Path, evaluated: Evaluated | None = None) -> Path:
    """Writes what is published of a run beside its place and moves it there; the best model stays as it is.

    Args:
        run_dir: the run's folder.
        folder: where it shall be; an earlier one there is replaced.
        evaluated: figures of an evaluation, for the model card.

    Raises:
        ArtifactError: the run has no best model, or does not say how it was made.
    """
    model = run_dir / BEST_MODEL
    config = read_config(model)
    facts = _read_json(run_dir / FACTS_FILE)
    metadata = {
        name: value for name, value in _read_json(model / METADATA_FILE).items() if name in METADATA_KEYS
    }
    settings = load_settings(model / MODEL_SETTINGS_FILE)
    temporary, old = (folder.with_name(f"{folder.name}{suffix}") for suffix in (".new", ".old"))
    for leftover in (temporary, old):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary.mkdir(parents=True)
    _link(model / WEIGHTS_FILE, temporary / WEIGHTS_FILE)
    if (model / CALIBRATION_FILE).is_file():
        _link(model / CALIBRATION_FILE, temporary / CALIBRATION_FILE)
    if (model / TOKENIZER).is_dir():
        _copy_tokenizer(model / TOKENIZER, temporary / TOKENIZER)
    _write_json(temporary / CONFIG_FILE, without_places(config))
    _write_json(temporary / METADATA_FILE, metadata)
    _write_json(temporary / MODEL_SETTINGS_FILE, settings_without_places(settings))
    card = model_card(facts, metadata, license_name=settings.training.hub_license, evaluated=evaluated)
    (temporary / CARD_FILE).write_text(card, encoding="utf-8")
    if folder.exists():
        os.replace(folder, old)
    os.replace(temporary, folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def _link(source: Path, target: Path) -> None:
    """Gives a file a second name; a copy where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _copy_tokenizer(source: Path, target: Path) -> None:
    target.mkdir()
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            _link(source / name, target / name)
    if (source / TOKENIZER_CONFIG).is_file():
        _write_json(target / TOKENIZER_CONFIG, without_places(_read_json(source / TOKENIZER_CONFIG)))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} cannot be read",
            expected="what training writes into the folder of a run",
            found=str(error),
            next_step="pass the folder of a run of this version",
        ) from error
    return content


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
