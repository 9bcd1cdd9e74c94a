"""Phase 3 with a model: predict, score, report."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from cxrkit.config import ClassifySettings, Settings, VQASettings
from cxrkit.data.films.manifest import file_sha256
from cxrkit.data.index import Index
from cxrkit.errors import ArtifactError, SettingsError
from cxrkit.evaluation.bertscore import open_scorer, with_bertscore
from cxrkit.evaluation.films import FilmLookup
from cxrkit.evaluation.ownership import require_free
from cxrkit.evaluation.publish import EvaluationResult, publish_evaluation
from cxrkit.evaluation.report import REPORT_FILE
from cxrkit.evaluation.strata import PatientTables, read_patients, with_patients
from cxrkit.evaluation.workspace_films import workspace_films
from cxrkit.inference.classification import predict_classifier
from cxrkit.inference.questions import predict_vqa
from cxrkit.models.configuration import ClassifierConfig, SSGVQAConfig, read_config
from cxrkit.models.saved_model import WEIGHTS_FILE

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
    bertscore_model: str | None = None,
    explanation_questions: int = 0,
    patient_tables: Sequence[Path] = (),
    ask_consistency: bool = True,
    pdf: bool = False,
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
        bertscore_model: local folder or name of a model for BERTScore; None computes none.
        explanation_questions: how many answers are explained; see `inference.perturbation`.
        ask_consistency: also ask what must agree; see `inference.consistency`.
        patient_tables: files that tell sex, age or race of the patients; see `strata.read_patients`.
        pdf: write the page as `report.pdf` too.
        progress: called with (stage, done, total).

    Raises:
        CxrkitError: the model, the workspace or the predictions are not usable.
    """
    patients = _patients(settings, patient_tables)
    scorer = None if bertscore_model is None else open_scorer(bertscore_model)
    predictions = predict_vqa(
        model_path,
        settings,
        split=split,
        protocols=protocols,
        compute_attention=compute_attention,
        explanation_questions=explanation_questions,
        ask_consistency=ask_consistency,
        progress=progress,
    )
    answers = predictions.answers
    if scorer is not None:
        answers = with_bertscore(answers, scorer, str(bertscore_model), progress=progress)
    if patients is not None:
        answers = with_patients(answers, patients)
    return publish_evaluation(
        answers, output_dir, _films(settings), predictions.graphs, predictions.consistency, pdf=pdf
    )


def evaluate_classifier(
    model_path: Path,
    settings: ClassifySettings,
    *,
    split: str = "test",
    output_dir: Path,
    patient_tables: Sequence[Path] = (),
    pdf: bool = False,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Evaluates a 14-label classifier and its controls on one split; arguments as for `evaluate_vqa`."""
    patients = _patients(settings, patient_tables)
    predictions = predict_classifier(model_path, settings, split=split, progress=progress)
    if patients is not None:
        predictions = with_patients(predictions, patients)
    return publish_evaluation(predictions, output_dir, _films(settings), pdf=pdf)


def _patients(settings: Settings, tables: Sequence[Path]) -> PatientTables | None:
    """Reads tables of patients before the model runs, so that a wrong one costs nothing."""
    if not tables:
        return None
    return read_patients(tables, Index.open(settings.data.workspace).column("studies", "subject_id").tolist())


def evaluate_model(
    model_path: Path,
    settings: Settings,
    *,
    split: str = "test",
    output_dir: Path,
    protocols: Sequence[str] | None = None,
    compute_attention: bool = False,
    bertscore_model: str | None = None,
    overwrite: bool = False,
    explanation_questions: int = 0,
    patient_tables: Sequence[Path] = (),
    ask_consistency: bool = True,
    pdf: bool = False,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Evaluates a model of either task; arguments as for `evaluate_vqa`.

    `overwrite` lets it replace the results of another model, split or data in the folder.

    Raises:
        ArtifactError: the model is not one of the settings' task, or the folder holds other results.
        SettingsError: protocols or explanations are asked for of a classifier.
        CxrkitError: the model, the workspace or the predictions are not usable.
    """
    _require_task(model_path, settings.task)
    if not isinstance(settings, VQASettings):
        _require_of_classifier(protocols, explanation_questions, bertscore_model)
    if not overwrite and (output_dir / REPORT_FILE).exists():
        fingerprint = Index.open(settings.data.workspace).fingerprint
        own = identity_of(model_path, settings.task, split, fingerprint)
        require_free(output_dir, own, overwrite=False)
    if isinstance(settings, VQASettings):
        return evaluate_vqa(
            model_path,
            settings,
            split=split,
            output_dir=output_dir,
            protocols=protocols,
            compute_attention=compute_attention,
            explanation_questions=explanation_questions,
            bertscore_model=bertscore_model,
            patient_tables=patient_tables,
            ask_consistency=ask_consistency,
            pdf=pdf,
            progress=progress,
        )
    return evaluate_classifier(
        model_path,
        settings,
        split=split,
        output_dir=output_dir,
        patient_tables=patient_tables,
        pdf=pdf,
        progress=progress,
    )


def _require_of_classifier(
    protocols: Sequence[str] | None, explanation_questions: int, bertscore_model: str | None
) -> None:
    asked = {
        "protocols": (protocols is not None, "a classifier always has its own controls"),
        "compute_explanations": (explanation_questions > 0, "a classifier has no attention"),
        "bertscore_model": (bertscore_model is not None, "a classifier gives no sentences"),
    }
    found = [
        f"--{name}: of VQA models only; {reason}, leave it out"
        for name, (is_asked, reason) in asked.items()
        if is_asked
    ]
    if found:
        raise SettingsError("command line", found)


def identity_of(model_path: Path, task: str, split: str, index_fingerprint: str) -> dict[str, Any]:
    """Gives what tells the results of one evaluation from those of another; see `ownership`."""
    weights = model_path / WEIGHTS_FILE
    return {
        "task": task,
        "split": split,
        # A folder without weights is told when the model is loaded.
        "checkpoint_sha256": file_sha256(weights) if weights.is_file() else None,
        "index_fingerprint": index_fingerprint,
    }


def _films(settings: Settings) -> FilmLookup | None:
    """Gives the films for the gallery, where the settings allow them in a report."""
    return workspace_films(settings.data.workspace) if settings.data.films_in_reports else None


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
