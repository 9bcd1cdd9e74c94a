"""Runs the engine for either task: arguments, callbacks, best models, going on, publishing."""

import logging
import os
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from accelerate.utils import broadcast_object_list
from torch.utils.data import DataLoader
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cxrkit.errors import TrainingStopped
from cxrkit.training.agreement import require_same_start
from cxrkit.training.arguments import processes, training_arguments
from cxrkit.training.arithmetic import fixed_order, seed_anew
from cxrkit.training.best_models import AVERAGED, OVERALL, RAW, BestModels, Kept, defined_or_none
from cxrkit.training.callbacks import (
    FollowEpochs,
    FollowWeights,
    FrozenBackbone,
    MetricsFile,
    Patience,
    Progress,
    StepProgress,
)
from cxrkit.training.checkpoints import checkpoint_path
from cxrkit.training.engine import TRAINER_STATE, CxrkitTrainer, Outcome
from cxrkit.training.job import Job, training_batches, updates_per_epoch
from cxrkit.training.kept_models import FOLDERS, describe_lost, held_model, lost_models
from cxrkit.training.planning import sizes_of, within_budget
from cxrkit.training.planning.first_updates import TellForecast
from cxrkit.training.process_watch import ProcessWatch
from cxrkit.training.publishing.facts import FACTS_FILE, record_facts
from cxrkit.training.publishing.moments import Publisher
from cxrkit.training.resume import describe_run, find_checkpoint
from cxrkit.training.run_folder import (
    BEST_MODEL,
    RUN_FILE,
    TrainedRun,
    is_first_process,
    mark_finished,
    start_run,
    write_best_model,
)
from cxrkit.training.run_logs import cut_logs
from cxrkit.training.stopping import StopRequest
from cxrkit.training.tracking import Tracking, open_trackers
from cxrkit.training.weight_average import WeightAverage

logger = logging.getLogger(__name__)


def run_training(job: Job, progress: Progress | None = None) -> TrainedRun:
    """Trains a module and leaves its best model in the run's folder.

    Args:
        job: what is trained.
        progress: called with (stage, steps done, steps).

    Raises:
        TrainingStopped: a signal asked to stop; a checkpoint was saved.
        ArtifactError: the run's folder is in use, or the checkpoint to go on from cannot be used.
        SettingsError: the budget of hours is too short for one update.
        ProcessLostError: another process of this training died or was stopped.
    """
    stop = StopRequest()
    watch = ProcessWatch(
        int(os.environ.get("RANK", "0")),
        processes(),
        job.settings.training.silent_process_seconds,
        is_ending=lambda: stop.signal_name is not None,
    )
    # A launcher ends the others when one died: they listen until they have named it.
    with stop.listening(), watch.watching():
        job = within_budget(job)
        trainer, checkpoint = _begin(job, stop, progress)
        trained = _train_and_close(trainer, checkpoint, job, stop)
    if trained is None:
        raise _stopped(stop, trainer.run_dir, trainer.state.global_step)
    mark_finished(trainer.run_dir)
    return trained


def _begin(job: Job, stop: StopRequest, progress: Progress | None) -> tuple[CxrkitTrainer, Path | None]:
    """Gives the trainer, and the checkpoint that it goes on from."""
    settings, run = job.settings, describe_run(job.settings, job.index.fingerprint)
    checkpoint = find_checkpoint(settings, run)
    run_dir = start_run(settings, run) if checkpoint is None else settings.training.output_dir
    if is_first_process() and (checkpoint is None or not (run_dir / FACTS_FILE).is_file()):
        record_facts(run_dir, settings, job.index, job.films)
    trainer = _trainer(job, run_dir, run, stop, progress)
    stop.accelerator = trainer.accelerator
    accumulation = settings.training.gradient_accumulation_steps
    require_same_start(
        trainer.accelerator, run_dir, checkpoint, run, accumulation=accumulation, marks=(RUN_FILE,)
    )
    return trainer, checkpoint


def _train_and_close(
    trainer: CxrkitTrainer, checkpoint: Path | None, job: Job, stop: StopRequest
) -> TrainedRun | None:
    """Trains, and closes what was opened for it; None when a signal asked to stop before the end."""
    training = job.settings.training
    publisher = Publisher(trainer.run_dir, training, trainer.outcome.best)
    trainer.add_callback(publisher)
    with closing(trainer.outcome.tracking), closing(publisher):
        with fixed_order(training.deterministic):
            _train(trainer, checkpoint, training.early_stopping_patience)
        if not stop.stopped:
            trained = _finish(trainer.run_dir, trainer)
            if trainer.is_world_process_zero():
                publisher.finish()
            return trained
    # The first process to end has all others ended by the launcher: the trackers' work must be done.
    trainer.accelerator.wait_for_everyone()
    return None


