"""The folder of a run: resolved settings, metrics, and the best model with all that is needed to load it."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cxrkit.config import Settings, dump_settings, given_path
from cxrkit.data.index import Index
from cxrkit.errors import ArtifactError
from cxrkit.models.calibration import ModelCalibration
from cxrkit.reporting import write_atomically
from cxrkit.training.best_models import RAW, Kept, defined_or_none
from cxrkit.training.checkpoints import write_manifest
from cxrkit.training.versions import installed_versions
from cxrkit.version import __version__

SETTINGS_FILE = "config.json"
BEST_MODEL = "best_model"
MODEL_SETTINGS_FILE = "settings.json"
METADATA_FILE = "training_metadata.json"
METRICS_FILE = "metrics.jsonl"
SPEED_FILE = "speed.jsonl"
RUN_FILE = "run.json"
_OF_A_RUN = {
    "task", "index_fingerprint", "films_per_update", "strategy", "processes", "batch_size", "settings",
}  # fmt: skip


class Savable(Protocol):
    """What can write itself into a folder."""

    def save_pretrained(self, save_directory: str) -> None:
        """Writes configuration, weights and what else belongs to the model."""


@dataclass(frozen=True)
class TrainedRun:
    """What a training leaves.

    Attributes:
        run_dir: the run's folder.
        best_model: folder of the best model.
        metrics: the validation metrics of the model that was kept; None where one was not defined.
        step: the update after which it was kept.
        chosen: by the metric of the settings; False when that had no value in any validation, and the
            last model was kept.
        weights: the kind that was kept.
        metric: name of the metric of the settings.
        others: the best of each kind of weights, where several were validated.
    """

    run_dir: Path
    best_model: Path
    metrics: dict[str, float | None]
    step: int
    chosen: bool = True
    weights: str = RAW
    metric: str = ""
    others: tuple[Kept, ...] = ()


def is_first_process() -> bool:
    """Tells whether this process writes the run's files; the launcher numbers the others from 1."""
    return int(os.environ.get("RANK", "0")) == 0


def require_free_run(settings: Settings) -> None:
    """Returns when the run's folder holds no model: a start that was interrupted before one does not count.

    Raises:
        ArtifactError: it holds an earlier run; nothing is overwritten.
    """
    run_dir = settings.training.output_dir
    models = [*run_dir.glob("checkpoint-*"), *(run_dir / name for name in (BEST_MODEL, f"{BEST_MODEL}.old"))]
    if is_first_process() and any(path.exists() for path in models):
        raise ArtifactError(
            "the run's folder holds an earlier run",
            expected="a new folder, or one without best_model and checkpoints",
            found=str(run_dir),
            next_step="go on with it: --resume_from_checkpoint auto; for a new run pass another "
            "--output_dir, or move the earlier run away",
        )


def start_run(settings: Settings, run: Mapping[str, Any]) -> Path:
    """Makes the run's folder and writes into it what the run is; called when all the rest is built.

    Args:
        settings: resolved; their folder was found free.
        run: what decides the run's weights, as JSON values.
    """
    run_dir = settings.training.output_dir
    run_dir.mkdir(parents=True, exist_ok=True)
    if is_first_process():
        # What an interrupted start logged is not of this run.
        for name in (METRICS_FILE, SPEED_FILE):
            (run_dir / name).unlink(missing_ok=True)
        dump_settings(settings, run_dir / SETTINGS_FILE)
        _write_run(run_dir, run, is_finished=False)
    return run_dir


def mark_finished(run_dir: Path) -> None:
    """Notes that a run came to its end."""
    if is_first_process():
        found = read_run(run_dir)
        _write_run(run_dir, {} if found is None else found["run"], is_finished=True)


def is_broken_off(run_dir: Path, run: Mapping[str, Any]) -> bool:
    """Tells whether the folder holds the beginning of this very run, which never came to its end."""
    found = read_run(run_dir)
    return found is not None and found["run"] == run and not found["finished"]


def _write_run(run_dir: Path, run: Mapping[str, Any], *, is_finished: bool) -> None:
    content = {"finished": is_finished, "versions": installed_versions(), "run": run}
    text = json.dumps(content, indent=1) + "\n"
    write_atomically(run_dir / RUN_FILE, text.encode())


def read_run(run_dir: Path) -> dict[str, Any] | None:
    """Gives what the folder's run is, and whether it is finished; None where nobody knows."""
    try:
        content: dict[str, Any] = json.loads((run_dir / RUN_FILE).read_text(encoding="utf-8"))
        is_known = content["run"].keys() >= _OF_A_RUN and "finished" in content
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        # Without it nobody knows what the folder holds, and it is treated as in use.
        return None
    return content if is_known else None


def with_absolute_paths(settings: Settings) -> Settings:
    """Gives the settings with every path that was set made absolute, so that they hold in any folder."""
    data, training = settings.data, settings.training
    names = ("workspace", "analysis_dir", "mimic_cxr_jpg_path", "mimic_ext_cxr_qba_path")
    paths = {name: getattr(data, name) for name in names}
    moved = {name: path.resolve() for name, path in paths.items() if given_path(path) is not None}
    output_dir = {"output_dir": training.output_dir.resolve()}
    return settings.model_copy(
        update={
            "data": data.model_copy(update=moved),
            "training": training.model_copy(update=output_dir),
        }
    )


def write_best_model(
    folder: Path,
    model: Savable,
    settings: Settings,
    index: Index,
    kept: Kept,
    calibration: ModelCalibration | None = None,
) -> Path:
    """Writes a model beside its place and moves it there, so that a half-written one is never taken.

    Args:
        folder: where it shall be.
        model: the network, with the weights that are kept.
        settings: the resolved settings.
        index: the index it was trained on.
        kept: which weights, after which update, how validated.
        calibration: fitted on the validation predictions of these weights.
    """
    temporary, old = (folder.with_name(f"{folder.name}{suffix}") for suffix in (".new", ".old"))
    for leftover in (temporary, old):
        shutil.rmtree(leftover, ignore_errors=True)
    model.save_pretrained(str(temporary))
    if calibration is not None:
        calibration.save(temporary)
    dump_settings(with_absolute_paths(settings), temporary / MODEL_SETTINGS_FILE)
    metadata = {
        "cxrkit_version": __version__,
        "task": settings.task,
        "index_fingerprint": index.fingerprint,
        "step": kept.step,
        "weights": kept.weights,
        "validation_metrics": defined_or_none(kept.metrics),
    }
    text = json.dumps(metadata, indent=1, allow_nan=False) + "\n"
    (temporary / METADATA_FILE).write_text(text, encoding="utf-8")
    write_manifest(temporary, {"step": kept.step, "run": {"task": settings.task}})
    if folder.exists():
        os.replace(folder, old)
    os.replace(temporary, folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder
