"""The folder of a run: resolved settings, metrics, and the best model with all that is needed to load it."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cxrkit.config import Settings, dump_settings
from cxrkit.data.index import Index
from cxrkit.errors import ArtifactError
from cxrkit.version import __version__

SETTINGS_FILE = "config.json"
BEST_MODEL = "best_model"
MODEL_SETTINGS_FILE = "settings.json"
TOKENIZER = "tokenizer"
METADATA_FILE = "training_metadata.json"


class Savable(Protocol):
    """What can write itself into a folder."""

    def save(self, folder: Path) -> None:
        """Writes configuration and weights."""


@dataclass(frozen=True)
class TrainedRun:
    """What a training leaves.

    Attributes:
        run_dir: the run's folder.
        best_model: folder of the best model.
        metrics: the validation metrics of the best model.
        step: the update at which it was the best.
    """

    run_dir: Path
    best_model: Path
    metrics: dict[str, float]
    step: int


def start_run(settings: Settings) -> Path:
    """Makes the run's folder and writes the resolved settings into it.

    Raises:
        ArtifactError: the folder holds an earlier run; nothing is overwritten.
    """
    run_dir = settings.training.output_dir
    if (run_dir / SETTINGS_FILE).exists() or (run_dir / BEST_MODEL).exists():
        raise ArtifactError(
            "the run's folder holds an earlier run",
            expected="a new or empty folder",
            found=str(run_dir),
            next_step="pass another --output_dir, or move the earlier run away",
        )
    run_dir.mkdir(parents=True, exist_ok=True)
    dump_settings(settings, run_dir / SETTINGS_FILE)
    return run_dir


def write_best_model(
    run_dir: Path,
    model: Savable,
    settings: Settings,
    index: Index,
    metrics: dict[str, float],
    step: int,
    extra: Any,
) -> Path:
    """Writes `best_model/` beside its place and moves it there, so that a half-written one is never taken.

    Args:
        run_dir: the run's folder.
        model: the network.
        settings: the resolved settings.
        index: the index it was trained on.
        metrics: the validation metrics.
        step: number of updates.
        extra: something with `save_pretrained` (the tokenizer) to write too, or None.
    """
    temporary, final, old = (run_dir / f"{BEST_MODEL}{suffix}" for suffix in (".new", "", ".old"))
    for leftover in (temporary, old):
        shutil.rmtree(leftover, ignore_errors=True)
    model.save(temporary)
    if extra is not None:
        extra.save_pretrained(str(temporary / TOKENIZER))
    dump_settings(settings, temporary / MODEL_SETTINGS_FILE)
    metadata = {
        "cxrkit_version": __version__,
        "task": settings.task,
        "index_fingerprint": index.fingerprint,
        "step": step,
        "validation_metrics": metrics,
    }
    (temporary / METADATA_FILE).write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")
    if final.exists():
        os.replace(final, old)
    os.replace(temporary, final)
    shutil.rmtree(old, ignore_errors=True)
    return final
