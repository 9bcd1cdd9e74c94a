"""What may be sent to others: numbers about a whole training, and settings; nothing about patients.

The data use agreement of MIMIC-CXR (PhysioNet Credentialed Health Data License 1.5.0) forbids sharing data;
paths and names of the machine are nobody's business either.
"""

import logging
import math
import re
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

from cxrkit.config import Settings
from cxrkit.errors import SettingsError
from cxrkit.vocabulary import FINDINGS

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z][\w/+.()-]{0,99}")
# What people call their projects and runs: a few words.
_WORDS = re.compile(r"[\w+.()-]+(?: [\w+.()-]+){0,3}")
# The value of a setting that chooses among a few: no blank, no slash.
_CHOICE = re.compile(r"[A-Za-z][\w+.:-]{0,59}")
# A model on the hub is named by its owner too; a folder is named just so.
_MODELS = frozenset({"model.visual_backbone", "model.text_encoder"})
_REPOSITORY = re.compile(r"[\w.-]{1,60}/[\w.-]{1,60}")
_NEVER = frozenset({"training.resume_from_checkpoint", "training.hub_model_id"})
# subject_id and study_id have eight digits, a dicom_id five groups of eight hexadecimal ones.
_IDENTIFIER = re.compile(r"(?<!\d)\d{8}(?!\d)|(?:[0-9a-f]{8}-){2}", re.IGNORECASE)


def sendable(values: Mapping[str, Any]) -> dict[str, float]:
    """Gives the single finite numbers with a plain name; the rest stays here, and is named in the log.

    Args:
        values: what was logged, by name.
    """
    sent, kept = {}, []
    for name, value in values.items():
        if not isinstance(value, Real) or not is_plain(name):
            kept.append(name)
        elif math.isfinite(value):
            sent[name] = float(value)
    if kept:
        logger.warning(
            "not sent to the trackers, for it is no number about the training: %s", ", ".join(kept)
        )
    return sent


def sendable_settings(settings: Settings) -> dict[str, Any]:
    """Gives the settings that say what is trained and how: numbers, switches, choices, names of models.

    Where things lie, where they are sent to and how somebody calls them stay here.

    Args:
        settings: resolved.
    """
    sent: dict[str, Any] = {}
    for section, part in settings.model_dump().items():
        if section == "wandb":
            continue
        values = part if isinstance(part, dict) else {"": part}
        for key, value in values.items():
            name = f"{section}.{key}" if key else section
            if name not in _NEVER and _is_setting(name, value):
                sent[name] = value
    return sent


def require_sendable_names(settings: Settings) -> None:
    """Returns when the names that W&B is told hold no identifier and no sentence.

    Raises:
        SettingsError: a project, name, group or tag could say something about a patient.
    """
    chosen = settings.wandb
    if not chosen.enabled:
        return
    named = [("project", chosen.project), ("name", chosen.name), ("group", chosen.group)]
    named += [("tags", tag) for tag in chosen.tags]
    mistakes = [
        f"wandb.{key}: found {text!r}, expected up to four words without an identifier of a patient, "
        "study or film: it leaves this machine"
        for key, text in named
        if text is not None and (_WORDS.fullmatch(text) is None or _IDENTIFIER.search(text) is not None)
    ]
    if mistakes:
        raise SettingsError("wandb", mistakes)


def is_plain(text: str) -> bool:
    """Tells whether a text could be the name of a number: no identifier, no blank, no prose.

    >>> is_plain("eval_loss"), is_plain("loss of p10000032/s50414267"), is_plain("p10000032")
    (True, False, False)
    """
    return _IDENTIFIER.search(text) is None and _NAME.fullmatch(text) is not None


def _is_setting(name: str, value: Any) -> bool:
    if value is None or isinstance(value, bool | int | float):
        return True
    if isinstance(value, list | tuple):
        return all(isinstance(part, int | float) for part in value)
    if isinstance(value, dict):
        return all(key in FINDINGS and isinstance(part, int | float) for key, part in value.items())
    if not isinstance(value, str) or _IDENTIFIER.search(value) is not None or Path(value).exists():
        return False
    return _CHOICE.fullmatch(value) is not None or (
        name in _MODELS and _REPOSITORY.fullmatch(value) is not None
    )
