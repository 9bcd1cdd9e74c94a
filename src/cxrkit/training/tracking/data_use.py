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

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z][\w /+.()-]{0,99}")
# subject_id and study_id have eight digits, a dicom_id five groups of eight hexadecimal ones.
_IDENTIFIER = re.compile(r"(?<!\d)\d{8}(?!\d)|(?:[0-9a-f]{8}-){2}", re.IGNORECASE)
_PATH = re.compile(r"[/~.]|.*\\|[A-Za-z]:[\\/]")


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
    """Gives the settings without paths: what is trained and how, not where.

    Args:
        settings: resolved.
    """
    sent: dict[str, Any] = {}
    for section, part in settings.model_dump().items():
        values = part if isinstance(part, dict) else {"": part}
        for key, value in values.items():
            if not isinstance(value, Path) and is_plain(str(value)) and not is_path(value):
                sent[f"{section}.{key}" if key else section] = value
    return sent


def is_plain(text: str) -> bool:
    """Tells whether a text could be no identifier of a patient, study or film, and no prose.

    >>> is_plain("eval_loss"), is_plain("loss of p10000032/s50414267")
    (True, False)
    """
    return _IDENTIFIER.search(text) is None and (_NAME.fullmatch(text) is not None or _is_value(text))


def is_path(value: object) -> bool:
    """Tells whether a value names a place on a disk.

    >>> is_path("/data/weights.pth"), is_path("emilyalsentzer/Bio_ClinicalBERT")
    (True, False)
    """
    return isinstance(value, str) and _PATH.match(value) is not None


def _is_value(text: str) -> bool:
    """Tells whether a text is of a number, a list or a mapping, as settings have them."""
    return re.fullmatch(r"[-\d.e+]+|[({\[].{0,300}[)}\]]", text) is not None
