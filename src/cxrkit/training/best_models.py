"""The best model by a validation metric: of each kind of weights, and of all."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

LOWER_IS_BETTER = frozenset({"loss"})
OVERALL, RAW, AVERAGED = "best", "raw", "averaged"


@dataclass(frozen=True)
class Kept:
    """A model that was kept: which weights, after which update, with which validation metrics."""

    weights: str
    step: int
    metrics: dict[str, float]


# Writes the model as it is now; called with OVERALL or a kind of weights, and what is kept.
Keep = Callable[[str, Kept], None]


@dataclass
class BestModels:
    """Decides after each validation whether a model is the best so far.

    Attributes:
        metric: name of the validation metric that decides.
        keep: writes a model.
        kinds: of weights that are validated; with several, the best of each is kept besides the best of all.
        best: what is kept, by OVERALL or kind.
        without_better: validations since the last better model.
    """

    metric: str
    keep: Keep
    kinds: tuple[str, ...] = (RAW,)
    best: dict[str, Kept] = field(default_factory=dict)
    without_better: int = 0

    def see(
        self, validated: Mapping[str, dict[str, float]], step: int, *, write: Callable[[str], Any]
    ) -> None:
        """Keeps each model that is better than all before it.

        Args:
            validated: the metrics of each kind of weights.
            step: number of updates.
            write: gives a context in which the network has the weights of a kind.
        """
        before = dict(self.best)
        for kind, metrics in validated.items():
            places = [OVERALL] if len(self.kinds) == 1 else [OVERALL, kind]
            better = [place for place in places if self._is_better(metrics, place)]
            with write(kind):
                for place in better:
                    self.best[place] = Kept(kind, step, dict(metrics))
                    self.keep(place, self.best[place])
        self.without_better = 0 if self.best != before else self.without_better + 1

    def _is_better(self, metrics: Mapping[str, float], place: str) -> bool:
        value = self._value(metrics)
        if math.isnan(value):
            return False
        if place not in self.best:
            return True
        sign = -1 if self.metric in LOWER_IS_BETTER else 1
        return sign * value > sign * self._value(self.best[place].metrics)

    def _value(self, metrics: Mapping[str, float]) -> float:
        """Gives the deciding value; a head without validation questions has none.

        The answers of a network whose loss is not finite mean nothing.
        """
        return metrics.get(self.metric, math.nan) if math.isfinite(metrics["loss"]) else math.nan

    def state(self) -> dict[str, Any]:
        """Gives what a checkpoint must hold, as JSON values."""
        return {
            "best": {
                place: {**asdict(kept), "metrics": defined_or_none(kept.metrics)}
                for place, kept in self.best.items()
            },
            "without_better": self.without_better,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on from `state`."""
        self.best = {
            place: Kept(kept["weights"], kept["step"], _numbers(kept["metrics"]))
            for place, kept in state["best"].items()
        }
        self.without_better = int(state["without_better"])


def defined_or_none(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Gives metrics with None for NaN and infinities, which JSON does not know.

    >>> defined_or_none({"loss": 0.5, "mean_auroc": float("nan")})
    {'loss': 0.5, 'mean_auroc': None}
    """
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in metrics.items()
    }


def _numbers(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in metrics.items()}
