"""Examines the folder of a run: what is whole, what going on would do, what differs from now."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrkit.config import Settings
from cxrkit.data.index import Index
from cxrkit.errors import ArtifactError, CxrkitError
from cxrkit.training.best_models import BestModels
from cxrkit.training.checkpoints import (
    MANIFEST,
    checkpoints_of,
    newest_whole,
    read_manifest,
    step_of,
    why_unusable,
)
from cxrkit.training.engine import OWN_STATE
from cxrkit.training.kept_models import describe_lost, lost_models
from cxrkit.training.planning.budget import updates_begun_with
from cxrkit.training.resume import AUTO, describe_run, find_checkpoint
from cxrkit.training.run_folder import BEST_MODEL, RUN_FILE, read_run
from cxrkit.training.versions import installed_versions, other_versions

TRAINER_STATE = "trainer_state.json"


@dataclass(frozen=True)
class Examined:
    """A folder of the run.

    Attributes:
        path: of it.
        step: updates done when it was written; None where nobody knows.
        size: bytes of its files.
        problem: why it cannot be used; empty when it is whole.
    """

    path: Path
    step: int | None
    size: int
    problem: str


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        run_dir: the run's folder.
        is_finished: the run came to its end.
        checkpoints: latest first.
        models: best models.
        leftovers: what an interrupted save left; removed by the next one.
        notes: what differs from now, and what else is worth knowing.
        verdict: what going on would do.
        refusal: why going on is refused; None when it is not.
    """

    run_dir: Path
    is_finished: bool
    checkpoints: tuple[Examined, ...]
    models: tuple[Examined, ...]
    leftovers: tuple[Path, ...]
    notes: tuple[str, ...]
    verdict: str
    refusal: CxrkitError | None


def recorded_run(run_dir: Path) -> dict[str, Any]:
    """Gives what the folder's run is.

    Raises:
        ArtifactError: it is no folder of a run.
    """
    found = read_run(run_dir) if run_dir.is_dir() else None
    if found is None:
        raise ArtifactError(
            f"{run_dir} is no folder of a run",
            expected=f"the folder that --output_dir named, with {RUN_FILE} in it",
            found=f"no {RUN_FILE}" if run_dir.is_dir() else "no such folder",
            next_step="name the folder above best_model and the checkpoints",
        )
    return found


def examine(run_dir: Path, settings: Settings) -> Diagnosis:
    """Examines a run without changing it.

    Args:
        run_dir: the run's folder.
        settings: those that it would be gone on with; their folder is taken to be this one.

    Raises:
        ArtifactError: it is no folder of a run.
    """
    recorded = recorded_run(run_dir)
    settings = _going_on(settings, run_dir)
    models = [path for path in sorted(run_dir.glob(f"{BEST_MODEL}*")) if path.is_dir()]
    fingerprint, notes = _fingerprint(settings, recorded)
    with _collected_warnings() as warnings:
        verdict, refusal = _verdict(settings, fingerprint, bool(recorded["finished"]))
    return Diagnosis(
        run_dir=run_dir,
        is_finished=bool(recorded["finished"]),
        checkpoints=tuple(_checkpoint(path, recorded["run"]) for path in checkpoints_of(run_dir)),
        models=tuple(_model(path) for path in models),
        leftovers=tuple(sorted([*run_dir.glob(".checkpoint-*.part"), *run_dir.glob(f"{BEST_MODEL}*.new")])),
        notes=(*notes, *_versions(recorded), *_lost(run_dir, recorded["run"]), *warnings),
        verdict=verdict,
        refusal=refusal,
    )


def _going_on(settings: Settings, run_dir: Path) -> Settings:
    """Gives the settings as `--resume_from_checkpoint auto` in this folder would have them."""
    own = {"output_dir": run_dir, "resume_from_checkpoint": AUTO}
    settings = settings.model_copy(update={"training": settings.training.model_copy(update=own)})
    if settings.training.budget_hours is None:
        return settings
    training = settings.training.model_copy(update={"max_steps": updates_begun_with(settings) or -1})
    return settings.model_copy(update={"training": training})


def _checkpoint(folder: Path, run: dict[str, Any]) -> Examined:
    return Examined(folder, step_of(folder), _size(folder), why_unusable(folder, run))


def _model(folder: Path) -> Examined:
    if not (folder / MANIFEST).is_file():
        reason = f"no {MANIFEST}: written by an earlier version, or not to the end"
        return Examined(folder, None, _size(folder), reason)
    try:
        return Examined(folder, int(read_manifest(folder)["step"]), _size(folder), "")
    except ArtifactError as error:
        return Examined(folder, None, _size(folder), error.found)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _versions(recorded: dict[str, Any]) -> list[str]:
    if "versions" not in recorded:
        return ["the versions of Python and packages that it was made with are not recorded"]
    return other_versions(recorded["versions"], installed_versions())


def _fingerprint(settings: Settings, recorded: dict[str, Any]) -> tuple[str, list[str]]:
    """Gives the fingerprint of the prepared data of now, or that of the run where it is not there."""
    own = str(recorded["run"]["index_fingerprint"])
    try:
        return Index.open(settings.data.workspace).fingerprint, []
    except CxrkitError as error:
        return own, [f"the prepared data cannot be compared: {error.found or error}"]


def _verdict(settings: Settings, fingerprint: str, is_finished: bool) -> tuple[str, CxrkitError | None]:
    try:
        checkpoint = find_checkpoint(settings, describe_run(settings, fingerprint))
    except CxrkitError as error:
        if is_finished and not checkpoints_of(settings.training.output_dir):
            return "the run is finished; its checkpoints are gone, so it cannot be gone on with", None
        return "going on is refused", error
    if checkpoint is None:
        return "going on begins anew: there is no checkpoint yet", None
    step, last = step_of(checkpoint), _last_update(checkpoint)
    patience = settings.training.early_stopping_patience
    if is_finished and (step >= last or 0 < patience <= _without_better(checkpoint)):
        return f"the run is finished, after {step:,} updates: going on gives its best model again", None
    return f"going on begins after update {step:,} of {last:,}, from {checkpoint.name}", None


def _without_better(checkpoint: Path) -> int:
    own = json.loads((checkpoint / OWN_STATE).read_text(encoding="utf-8"))
    return int(own["best"]["without_better"])


def _lost(run_dir: Path, run: dict[str, Any]) -> list[str]:
    """Says which of the models that the newest whole checkpoint says were kept are not there."""
    checkpoint, _ = newest_whole(run_dir, run)
    if checkpoint is None:
        return []
    best = BestModels("loss", keep=lambda *_: None)
    best.load(json.loads((checkpoint / OWN_STATE).read_text(encoding="utf-8"))["best"])
    lost = lost_models(run_dir, best.best, mend=False)
    return [describe_lost(run_dir, place, best.best[place]) for place in lost]


def _last_update(checkpoint: Path) -> int:
    return int(json.loads((checkpoint / TRAINER_STATE).read_text(encoding="utf-8"))["max_steps"])


class _Collecting(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Collects what going on would warn of, in place of showing it."""
    handler, log = _Collecting(), logging.getLogger("cxrkit.training.resume")
    log.addHandler(handler)
    before, log.propagate = log.propagate, False
    try:
        yield handler.messages
    finally:
        log.removeHandler(handler)
        log.propagate = before
