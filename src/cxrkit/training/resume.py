"""Where a training begins: at update 0, or at a whole checkpoint of the very same run."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cxrkit.config import Settings
from cxrkit.errors import ArtifactError
from cxrkit.training.arguments import films_per_update, processes, strategy, uses_deepspeed
from cxrkit.training.checkpoints import checkpoints_of, newest_whole, read_manifest, step_of
from cxrkit.training.deepspeed_configuration import configuration_digest
from cxrkit.training.run_folder import (
    is_broken_off,
    read_run,
    require_free_run,
)
from cxrkit.training.versions import installed_versions, other_versions

logger = logging.getLogger(__name__)

AUTO = "auto"
# What may differ from the run that is gone on with: it changes no weight.
FREE_KEYS = frozenset({
    "data.mimic_cxr_jpg_path", "data.mimic_ext_cxr_qba_path", "data.workspace", "data.analysis_dir",
    "data.films_in_reports",
    "model.dcnv3_backend", "training.output_dir", "training.resume_from_checkpoint",
    "training.logging_steps", "training.save_steps", "training.save_epochs",
    "training.save_total_limit", "training.max_skipped_steps", "training.dataloader_num_workers",
    "training.dataloader_pin_memory", "training.dataloader_persistent_workers", "training.hub_model_id",
    "training.silent_process_seconds",
    # A run goes on with the number of updates it began with.
    "training.budget_hours", "wandb.enabled", "wandb.project",
    "wandb.name", "wandb.group", "wandb.tags",
    "training.hub_push", "training.hub_private", "training.hub_license",
    # These count by what they make together, `films_per_update` and `strategy`.
    "training.batch_size_per_gpu", "training.gradient_accumulation_steps",
    "deepspeed.enabled", "deepspeed.config_path", "deepspeed.stage",
})  # fmt: skip
# Must be the same when a run is gone on with.
DECIDING = ("task", "index_fingerprint", "films_per_update", "strategy")
MOST_SHOWN = 8


def describe_run(settings: Settings, index_fingerprint: str) -> dict[str, Any]:
    """Gives what decides a run's weights, as JSON values: data, settings, how processes share an update.

    Args:
        settings: resolved.
        index_fingerprint: of the index it trains on.
    """
    content = settings.model_dump(mode="json")
    flat = {
        f"{section}.{key}": value
        for section, part in content.items()
        if isinstance(part, dict)
        for key, value in part.items()
    }
    deciding = {key: value for key, value in flat.items() if key not in FREE_KEYS}
    if uses_deepspeed(settings):
        # Its file may have an optimizer of its own: where it lies may change, what it says may not.
        deciding["deepspeed.config_path"] = configuration_digest(settings.deepspeed)
    return {
        "task": settings.task,
        "index_fingerprint": index_fingerprint,
        "films_per_update": films_per_update(settings),
        "strategy": strategy(settings),
        # Another division of the same films changes the last bits of sums, no more: it is told.
        "processes": processes(),
        "batch_size": settings.training.batch_size_per_gpu,
        "settings": deciding,
    }


def require_startable(settings: Settings) -> None:
    """Returns when a new run may use its folder, or an earlier one is to be gone on with.

    Raises:
        ArtifactError: the folder holds an earlier run and nothing was said about going on.
    """
    if settings.training.resume_from_checkpoint is None:
        require_free_run(settings)


def find_checkpoint(settings: Settings, run: Mapping[str, Any]) -> Path | None:
    """Gives the checkpoint that training goes on from; None begins at update 0.

    Args:
        settings: resolved.
        run: from `describe_run`.

    Raises:
        ArtifactError: the checkpoint is not whole, not of this run, or a later one stands in its way.
    """
    asked, run_dir = settings.training.resume_from_checkpoint, settings.training.output_dir
    if asked is None:
        require_free_run(settings)
        return None
    if asked == AUTO:
        checkpoint = _newest(settings, run)
    else:
        checkpoint = Path(asked)
        read_manifest(checkpoint)
        _require_newest_of(run_dir, checkpoint)
    if checkpoint is not None:
        manifest = read_manifest(checkpoint)
        _require_same_run(checkpoint, manifest["run"], run)
        _tell_other_division(manifest["run"], run)
        _tell_other_versions(manifest.get("versions", {}))
    return checkpoint


def _newest(settings: Settings, run: Mapping[str, Any]) -> Path | None:
    run_dir = settings.training.output_dir
    recorded = read_run(run_dir)
    checkpoint, rejected = newest_whole(run_dir, None if recorded is None else recorded["run"])
    for entry in rejected:
        logger.warning("%s is not used: %s", entry.path, entry.reason)
    if checkpoint is not None:
        return checkpoint
    if rejected:
        raise ArtifactError(
            f"no checkpoint in {run_dir} can be used",
            expected="one to go on from",
            found="\n".join(f"{entry.path.name}: {entry.reason}" for entry in rejected),
            next_step="move the folder away, or pass another --output_dir, and start anew",
        )
    if is_broken_off(run_dir, run):
        logger.info("%s holds this run from before its first checkpoint: starting anew", run_dir)
    else:
        require_free_run(settings)
    return None


def differences(before: Mapping[str, Any], now: Mapping[str, Any], *, there: str) -> list[str]:
    """Gives a line for each thing that decides weights and differs; another division of the films is none.

    Args:
        before: from `describe_run`, as it was recorded.
        now: from `describe_run`.
        there: where it was recorded, as the lines call it.
    """
    lines = [
        f"{key}: {before.get(key)} {there}, {now[key]} now" for key in DECIDING if before.get(key) != now[key]
    ]
    old, new = before.get("settings", {}), now["settings"]
    lines += [
        f"{key}: {old.get(key, 'not set')} {there}, {new.get(key, 'not set')} now"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
    return lines


def _require_newest_of(run_dir: Path, checkpoint: Path) -> None:
    found = checkpoints_of(run_dir)
    if checkpoint.resolve() not in [path.resolve() for path in found]:
        raise ArtifactError(
            "the checkpoint is not in the run's folder",
            expected=f"a checkpoint in {run_dir}",
            found=str(checkpoint),
            next_step=f"pass --output_dir {checkpoint.parent} too",
        )
    newest, _ = newest_whole(run_dir)
    if newest is not None and step_of(newest) > step_of(checkpoint):
        raise ArtifactError(
            f"the run has checkpoints later than {checkpoint.name}",
            expected="to go on from the latest one; nothing is overwritten",
            found=newest.name,
            next_step="move the later ones away, or pass --resume_from_checkpoint auto",
        )


def _tell_other_division(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if any(before[key] != now[key] for key in ("processes", "batch_size")):
        logger.warning(
            "batches of %d films in %d process(es) until here, of %d in %d from now on: the updates have the "
            "same films; sums differ in their last bits, batch normalization sees other batches, and dropout "
            "draws other numbers",
            before["batch_size"], before["processes"], now["batch_size"], now["processes"],
        )  # fmt: skip


def _tell_other_versions(before: Mapping[str, str]) -> None:
    others = other_versions(before, installed_versions())
    if before and others:
        logger.warning("sums may differ in their last bits from here on: %s", "; ".join(others))


def _require_same_run(checkpoint: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    lines = differences(before, now, there="in the checkpoint")
    if "ZeRO" in now["strategy"] and before.get("processes") != now["processes"]:
        # Each process holds its own part of the optimizer.
        lines.append(f"processes: {before.get('processes')} in the checkpoint, {now['processes']} now")
    if lines:
        more = len(lines) - MOST_SHOWN
        rest = [f"and {more} more"] if more > 0 else []
        raise ArtifactError(
            f"{checkpoint} is of a run with other data or settings",
            expected="the same: a run that goes on ends as if it had never been interrupted",
            found="\n".join([*lines[:MOST_SHOWN], *rest]),
            next_step="pass the settings of the run (config.json in its folder), or start a new one with "
            "another --output_dir",
        )
