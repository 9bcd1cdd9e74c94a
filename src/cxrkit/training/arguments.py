"""From our settings to the engine's arguments, with what was adapted to the data told in the log."""

import importlib.util
import logging
from pathlib import Path

import torch
from transformers import TrainingArguments

from cxrkit.config import Settings
from cxrkit.hardware import choose_precision

logger = logging.getLogger(__name__)


def training_arguments(settings: Settings, steps_per_epoch: int) -> TrainingArguments:
    """Gives the engine's arguments.

    Validation and checkpoints come at least once per epoch, whatever `eval_steps` says: a small data
    set would otherwise end without a validated model.

    Args:
        settings: of either task.
        steps_per_epoch: updates in one pass over the training films.
    """
    training = settings.training
    precision = choose_precision(half_precision=training.fp16)
    logger.info("precision %s: %s", precision.name, precision.reason)
    eval_steps = max(1, min(training.eval_steps, steps_per_epoch))
    save_steps = max(1, min(training.save_steps, steps_per_epoch))
    if (eval_steps, save_steps) != (training.eval_steps, training.save_steps):
        logger.info(
            "one epoch has %d steps: validating every %d, saving every %d",
            steps_per_epoch,
            eval_steps,
            save_steps,
        )
    return TrainingArguments(
        output_dir=str(training.output_dir),
        per_device_train_batch_size=training.batch_size_per_gpu,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.lr_scheduler_type,
        weight_decay=training.weight_decay,
        warmup_steps=training.warmup_ratio,
        max_grad_norm=training.max_grad_norm,
        num_train_epochs=training.num_epochs,
        max_steps=training.max_steps,
        bf16=precision.name == "bf16",
        fp16=precision.name == "fp16",
        logging_steps=training.logging_steps,
        eval_strategy="steps",
        eval_steps=eval_steps,
        save_strategy="steps",
        save_steps=save_steps,
        save_total_limit=training.save_total_limit,
        seed=training.seed,
        data_seed=training.seed,
        dataloader_num_workers=training.dataloader_num_workers,
        dataloader_pin_memory=training.dataloader_pin_memory,
        use_cpu=not torch.cuda.is_available(),
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=_trackers(settings),
        deepspeed=_deepspeed(settings),
        logging_nan_inf_filter=False,
    )


def _trackers(settings: Settings) -> list[str]:
    if not settings.wandb.enabled:
        return ["tensorboard"]
    if importlib.util.find_spec("wandb") is None:
        logger.warning("wandb is not installed: logging to TensorBoard only (pip install 'cxrkit[wandb]')")
        return ["tensorboard"]
    return ["tensorboard", "wandb"]


def _deepspeed(settings: Settings) -> str | None:
    if not settings.deepspeed.enabled or torch.cuda.device_count() < 2:
        return None
    if importlib.util.find_spec("deepspeed") is None:
        logger.warning("several GPUs, but deepspeed is not installed (pip install 'cxrkit[deepspeed]')")
        return None
    return str(Path(settings.deepspeed.config_path))
