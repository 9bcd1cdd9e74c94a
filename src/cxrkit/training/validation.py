"""Validation during training: every head judged in its own label space, never pooled."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cxrkit.data.index import Index
from cxrkit.errors import SettingsError
from cxrkit.metrics.classification import (
    accuracy,
    balanced_accuracy,
    exact_set_match,
    macro_auroc,
    micro_f1_over_sets,
)
from cxrkit.models.calibration import ModelCalibration
from cxrkit.models.decisions import choose_sets
from cxrkit.training.calibration import calibrate_answers, calibrate_findings
from cxrkit.vocabulary import ANSWER_HEADS, MULTI_LABEL_HEADS, Head

Batches = Iterable[Any]


class Validated(NamedTuple):
    """What a validation found.

    Attributes:
        metrics: by name.
        calibration: fitted on the same predictions; None where they are not finite.
    """

    metrics: dict[str, float]
    calibration: ModelCalibration | None


METRICS_OF_TASK: dict[str, tuple[str, ...]] = {
    "vqa": (
        "loss",
        "accuracy",
        "binary_accuracy",
        "binary_balanced_accuracy",
        "category_accuracy",
        "category_micro_f1",
        "region_accuracy",
        "region_micro_f1",
        "severity_accuracy",
        "severity_balanced_accuracy",
    ),
    "classify": ("loss", "mean_auroc"),
}


def require_metric(task: str, name: str) -> None:
    """Checks before any work that the metric that is to choose the best model exists.

    Raises:
        SettingsError: it does not.
    """
    if name not in METRICS_OF_TASK[task]:
        known = ", ".join(METRICS_OF_TASK[task])
        message = (
            f"training.metric_for_best_model: {name!r} is no validation metric of {task}; known: {known}"
        )
        raise SettingsError("training", [message])


def to_device(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Copies every tensor of a batch to a device."""
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}


@torch.no_grad()
def validate_vqa(module: nn.Module, device: torch.device, batches: Batches) -> Validated:
    """Gives the loss and each head's metrics on the validation films, and the calibration fitted there.

    `accuracy` is the unweighted mean over the heads that had questions: of the share of right answers
    (binary, severity) and of exactly right sets (category, region).

    Args:
        module: a VQA module with its loss.
        device: where it lives.
        batches: the validation batches.
    """
    module.eval()
    pairs: dict[Head, list[tuple[Tensor, Tensor]]] = defaultdict(list)
    losses: list[tuple[float, int]] = []
    for raw in batches:
        batch = to_device(raw, device)
        outputs = module(batch)
        losses.append((float(outputs["loss"]), len(batch["images"])))
        for code, head in enumerate(ANSWER_HEADS):
            rows = batch["head"] == code
            logits = getattr(outputs["answers"], str(head))[rows].float().cpu()
            pairs[head].append((batch[f"{head}_target"][rows].cpu(), logits))
    metrics = {"loss": _weighted_mean(losses)}
    answers = {}
    for head, parts in pairs.items():
        target = torch.cat([part[0] for part in parts]).numpy()
        logits = torch.cat([part[1] for part in parts]).numpy()
        if len(target):
            metrics |= _head_metrics(head, target, logits)
            answers[head] = target, _probabilities(head, logits)
    metrics["accuracy"] = float(
        np.mean([metrics[f"{head}_accuracy"] for head in pairs if f"{head}_accuracy" in metrics])
    )
    return Validated(metrics, calibrate_answers(answers) if _all_finite(answers) else None)


def _all_finite(answers: dict[Head, tuple[Any, Any]]) -> bool:
    # What a network says after its loss has gone is not to be fitted.
    return all(np.isfinite(probabilities).all() for _, probabilities in answers.values())


def _probabilities(head: Head, logits: Any) -> Any:
    if head in MULTI_LABEL_HEADS:
        return _sigmoid(logits)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _head_metrics(head: Head, target: Any, logits: Any) -> dict[str, float]:
    if head in MULTI_LABEL_HEADS:
        reference, predicted = target > 0, choose_sets(head, _sigmoid(logits))
        return {
            f"{head}_accuracy": exact_set_match(reference, predicted).value,
            f"{head}_micro_f1": micro_f1_over_sets(reference, predicted).value,
        }
    predicted = logits.argmax(-1)
    return {
        f"{head}_accuracy": accuracy(target, predicted).value,
        f"{head}_balanced_accuracy": balanced_accuracy(target, predicted).value,
    }


@torch.no_grad()
def validate_classifier(module: nn.Module, device: torch.device, batches: Batches, index: Index) -> Validated:
    """Gives loss and mean AUROC over the findings with both values on the validation films.

    The calibration is fitted on their studies.

    Args:
        module: a classifier module with its loss.
        device: where it lives.
        batches: the validation batches.
        index: whose studies the films are of.
    """
    module.eval()
    losses, targets, logits, rows = [], [], [], []
    for raw in batches:
        outputs = module(to_device(raw, device))
        losses.append((float(outputs["loss"]), len(outputs["target"])))
        targets.append(outputs["target"].cpu())
        logits.append(outputs["logits"].float().cpu())
        rows.append(raw["image_row"])
    reference = torch.cat(targets).numpy() > 0
    scores = torch.cat(logits).numpy()
    score = macro_auroc(reference, scores)
    metrics = {
        "loss": _weighted_mean(losses),
        "mean_auroc": score.value,
        "findings_scored": float(score.num_classes or 0),
    }
    if not np.isfinite(scores).all():
        return Validated(metrics, None)
    studies = np.asarray(index.column("images", "study_row"))[torch.cat(rows).numpy()]
    labels = np.asarray(index.column("studies", "chexpert"))[studies]
    return Validated(metrics, calibrate_findings(_sigmoid(scores), studies, labels))


def _sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))


def _weighted_mean(values: list[tuple[float, int]]) -> float:
    return sum(value * weight for value, weight in values) / max(1, sum(weight for _, weight in values))
