"""What happens between updates: logging, progress, patience, the epoch, freezing, the moving average."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cxrkit.data.batches.sampling import EpochSampler
from cxrkit.training.best_models import BestModels, defined_or_none
from cxrkit.training.run_folder import METRICS_FILE
from cxrkit.training.weight_average import WeightAverage

Progress = Callable[[str, int, int], None]


class MetricsFile(TrainerCallback):
    """Appends everything that is logged to `metrics.jsonl`."""

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / METRICS_FILE

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Writes one line; the engine's summary at the end is of this process, not of the run."""
        if state.is_world_process_zero and logs and "train_runtime" not in logs:
            with self.path.open("a", encoding="utf-8") as file:
                line = {"step": state.global_step, **defined_or_none(logs)}
                file.write(json.dumps(line, allow_nan=False) + "\n")


class StepProgress(TrainerCallback):
    """Reports every step to whoever shows progress."""

    def __init__(self, stage: str, progress: Progress) -> None:
        self.stage = stage
        self.progress = progress

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Tells the steps done and their number."""
        self.progress(self.stage, state.global_step, state.max_steps)


class Patience(TrainerCallback):
    """Stops after so many validations without a better model."""

    def __init__(self, best: BestModels, patience: int) -> None:
        self.best = best
        self.patience = patience

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Looks at the validations since the best one; the last update is saved too."""
        if self.best.without_better >= self.patience:
            control.should_training_stop = control.should_save = True


class FollowEpochs(TrainerCallback):
    """Tells the sampler which epoch begins.

    The engine's own way to the sampler is blocked by the wrappers it puts around a loader when there are
    several processes or when a run goes on inside an epoch.
    """

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Sets the epoch, of which `state.epoch` counts the done share too."""
        self.sampler.set_epoch(int(state.epoch or 0))


class FrozenBackbone(TrainerCallback):
    """Keeps the backbone as it is for the first epochs: no gradient, no running statistics, no dropout.

    Args:
        backbone: the part that is frozen.
        trained: its own parts that are trained all the same, such as a classifier's head.
        epochs: so many.
    """

    def __init__(self, backbone: nn.Module, trained: tuple[nn.Module, ...], epochs: int) -> None:
        self.backbone = backbone
        self.epochs = epochs
        kept = {id(weight) for part in trained for weight in part.parameters()}
        self.weights = [weight for weight in backbone.parameters() if id(weight) not in kept]
        spared = {id(module) for part in trained for module in part.modules()}
        self.modules = [module for module in backbone.modules() if id(module) not in spared]
        self.is_frozen = False
        # The engine puts everything into training mode before each forward pass.
        backbone.register_forward_pre_hook(self._keep_still)

    def _keep_still(self, *_: Any) -> None:
        if self.is_frozen:
            for module in self.modules:
                module.training = False

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Freezes or lets go, as the epoch asks."""
        self.is_frozen = int(state.epoch or 0) < self.epochs
        for weight in self.weights:
            weight.requires_grad_(not self.is_frozen)


class FollowWeights(TrainerCallback):
    """Takes the weights after each update into their moving average."""

    def __init__(self, network: nn.Module, average: WeightAverage) -> None:
        self.network = network
        self.average = average

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Follows one update."""
        self.average.follow(self.network)
