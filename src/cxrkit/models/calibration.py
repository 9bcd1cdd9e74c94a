"""What a model says about its own probabilities: thresholds, temperatures, and how often it was right.

`calibration.json` lies beside the weights it was fitted with, on the validation split, when they were kept.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cxrkit.errors import ArtifactError

CALIBRATION_FILE = "calibration.json"
SCHEMA_VERSION = 1
CLASSIFIER = "classifier"  # the head of the 14-label classifier


@dataclass(frozen=True)
class ScoreGroup:
    """Validation rows with similar scores.

    Attributes:
        up_to: highest score of the group; it begins above that of the one before.
        n: rows in it.
        n_positive: of them.
    """

    up_to: float
    n: int
    n_positive: int


@dataclass(frozen=True)
class ClassCalibration:
    """One class of a head.

    Attributes:
        threshold: probability from which it counts as positive; None where there is none.
        temperature: divides its logits; None where none could be fitted.
        n: validation rows.
        n_positive: of them.
        groups: of similar scores, the lowest first.
    """

    threshold: float | None
    temperature: float | None
    n: int
    n_positive: int
    groups: tuple[ScoreGroup, ...]

    def group_of(self, probability: float) -> ScoreGroup | None:
        """Gives the validation rows that were scored like this; None without any."""
        fitting = (group for group in self.groups if probability <= group.up_to)
        return next(fitting, self.groups[-1] if self.groups else None)

    def describe(self, probability: float, unit: str) -> str:
        """Says what a probability means.

        Args:
            probability: in 0..1.
            unit: plural of what was scored, such as "studies".

        >>> groups = (ScoreGroup(0.4, 50, 4), ScoreGroup(1.0, 50, 24))
        >>> ClassCalibration(0.31, 1.2, 100, 28, groups).describe(0.62, "studies")
        '0.62; positive above 0.31; of 50 validation studies scored like this 48 % were positive'
        """
        parts = [f"{probability:.2f}"]
        if self.threshold is not None:
            parts.append(f"positive above {self.threshold:.2f}")
        group = self.group_of(probability)
        if group is not None:
            share = f"{100 * group.n_positive / group.n:.0f} %"
            parts.append(f"of {group.n} validation {unit} scored like this {share} were positive")
        return "; ".join(parts)


@dataclass(frozen=True)
class ModelCalibration:
    """What a model says about its own probabilities.

    Attributes:
        split: on which it was fitted.
        unit: plural of what was scored: studies or questions.
        heads: classes by head and name.
        head_temperatures: of heads whose classes exclude each other.
    """

    split: str
    unit: str
    heads: Mapping[str, Mapping[str, ClassCalibration]]
    head_temperatures: Mapping[str, float | None]

    def describe(self, head: str, name: str, probability: float) -> str | None:
        """Says what a probability means; None for a class that was not among the validation rows."""
        known = self.heads.get(head, {}).get(name)
        return None if known is None else known.describe(probability, self.unit)

    def to_json(self) -> dict[str, Any]:
        """Gives it as JSON values."""
        return {"schema_version": SCHEMA_VERSION, **_without_nan(asdict(self))}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ModelCalibration":
        """Reads what `to_json` gave.

        Raises:
            ArtifactError: it is of another version or shape.
        """
        try:
            if content["schema_version"] != SCHEMA_VERSION:
                raise ValueError(f"schema_version {content['schema_version']}")
            heads = {
                head: {name: _class_of(values) for name, values in classes.items()}
                for head, classes in content["heads"].items()
            }
            temperatures = {head: _optional(value) for head, value in content["head_temperatures"].items()}
            return cls(str(content["split"]), str(content["unit"]), heads, temperatures)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(
                "the model's calibration cannot be read",
                expected=f"schema_version {SCHEMA_VERSION} with split, unit, heads, head_temperatures",
                found=f"{type(error).__name__}: {error}",
                next_step="copy the model folder again, or train with this version",
            ) from error

    def save(self, folder: Path) -> None:
        """Writes `calibration.json` into a model's folder."""
        text = json.dumps(self.to_json(), indent=1, sort_keys=True, allow_nan=False)
        (folder / CALIBRATION_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "ModelCalibration | None":
        """Reads a model's calibration; None for a model that was kept without one.

        Raises:
            ArtifactError: the file is damaged.
        """
        path = folder / CALIBRATION_FILE
        if not path.exists():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"{path} cannot be read",
                expected="JSON",
                found=str(error),
                next_step="copy the model folder again",
            ) from error
        return cls.from_json(content)


def _class_of(values: Mapping[str, Any]) -> ClassCalibration:
    groups = (
        ScoreGroup(float(group["up_to"]), int(group["n"]), int(group["n_positive"]))
        for group in values["groups"]
    )
    return ClassCalibration(
        _optional(values["threshold"]),
        _optional(values["temperature"]),
        int(values["n"]),
        int(values["n_positive"]),
        tuple(groups),
    )


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
