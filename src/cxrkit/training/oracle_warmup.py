"""The data set's own graph as a start: fewer films see it with every update, until none does."""

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cxrkit.training.modules import VQAModule


class OracleWarmup(TrainerCallback):
    """Sets the share of films whose nodes come from the data set's graph; a function of the update alone.

    Args:
        module: the module that is trained.
        steps: updates until no film sees that graph; 0 for none at all.
    """

    def __init__(self, module: VQAModule, steps: int) -> None:
        self.module = module
        self.steps = steps

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Sets the share for the update that begins."""
        self.module.oracle_share = max(0.0, 1 - state.global_step / self.steps) if self.steps else 0.0
