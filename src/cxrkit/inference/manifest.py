"""What a prediction table was made from, so that another can make it again."""

import importlib.metadata
import json
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

from cxrkit.config import Settings
from cxrkit.data.films.manifest import file_sha256
from cxrkit.models.saved_model import WEIGHTS_FILE
from cxrkit.version import __version__

# Those whose numbers end up in the predictions.
_PACKAGES = ("torch", "torchvision", "timm", "transformers", "numpy", "pyarrow", "pillow", "numba")


def make_manifest(model_path: Path, settings: Settings, index_fingerprint: str) -> dict[str, Any]:
    """Gives what a prediction table was made from, as JSON values.

    No time and no machine stands in it: the same model on the same data gives the same manifest.

    Args:
        model_path: the model's folder.
        settings: whose data section says what was read.
        index_fingerprint: of the prepared data.
    """
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "index_fingerprint": index_fingerprint,
        "trained_index_fingerprint": _trained_on(model_path),
        "checkpoint_sha256": file_sha256(model_path / WEIGHTS_FILE),
        "configuration": settings.model_dump(mode="json"),
        "versions": {"cxrkit": __version__, "python": platform.python_version(), **versions},
        "seed": settings.training.seed,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def _trained_on(model_path: Path) -> str | None:
    """Gives the data that a model says it was trained on; None for one that does not say."""
    try:
        content = json.loads((model_path / "training_metadata.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = content.get("index_fingerprint") if isinstance(content, dict) else None
    return found if isinstance(found, str) else None