def _trainer(
    job: Job, run_dir: Path, run: dict[str, Any], stop: StopRequest, progress: Progress | None
) -> CxrkitTrainer:
    training = job.settings.training
    loader = training_batches(job)
    average = WeightAverage(job.module, training.ema_decay) if training.ema_decay else None

    def keep(place: str, kept: Kept) -> None:
        if trainer.is_world_process_zero():
            calibration = outcome.calibrations.get(kept.weights)
            write_best_model(run_dir / FOLDERS[place], job.model, job.settings, job.index, kept, calibration)

    kinds = (RAW,) if average is None else (RAW, AVERAGED)
    best = BestModels(training.metric_for_best_model, keep, kinds)
    tracking = Tracking(run_dir, partial(open_trackers, job.settings))
    outcome = Outcome(job.validate, best, average, run, tracking)
    trainer = CxrkitTrainer(
        job.module,
        training_arguments(job.settings, updates_per_epoch(job, loader, processes())),
        loader,
        outcome,
        [*_callbacks(job, run_dir, outcome, loader, progress), *job.callbacks, stop],
        max_skipped_steps=training.max_skipped_steps,
        parameter_groups=job.parameter_groups,
    )
    trainer.add_callback(_FollowTrainer(trainer))
    sizes = sizes_of(job, loader, processes())
    trainer.add_callback(TellForecast(job.settings, sizes, trainer.meter))
    return trainer


def _callbacks(
    job: Job, run_dir: Path, outcome: Outcome, loader: DataLoader[Any], progress: Progress | None
) -> list[TrainerCallback]:
    training = job.settings.training
    sampler: Any = loader.sampler
    callbacks: list[TrainerCallback] = [FollowEpochs(sampler), MetricsFile(run_dir), outcome.tracking]
    if outcome.average is not None:
        callbacks.append(FollowWeights(job.module, outcome.average))
    if training.freeze_backbone_epochs:
        callbacks.append(FrozenBackbone(job.backbone, job.head, training.freeze_backbone_epochs))
    if progress is not None:
        callbacks.append(StepProgress(f"training {job.settings.task}", progress))
    if training.early_stopping_patience:
        callbacks.append(Patience(outcome.best, training.early_stopping_patience))
    return callbacks


class _FollowTrainer(TrainerCallback):
    """Tells the trainer where it begins and where an update ends, which the engine tells only callbacks."""

    def __init__(self, trainer: CxrkitTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step == 0 and args.process_index > 0:
            # The engine gives every process the same seed, and with it the same dropout.
            seed_anew(args.seed, 0, args.process_index)
        self.trainer.go_on()
        # A checkpoint's state has the intervals that it was written with.
        state.compute_steps(args, state.max_steps)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.trainer.meter.end_update()


def _train(trainer: CxrkitTrainer, checkpoint: Path | None, patience: int) -> None:
    """Trains to the end, from a checkpoint when there is one, which may already be the end."""
    if checkpoint is None:
        trainer.train()
        return
    trainer.load_own_state(checkpoint)
    _find_kept_models(trainer)
    state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE))
    cut_logs(trainer.run_dir, state.global_step)
    place = (checkpoint, state.global_step, state.max_steps)
    if state.global_step >= state.max_steps or 0 < patience <= trainer.outcome.best.without_better:
        logger.info("nothing left to train: %s is at update %d of %d", *place)
        state.is_world_process_zero = trainer.is_world_process_zero()
        trainer.state = state
        trainer.load_weights_of(checkpoint)
        return
    logger.info("going on from %s, update %d of %d", *place)
    trainer.train(resume_from_checkpoint=str(checkpoint))


def _find_kept_models(trainer: CxrkitTrainer) -> None:
    """Looks whether the models that were kept are there; all processes forget those that are not."""
    best, run_dir, is_first = trainer.outcome.best, trainer.run_dir, trainer.is_world_process_zero()
    lost = lost_models(run_dir, best.best, mend=True) if is_first else []
    for place in broadcast_object_list([lost])[0]:
        logger.warning("%s", describe_lost(run_dir, place, best.best.pop(place)))


def _stopped(stop: StopRequest, run_dir: Path, step: int) -> TrainingStopped:
    return TrainingStopped(
        f"asked to by {stop.signal_name or 'a signal to another process'}, after {step} updates",
        found=f"saved: {checkpoint_path(run_dir, step)}",
        next_step="the same command with --resume_from_checkpoint auto goes on",
    )


def _finish(run_dir: Path, trainer: CxrkitTrainer) -> TrainedRun:
    """Validates once more when the last update was not, keeps the last model when none was the best."""
    best, last = trainer.outcome.best, trainer.state.log_history[-2:]
    is_validated = any(
        entry.get("step") == trainer.state.global_step and "eval_loss" in entry for entry in last
    )
    if not is_validated or (OVERALL not in best.best and not trainer.latest):
        trainer.evaluate()
    chosen = OVERALL in best.best
    if chosen:
        logger.info(
            "best %s on the validation split: %.4f", best.metric, best.best[OVERALL].metrics[best.metric]
        )
    else:
        logger.warning("no validation value of %s: the last model is kept", best.metric)
        best.best[OVERALL] = Kept(RAW, trainer.state.global_step, trainer.latest)
        best.keep(OVERALL, best.best[OVERALL])
    kept = best.best[OVERALL] = held_model(run_dir, OVERALL, best.best[OVERALL])
    others = tuple(best.best[kind] for kind in best.kinds if kind in best.best and len(best.kinds) > 1)
    return TrainedRun(
        run_dir,
        run_dir / BEST_MODEL,
        defined_or_none(kept.metrics),
        kept.step,
        chosen,
        kept.weights,
        best.metric,
        others,
    )
