"""Graph sources mixed within training batches: a function of the update alone, so that runs can be resumed.

The films of a batch come in random order; which of them see another graph is decided by their places.
"""

import math
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cxrkit.models.nodes import GRAPH_SOURCES

ORACLE = "oracle"


@dataclass
class SourceMixing:
    """How many films of a batch get their graph from another source than the model's own.

    Attributes:
        oracle_warmup_steps: updates over which the share of films with the data set's own graph falls from
            all to none; 0 for none at all.
        other_sources_share: share of the films that get the other sources in turn.
        step: updates done.
    """

    oracle_warmup_steps: int = 0
    other_sources_share: float = 0.0
    step: int = 0

    def sources(self, own: str, films: int) -> str | list[str]:
        """Gives the source of each of a batch's films, or the one that all have."""
        warming = max(0.0, 1 - self.step / self.oracle_warmup_steps) if self.oracle_warmup_steps else 0.0
        oracle = math.ceil(warming * films)
        mixed = [ORACLE] * oracle + [own] * (films - oracle)
        others = [source for source in GRAPH_SOURCES if source != own]
        for place in range(min(self._mixed_until(films, 1) - self._mixed_until(films, 0), films - oracle)):
            mixed[-1 - place] = others[(self._mixed_until(films, 0) + place) % len(others)]
        return own if set(mixed) == {own} else mixed

    def _mixed_until(self, films: int, more_steps: int) -> int:
        """Counts the films that get another source up to an update: small shares add up over batches."""
        return math.floor(self.other_sources_share * films * (self.step + more_steps) + 1e-9)


class FollowSteps(TrainerCallback):
    """Tells the mixing which update begins."""

    def __init__(self, mixing: SourceMixing) -> None:
        self.mixing = mixing

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Notes the updates done."""
        self.mixing.step = state.global_step
