"""Phase 3 with a model: predict, score, report."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from cxrkit.config import ClassifySettings, Settings, VQASettings
from cxrkit.errors import ArtifactError, SettingsError
from cxrkit.evaluation.publish import EvaluationResult, publish_evaluation
from cxrkit.evaluation.workspace_films import workspace_films
from cxrkit.inference.classification import predict_classifier
from cxrkit.inference.questions import predict_vqa
from cxrkit.models.configuration import ClassifierConfig, SSGVQAConfig, read_config

Progress: TypeAlias = Callable[[str, int, int], None]

_TASK_OF_MODEL = {SSGVQAConfig.model_type: "vqa", ClassifierConfig.model_type: "classify"}


def evaluate_vqa(
    model_path: Path,
    settings: VQASettings,
    *,
    split: str = "test",
    output_dir: Path,
    protocols: Sequence[str] | None = None,
    compute_attention: bool = False,
    explanation_questions: int = 0,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Evaluates a VQA model under several protocols on one split.

    Args:
        model_path: a folder with the model's configuration and weights.
        settings: which data, and how it is read.
        split: `train`, `validate` or `test`.
        output_dir: where predictions, report and page go.
        protocols: names of `inference.protocols.PROTOCOLS`; None takes all that the model can do.
        compute_attention: keep what the answers attended to in the predictions.
        explanation_questions: how many answers are explained; see `inference.perturbation`.
        progress: called with (stage, done, total).

    Raises:
        CxrkitError: the model, the workspace or the predictions are not usable.
    """
    predictions = predict_vqa(
        model_path,
        settings,
        split=split,
        protocols=protocols,
        compute_attention=compute_attention,
        explanation_questions=explanation_questions,
        progress=progress,
    )
    films = workspace_films(settings.data.workspace)
    return publish_evaluation(predictions.answers, output_dir, films, predictions.graphs)


def evaluate_classifier(
    model_path: Path,
    settings: ClassifySettings,
    *,
    split: str = "test",
    output_dir: Path,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Evaluates a 14-label classifier and its controls on one split; arguments as for `evaluate_vqa`."""
    predictions = predict_classifier(model_path, settings, split=split, progress=progress)
    return publish_evaluation(predictions, output_dir, workspace_films(settings.data.workspace))


def evaluate_model(
    model_path: Path,
    settings: Settings,
    *,
    split: str = "test",
    output_dir: Path,
    protocols: Sequence[str] | None = None,
    compute_attention: bool = False,
    explanation_questions: int = 0,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Evaluates a model of either task; arguments as for `evaluate_vqa`.

    Raises:
        ArtifactError: the model is not one of the settings' task.
        SettingsError: protocols or explanations are asked for of a classifier.
        CxrkitError: the model, the workspace or the predictions are not usable.
    """
    _require_task(model_path, settings.task)
    if isinstance(settings, VQASettings):
        return evaluate_vqa(
            model_path,
            settings,
            split=split,
            output_dir=output_dir,
            protocols=protocols,
            compute_attention=compute_attention,
            explanation_questions=explanation_questions,
            progress=progress,
        )
    if protocols is not None:
        raise SettingsError(
            "command line",
            ["--protocols: these are of VQA models; a classifier always has its own controls, leave it out"],
        )
    if explanation_questions:
        raise SettingsError(
            "command line",
            ["--compute_explanations: of VQA models only; a classifier has no attention, leave it out"],
        )
    return evaluate_classifier(model_path, settings, split=split, output_dir=output_dir, progress=progress)


def task_of_model(model_path: Path) -> str:
    """Gives the task a saved model is for: `vqa` or `classify`.

    Raises:
        ArtifactError: there is no model in the folder, or it is of an unknown kind.
    """
    kind = read_config(model_path).get("model_type")
    task = _TASK_OF_MODEL.get(str(kind))
    if task is None:
        raise ArtifactError(
            f"the model in {model_path} is of an unknown kind",
            expected=f"model_type {' or '.join(_TASK_OF_MODEL)}",
            found=f"model_type {kind}",
            next_step="pass the best_model folder of a run made by this version",
        )
    return task


def _require_task(model_path: Path, task: str) -> None:
    found = task_of_model(model_path)
    if found != task:
        raise ArtifactError(
            "model and settings are of different tasks",
            expected=f"a model of task {task}, as in the settings",
            found=f"a model of task {found} in {model_path}",
            next_step="pass the configuration that the model was trained with",
        )
