"""Batch, accumulation and loading processes that fit: the machine, or the run that goes on."""

from collections.abc import Collection

from cxrkit.config import Settings
from cxrkit.hardware import Choice, Hardware, planned_settings
from cxrkit.training.arguments import processes
from cxrkit.training.run_folder import read_run

BATCH, ACCUMULATION = "training.batch_size_per_gpu", "training.gradient_accumulation_steps"


def fitting_settings(settings: Settings, given: Collection[str], hardware: Hardware) -> dict[str, Choice]:
    """Gives settings by key, each with its reason.

    A run that goes on keeps the films of its updates, also on another machine: a job that is put back into
    the queue may come to another kind of GPU.

    Args:
        settings: resolved without them.
        given: keys that a user decided; with either of batch and accumulation neither is changed.
        hardware: of this machine.
    """
    fitting = planned_settings(hardware) | _of_the_run(settings)
    if BATCH in given or ACCUMULATION in given:
        fitting = {key: choice for key, choice in fitting.items() if key not in (BATCH, ACCUMULATION)}
    return {key: choice for key, choice in fitting.items() if key not in given}


def _of_the_run(settings: Settings) -> dict[str, Choice]:
    if settings.training.resume_from_checkpoint is None:
        return {}
    found = read_run(settings.training.output_dir)
    if found is None:
        return {}
    batch, films = found["run"]["batch_size"], found["run"]["films_per_update"]
    accumulation, rest = divmod(films, batch * processes())
    if rest or not accumulation:
        # Refused later, in the words of going on.
        return {}
    reason = f"of the run that goes on, {films} films per update"
    return {BATCH: Choice(batch, reason), ACCUMULATION: Choice(accumulation, reason)}
