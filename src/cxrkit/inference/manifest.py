"""What a prediction table was made from, so that another can make it again."""

import importlib.metadata
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
        "checkpoint_sha256": file_sha256(model_path / WEIGHTS_FILE),
        "configuration": settings.model_dump(mode="json"),
        "versions": {"cxrkit": __version__, "python": platform.python_version(), **versions},
        "seed": settings.training.seed,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
