"""From our settings to the engine's arguments, with what was adapted to the data told in the log."""

import importlib.util
import logging
import os
from typing import Any

import torch
from transformers import TrainingArguments

from cxrkit.config import ClassifySettings, Settings
from cxrkit.errors import SettingsError
from cxrkit.hardware import choose_precision
from cxrkit.training.deepspeed_configuration import deepspeed_configuration

logger = logging.getLogger(__name__)


def training_arguments(settings: Settings, steps_per_epoch: int) -> TrainingArguments:
    """Gives the engine's arguments.

    Validation and checkpoints come at least once per epoch, whatever `eval_steps` says: a small data
    set would otherwise end without a validated model.

    Args:
        settings: of either task.
        steps_per_epoch: updates in one pass over the training films.

    Raises:
        SettingsError: DeepSpeed is to be used and its configuration cannot be, or a launcher wants another.
    """
    training = settings.training
    require_no_other_engine(settings)
    if not torch.cuda.is_available():
        # The engine imports DeepSpeed where it is installed, which complains when it has to find this out.
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    precision = choose_precision(half_precision=training.fp16)
    logger.info("precision %s: %s", precision.name, precision.reason)
    eval_steps, save_steps = intervals(settings, steps_per_epoch)
    if (eval_steps, save_steps) != (training.eval_steps, training.save_steps):
        logger.info(
            "one epoch has %d steps: validating every %d, saving every %d",
            steps_per_epoch, eval_steps, save_steps,
        )  # fmt: skip
    deepspeed = _deepspeed(settings, precision.name)
    rate = learning_rate(settings)
    if rate != training.learning_rate:
        logger.info(
            "learning rate %.3g: training.learning_rate for %d films per update",
            rate,
            films_per_update(settings),
        )
    arguments = TrainingArguments(
        output_dir=str(training.output_dir),
        per_device_train_batch_size=training.batch_size_per_gpu,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        learning_rate=rate,
        lr_scheduler_type=training.lr_scheduler_type,
        weight_decay=training.weight_decay,
        warmup_steps=training.warmup_ratio,
        max_grad_norm=training.max_grad_norm,
        num_train_epochs=training.num_epochs,
        max_steps=training.max_steps,
        # DeepSpeed is told of it in its own configuration.
        bf16=precision.name == "bf16" and deepspeed is None,
        fp16=precision.name == "fp16" and deepspeed is None,
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
        # Trackers of our own decide what may be sent.
        report_to=[],
        torch_compile=training.torch_compile,
        deepspeed=deepspeed,
        logging_nan_inf_filter=False,
        ddp_find_unused_parameters=_leaves_weights_out(settings),
    )
    _keep_to_one_gpu(arguments)
    return arguments


def intervals(settings: Settings, steps_per_epoch: int) -> tuple[int, int]:
    """Gives the updates between validations and between checkpoints."""
    training = settings.training
    eval_steps = max(1, min(training.eval_steps, steps_per_epoch))
    save_steps = max(1, training.save_epochs * steps_per_epoch or min(training.save_steps, steps_per_epoch))
    return eval_steps, save_steps


def _leaves_weights_out(settings: Settings) -> bool:
    """Tells whether some weights are without a gradient in some updates: several processes must know."""
    if settings.training.freeze_backbone_epochs:
        return True
    if isinstance(settings, ClassifySettings):
        return False
    training, source = settings.training, settings.model.scene_graph_source
    return source != "predicted" or bool(training.oracle_warmup_steps or training.other_sources_share)


def processes() -> int:
    """Gives the number of processes that a launcher started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def films_per_update(settings: Settings) -> int:
    """Gives the films of an update: batch, accumulation and processes together."""
    training = settings.training
    return training.batch_size_per_gpu * training.gradient_accumulation_steps * processes()


def learning_rate(settings: Settings) -> float:
    """Gives the highest learning rate, scaled to the films per update where the settings say so."""
    training = settings.training
    if training.learning_rate_batch is None:
        return training.learning_rate
    return training.learning_rate * films_per_update(settings) / training.learning_rate_batch


def _keep_to_one_gpu(arguments: TrainingArguments) -> None:
    """Keeps the engine of a single process from dividing batches among all GPUs it sees.

    It would cut films and questions apart, whose rows point at each other.
    """
    if arguments.n_gpu > 1:
        logger.warning(
            "several GPUs, one is used: start with torchrun --nproc_per_node %d train_mimic_cxr.py ...",
            arguments.n_gpu,
        )
        arguments._n_gpu = 1


def _deepspeed(settings: Settings, precision: str) -> dict[str, Any] | None:
    """Gives DeepSpeed's configuration; None when it is not used."""
    if not uses_deepspeed(settings):
        return None
    training = settings.training
    sizes = {
        "train_batch_size": films_per_update(settings),
        "train_micro_batch_size_per_gpu": training.batch_size_per_gpu,
        "gradient_accumulation_steps": training.gradient_accumulation_steps,
        "gradient_clipping": training.max_grad_norm,
    }
    return deepspeed_configuration(settings.deepspeed, precision, sizes)


def require_no_other_engine(settings: Settings) -> None:
    """Returns when no launcher asks for a way to share the work that is not chosen by our settings.

    Raises:
        SettingsError: `accelerate launch` was told to use FSDP or DeepSpeed, which would not be used.
    """
    offered = {"ACCELERATE_USE_FSDP": False, "ACCELERATE_USE_DEEPSPEED": uses_deepspeed(settings)}
    mistakes = [
        f"{name}: accelerate launch asks for a way of sharing that is not used here; leave the option out: "
        "deepspeed.enabled decides whether ZeRO-2 divides the optimizer, and FSDP is not offered"
        for name, is_used in offered.items()
        if os.environ.get(name, "false").lower() in ("1", "true", "yes") and not is_used
    ]
    if mistakes:
        raise SettingsError("environment", mistakes)


def uses_deepspeed(settings: Settings) -> bool:
    """Tells whether DeepSpeed divides the optimizer among several processes."""
    if not settings.deepspeed.enabled or processes() < 2:
        return False
    if settings.training.freeze_backbone_epochs:
        # Its optimizer steps one array that holds frozen weights too: weight decay would shrink them.
        logger.info("training.freeze_backbone_epochs: every process holds the whole optimizer, no DeepSpeed")
        return False
    if importlib.util.find_spec("deepspeed") is None:
        logger.warning("several processes, but deepspeed is not installed (pip install 'cxrkit[deepspeed]')")
        return False
    return True


def strategy(settings: Settings) -> str:
    """Names who holds the optimizer: every process all of it, or each a part."""
    return f"DeepSpeed ZeRO-{settings.deepspeed.stage}" if uses_deepspeed(settings) else "replicated"
