"""`cxrkit train vqa` and `cxrkit train classify`."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cxrkit.cli import options
from cxrkit.cli.options import collect_overrides, data_overrides, read_hours

if TYPE_CHECKING:
    from cxrkit.cli.terminal import ProgressBars, Terminal
    from cxrkit.config import Settings, Task
    from cxrkit.data.index import Index
    from cxrkit.training.run_folder import TrainedRun

# What the analysis of the same data has to be told, of all that a training was told.
ANALYSIS_OPTIONS = {
    "data.mimic_cxr_jpg_path": "--mimic_cxr_path",
    "data.mimic_ext_cxr_qba_path": "--mimic_qa_path",
    "data.workspace": "--workspace",
    "data.analysis_dir": "--output_dir",
}
ANALYSIS_SCRIPT = "analyze_data.py"
ANALYSIS_KEYS = ("data.image_store_size", "data.quality_grade", "data.view_filter")
app = typer.Typer(help="Train a model.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def vqa(
    config: options.ConfigFile = None,
    mimic_cxr_path: options.CxrPath = None,
    mimic_qa_path: options.QaPath = None,
    workspace: options.Workspace = None,
    output_dir: options.OutputDir = None,
    batch_size: options.BatchSize = None,
    epochs: options.Epochs = None,
    budget: options.Budget = None,
    learning_rate: options.LearningRate = None,
    max_samples: options.MaxSamples = None,
    wandb_project: options.WandbProject = None,
    disable_wandb: options.DisableWandb = False,
    hub_model_id: options.HubModelId = None,
    deepspeed: options.Deepspeed = None,
    resume_from_checkpoint: options.ResumeFromCheckpoint = None,
    auto: options.Auto = False,
    skip_data_check: options.SkipDataCheck = False,
    assignments: options.Assignments = None,
) -> None:
    """Train the scene-graph question answering model."""
    named = {
        **data_overrides(mimic_cxr_path, mimic_qa_path, workspace),
        **_training_overrides(output_dir, batch_size, epochs, learning_rate, hub_model_id),
        **_trial_overrides(max_samples, wandb_project, disable_wandb),
        "training.budget_hours": read_hours(budget),
        "deepspeed.config_path": deepspeed,
        "training.resume_from_checkpoint": resume_from_checkpoint,
    }
    _train(
        "vqa", config, _with_plan("vqa", config, collect_overrides(named, assignments), auto), skip_data_check
    )


@app.command()
def classify(
    config: options.ConfigFile = None,
    mimic_cxr_path: options.CxrPath = None,
    mimic_qa_path: options.QaPath = None,
    workspace: options.Workspace = None,
    output_dir: options.OutputDir = None,
    batch_size: options.BatchSize = None,
    epochs: options.Epochs = None,
    budget: options.Budget = None,
    learning_rate: options.LearningRate = None,
    max_samples: options.MaxSamples = None,
    wandb_project: options.WandbProject = None,
    disable_wandb: options.DisableWandb = False,
    hub_model_id: options.HubModelId = None,
    deepspeed: options.Deepspeed = None,
    label_policies: options.LabelPolicies = None,
    resume_from_checkpoint: options.ResumeFromCheckpoint = None,
    auto: options.Auto = False,
    skip_data_check: options.SkipDataCheck = False,
    assignments: options.Assignments = None,
) -> None:
    """Train the classifier of 14 findings."""
    named = {
        **data_overrides(mimic_cxr_path, mimic_qa_path, workspace),
        **_training_overrides(output_dir, batch_size, epochs, learning_rate, hub_model_id),
        **_trial_overrides(max_samples, wandb_project, disable_wandb),
        "training.budget_hours": read_hours(budget),
        "deepspeed.config_path": deepspeed,
        "training.resume_from_checkpoint": resume_from_checkpoint,
    }
    policies = None if label_policies is None else [name.strip() for name in label_policies.split(",")]
    _train(
        "classify",
        config,
        _with_plan("classify", config, collect_overrides(named, assignments), auto),
        skip_data_check,
        policies,
    )


def _training_overrides(
    output_dir: Path | None,
    batch_size: int | None,
    epochs: int | None,
    learning_rate: float | None,
    hub_model_id: str | None,
) -> dict[str, object | None]:
    return {
        "training.output_dir": output_dir,
        "training.batch_size_per_gpu": batch_size,
        "training.num_epochs": epochs,
        "training.learning_rate": learning_rate,
        "training.hub_model_id": hub_model_id,
    }


def _trial_overrides(
    max_samples: int | None, wandb_project: str | None, disable_wandb: bool
) -> dict[str, object | None]:
    return {
        "data.max_samples": max_samples,
        "wandb.project": wandb_project,
        "wandb.enabled": False if disable_wandb else None,
    }


def _with_plan(
    task: "Task", config: Path | None, overrides: dict[str, object], auto: bool
) -> dict[str, object]:
    """Adds what fits this machine, of what the command line does not say, and tells why."""
    if not auto:
        return overrides
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.config import load_settings
    from cxrkit.hardware import detect_hardware
    from cxrkit.training.planning import fitting_settings

    terminal, settings = open_terminal(), load_settings(config, task, overrides)
    fitting = fitting_settings(settings, overrides.keys(), detect_hardware())
    for key, choice in fitting.items():
        terminal.note(f"{key} {choice.value}: {choice.reason}")
    return overrides | {key: choice.value for key, choice in fitting.items()}


def _train(
    task: "Task",
    config: Path | None,
    overrides: dict[str, object],
    skip_data_check: bool,
    policies: list[str] | None = None,
) -> None:
    from cxrkit.cli.label_policies import settings_of_policies, train_policies
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.cli.workspace import as_prepared
    from cxrkit.config import load_settings

    settings = load_settings(config, task, overrides)
    by_policy = None if policies is None else settings_of_policies(policies, config, overrides)
    terminal = open_terminal()
    index = open_checked(settings, config, overrides, skip_data_check, terminal)
    if by_policy is None:
        with terminal.bars() as bars:
            run = run_training(as_prepared(settings, index), bars)
        _show_run(run, terminal)
    else:
        train_policies({name: as_prepared(each, index) for name, each in by_policy.items()}, terminal)


def open_checked(
    settings: "Settings",
    config: Path | None,
    overrides: Mapping[str, object],
    skip_data_check: bool,
    terminal: "Terminal",
) -> "Index":
    """Opens the data of a training, prepared when missing, and asks its analysis whether it may start.

    Args:
        settings: resolved.
        config: the settings file, for the command that makes a missing analysis.
        overrides: what the command line says, for the same.
        skip_data_check: ask no analysis.
        terminal: shows progress.

    Raises:
        CxrkitError: the data or its analysis do not allow the training.
    """
    from cxrkit.cli.workspace import open_workspace, require_pixels, require_source

    require_source(settings)
    command = _analysis_command(settings.task, config, overrides)
    check = None if skip_data_check else _analysis_check(settings, command)
    # Preparing the full data takes hours: a report that is missing altogether is told before, not after.
    if check is not None and not (settings.data.analysis_dir / "analysis_report.json").is_file():
        check("")
    with terminal.bars() as bars:
        index = open_workspace(settings, bars)
        require_pixels(index, settings.data.image_size, "data.image_size")
        if check is not None:
            check(index.fingerprint)
    return index


def _analysis_check(settings: "Settings", command: str) -> Callable[[str], None]:
    from cxrkit.training.gate import require_analysis

    def check(fingerprint: str) -> None:
        require_analysis(
            fingerprint,
            settings.data.analysis_dir,
            command,
            filters={
                "quality_grade": settings.data.quality_grade,
                "view_filter": settings.data.view_filter,
            },
            task=settings.task,
        )

    return check


def _analysis_command(task: "Task", config: Path | None, overrides: Mapping[str, object]) -> str:
    # The script lies in the repository only; an installed package has the verb alone.
    words = ["python", ANALYSIS_SCRIPT] if Path(ANALYSIS_SCRIPT).is_file() else ["cxrkit", "analyze"]
    if config is not None:
        words += ["--config", str(config)]
    elif task != "vqa":
        words += ["--task", task]
    for key, value in overrides.items():
        if key in ANALYSIS_OPTIONS:
            words += [ANALYSIS_OPTIONS[key], str(value)]
        elif key in ANALYSIS_KEYS:
            words += ["--set", f"{key}={value}"]
    return shlex.join(words)


def run_training(settings: "Settings", bars: "ProgressBars") -> "TrainedRun":
    """Trains a model of either task."""
    from cxrkit.config import VQASettings

    if isinstance(settings, VQASettings):
        from cxrkit.training.vqa import train_vqa

        return train_vqa(settings, progress=bars.report)
    from cxrkit.training.classify import train_classifier

    return train_classifier(settings, progress=bars.report)


def _show_run(run: "TrainedRun", terminal: "Terminal") -> None:
    from cxrkit.cli.tables import metrics_table

    updates = f"{run.step:,} update{'' if run.step == 1 else 's'}"
    if run.chosen:
        terminal.say(f"the best model, after {updates}, on the validation split")
        for kept in run.others:
            value = kept.metrics[run.metric]
            mark = " (taken)" if kept.weights == run.weights else ""
            terminal.say(
                f"  best {run.metric} of the {kept.weights} weights{mark}: {value:.4f}, after {kept.step:,}"
            )
    else:
        terminal.say(f"no validation value; the last model was kept, after {updates}")
    terminal.results.print(metrics_table(run.metrics))
    command = ["cxrkit", "evaluate", "--model_path", str(run.best_model)]
    terminal.say(f"next: {shlex.join(command)}")
