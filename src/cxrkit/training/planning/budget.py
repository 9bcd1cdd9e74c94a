"""As many updates as fit into a given time, in place of a number of epochs."""

import dataclasses
import logging
from typing import Any

from accelerate.utils import broadcast_object_list
from torch.utils.data import DataLoader

from cxrkit.config import Settings
from cxrkit.errors import SettingsError
from cxrkit.training.arguments import processes, training_arguments
from cxrkit.training.job import Job, training_batches
from cxrkit.training.planning.forecast import duration, training_hours
from cxrkit.training.planning.sizes import Sizes, sizes_of
from cxrkit.training.planning.trial import Trial, try_updates
from cxrkit.training.run_folder import read_run

logger = logging.getLogger(__name__)

# Loading, saving, and a machine that is not always equally fast.
USED = 0.9


def within_budget(job: Job) -> Job:
    """Gives the job with the number of updates that its budget allows; without a budget, as it is.

    A run that goes on keeps the number it began with. With the same number in `training.max_steps` a run is
    the same to the bit: trying leaves no trace.

    Args:
        job: what is trained.

    Raises:
        SettingsError: the budget is too short for one update.
    """
    if job.settings.training.budget_hours is None:
        return job
    updates = updates_begun_with(job.settings)
    if updates is None:
        # Of several processes the first decides; the engine's arguments connect them.
        _ = training_arguments(job.settings, 10**9).device
        updates = broadcast_object_list([_fitting(job)])[0]
    return _with_updates(job, updates)


def updates_begun_with(settings: Settings) -> int | None:
    """Gives the number of updates that the run began with that is gone on with; None for a new one."""
    training = settings.training
    if training.resume_from_checkpoint is None:
        return None
    found = read_run(training.output_dir)
    updates = -1 if found is None else int(found["run"]["settings"]["training.max_steps"])
    return updates if updates > 0 else None


def _fitting(job: Job) -> int:
    loader = training_batches(job)
    return budgeted(job, loader, try_updates(job, loader)).settings.training.max_steps


def budgeted(job: Job, loader: DataLoader[Any], trial: Trial) -> Job:
    """Gives the job with the number of updates that fit into its budget by a trial; as it is without one.

    Args:
        job: what is trained.
        loader: its batches.
        trial: of it.

    Raises:
        SettingsError: the budget is too short for one update.
    """
    hours = job.settings.training.budget_hours
    if hours is None:
        return job
    sizes = sizes_of(job, loader, processes())
    updates = updates_within(hours * USED, sizes, trial)
    if updates < 1:
        least = training_hours(dataclasses.replace(sizes, updates=1, validations=1), trial) / USED
        mistake = (
            f"training.budget_hours: found {duration(hours)}, expected more than {duration(least)}, "
            "which one update and its validation take"
        )
        raise SettingsError("training", [mistake])
    logger.info(
        "%d updates fit into %s: %.2f s each by %d real ones, %.0f %% left free",
        updates, duration(hours), trial.seconds_per_update, trial.updates, 100 * (1 - USED),
    )  # fmt: skip
    return _with_updates(job, updates)


def _with_updates(job: Job, updates: int) -> Job:
    training = job.settings.training.model_copy(update={"max_steps": updates})
    return dataclasses.replace(job, settings=job.settings.model_copy(update={"training": training}))


def updates_within(hours: float, sizes: Sizes, trial: Trial) -> int:
    """Gives the most updates whose time, validations included, is at most `hours`."""
    every = max(1, sizes.updates // max(1, sizes.validations))
    low, high = 0, int(hours * 3600 / trial.seconds_per_update)
    while low < high:
        middle = (low + high + 1) // 2
        tried = dataclasses.replace(sizes, updates=middle, validations=-(-middle // every))
        if training_hours(tried, trial) <= hours:
            low = middle
        else:
            high = middle - 1
    return low
