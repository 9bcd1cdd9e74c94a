"""The best models in a run's folder, beside what a checkpoint says was kept."""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from cxrkit.errors import ArtifactError
from cxrkit.training.best_models import AVERAGED, OVERALL, RAW, Kept
from cxrkit.training.checkpoints import read_manifest
from cxrkit.training.run_folder import BEST_MODEL, METADATA_FILE

logger = logging.getLogger(__name__)
FOLDERS = {OVERALL: BEST_MODEL, RAW: f"{BEST_MODEL}_raw", AVERAGED: f"{BEST_MODEL}_averaged"}


def lost_models(run_dir: Path, kept: Mapping[str, Kept], *, mend: bool) -> list[str]:
    """Gives the places whose model is not in the run's folder any more.

    A process that was killed while it exchanged an old best model for a new one left the old one beside its
    place; it is taken. A model from after the checkpoint stays: going on comes to the same one again.

    Args:
        run_dir: the run's folder.
        kept: what the checkpoint says was kept, by place.
        mend: put what was left beside its place back; otherwise it only counts as there.
    """
    lost = []
    for place, model in kept.items():
        folder = run_dir / FOLDERS[place]
        if _held_step(folder) is not None:
            continue
        old = folder.with_name(f"{folder.name}.old")
        if _held_step(old) != model.step:
            lost.append(place)
        elif mend:
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(old, folder)
            logger.info("%s was left beside its place, and is put back", folder)
    return lost


def describe_lost(run_dir: Path, place: str, model: Kept) -> str:
    """Says that a model is lost, and what going on does about it."""
    return (
        f"{run_dir / FOLDERS[place]}, the model after {model.step} updates, is missing or damaged: "
        "the next validated one takes its place"
    )


def held_model(run_dir: Path, place: str, said: Kept) -> Kept:
    """Gives what is in a place, which is what is said to be there unless a part of the run was lost.

    Args:
        run_dir: the run's folder.
        place: which model.
        said: what training believes to be there.
    """
    folder = run_dir / FOLDERS[place]
    if _held_step(folder) in (said.step, None):
        return said
    found = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))
    logger.warning(
        "%s holds the model after %d updates, from a part of the run that was lost", folder, found["step"]
    )
    metrics = {
        name: float("nan") if value is None else value for name, value in found["validation_metrics"].items()
    }
    return Kept(found["weights"], found["step"], metrics)


def _held_step(folder: Path) -> int | None:
    try:
        return int(read_manifest(folder)["step"])
    except ArtifactError:
        return None
