"""`cxrkit push`: sends the best model of a run to the Hugging Face Hub, also long after its training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxrkit.cli.options import HubModelId
from cxrkit.errors import ArtifactError, SettingsError

if TYPE_CHECKING:
    from cxrkit.training.publishing.model_card import Evaluated

RUN_SETTINGS, BEST_MODEL, REPORT = "config.json", "best_model", "evaluation_report.json"
EVALUATIONS = "evaluation_results"


def push(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN_OR_FOLDER", help="Folder of a run, or its hub_upload.")
    ],
    hub_model_id: HubModelId = None,
    public: Annotated[
        bool, typer.Option("--public", help="The repository may be public (training.hub_private=false).")
    ] = False,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            "--evaluation",
            help="Evaluation of the same model, for the figures of the model card; by default "
            "evaluation_results here or in the run's folder, when it is of this model.",
        ),
    ] = None,
) -> None:
    """Upload a model with its card to a private repository.

    What is uploaded stands in the folder hub_upload of the run.
    """
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.training.publishing.hub import Repository, require_hub_name, upload
    from cxrkit.training.publishing.published_files import require_published_files

    terminal = open_terminal()
    run_dir = _run_of(folder)
    if run_dir is None and evaluation is not None:
        raise SettingsError(
            "command line", [f"--evaluation: {folder} is already written; pass the run's folder"]
        )
    name, is_private = hub_model_id, not public
    if run_dir is not None:
        name, is_private = _repository(run_dir, hub_model_id, public)
    if name is None:
        raise SettingsError("command line", ["--hub_model_id: name the repository, user/name"])
    require_hub_name(name)
    if run_dir is not None:
        folder = _write(run_dir, evaluation)
    require_published_files(folder)
    address = upload(folder, Repository(name, is_private))
    terminal.say(f"uploaded {folder}: {address}")


def _run_of(folder: Path) -> Path | None:
    """Gives the run that a folder is of, when it is a run's or its best model."""
    for run_dir in (folder, folder.parent):
        is_named = run_dir == folder or folder.name == BEST_MODEL
        if is_named and (run_dir / BEST_MODEL / "config.json").is_file():
            return run_dir
    return None


def _repository(run_dir: Path, hub_model_id: str | None, public: bool) -> tuple[str | None, bool]:
    from cxrkit.config import load_settings

    training = load_settings(run_dir / RUN_SETTINGS).training
    return hub_model_id or training.hub_model_id, training.hub_private and not public


def _write(run_dir: Path, evaluation: Path | None) -> Path:
    from cxrkit.training.publishing.published_files import UPLOAD_FOLDER
    from cxrkit.training.publishing.upload_folder import write_upload_folder

    return write_upload_folder(run_dir, run_dir / UPLOAD_FOLDER, _evaluated(run_dir, evaluation))


def _evaluated(run_dir: Path, evaluation: Path | None) -> "Evaluated | None":
    """Gives the figures of the evaluation that was named, or of one at its usual place that fits."""
    if evaluation is not None:
        return _read_evaluation(run_dir, evaluation)
    for folder in (run_dir / EVALUATIONS, Path(EVALUATIONS)):
        if (folder / REPORT).is_file():
            try:
                return _read_evaluation(run_dir, folder)
            except ArtifactError:
                # Of another model, or of an earlier version: nobody asked for it.
                continue
    return None


def _read_evaluation(run_dir: Path, folder: Path) -> "Evaluated":
    """Gives the figures of a report.

    Raises:
        ArtifactError: there is none, or it is not of the run's best model.
    """
    from cxrkit.evaluation.headline import HEADLINE_COLUMNS, headline_table, headline_warning
    from cxrkit.evaluation.report import read_report
    from cxrkit.training.publishing.model_card import Evaluated
    from cxrkit.training.publishing.published_files import UPLOAD_FOLDER

    report = read_report(folder / REPORT)
    model, evaluated = (run_dir / BEST_MODEL).resolve(), Path(str(report["checkpoint"])).resolve()
    same = (model, run_dir.resolve() / UPLOAD_FOLDER)
    is_older = (folder / REPORT).stat().st_mtime < (model / "config.json").stat().st_mtime
    if evaluated not in same or is_older:
        raise ArtifactError(
            f"the evaluation in {folder} is not of this model",
            expected=f"one of {model}, made after it",
            found=f"{evaluated}{', made before the model was written' if is_older else ''}",
            next_step=f"cxrkit evaluate --model_path {run_dir / BEST_MODEL} --output_dir {folder}",
        )
    return Evaluated(
        split=report["split"],
        n_studies=report["n_studies"],
        n_patients=report["n_patients"],
        columns=HEADLINE_COLUMNS,
        rows=headline_table(report),
        warning=headline_warning(report),
    )
