"""The options that several verbs share, spelled as in the training guide."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from cxrkit.errors import SettingsError

ConfigFile: TypeAlias = Annotated[
    Path | None, typer.Option("--config", help="Settings file (YAML); defaults stand for keys not in it.")
]
CxrPath: TypeAlias = Annotated[
    Path | None, typer.Option("--mimic_cxr_path", help="Root of MIMIC-CXR-JPG (data.mimic_cxr_jpg_path).")
]
QaPath: TypeAlias = Annotated[
    Path | None,
    typer.Option("--mimic_qa_path", help="Root of MIMIC-Ext-CXR-QBA (data.mimic_ext_cxr_qba_path)."),
]
Workspace: TypeAlias = Annotated[
    Path | None, typer.Option("--workspace", help="Folder of the prepared index and images (data.workspace).")
]
Assignments: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting, e.g. training.seed=7; repeatable."),
]
OutputDir: TypeAlias = Annotated[
    Path | None, typer.Option("--output_dir", help="Folder of the run (training.output_dir).")
]
BatchSize: TypeAlias = Annotated[
    int | None, typer.Option("--batch_size", help="Films per step and device (training.batch_size_per_gpu).")
]
Epochs: TypeAlias = Annotated[
    int | None, typer.Option("--epochs", help="Passes over the training studies (training.num_epochs).")
]
Budget: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="TIME",
        help="As many updates as fit into 2h, 90m or 1h30m, in place of epochs (training.budget_hours).",
    ),
]
Auto: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--auto", help="Batch, accumulation and loading processes of `cxrkit hardware`, where not given here."
    ),
]
LearningRate: TypeAlias = Annotated[
    float | None, typer.Option("--learning_rate", help="Highest learning rate (training.learning_rate).")
]
MaxSamples: TypeAlias = Annotated[
    int | None,
    typer.Option("--max_samples", help="At most so many films per split (data.max_samples)."),
]
WandbProject: TypeAlias = Annotated[
    str | None, typer.Option("--wandb_project", help="Name of the W&B project (wandb.project).")
]
DisableWandb: TypeAlias = Annotated[
    bool, typer.Option("--disable_wandb", help="No tracking with W&B (wandb.enabled=false).")
]
HubModelId: TypeAlias = Annotated[
    str | None, typer.Option("--hub_model_id", help="Hugging Face repository (training.hub_model_id).")
]
Deepspeed: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--deepspeed",
        exists=True,
        dir_okay=False,
        help="DeepSpeed's own configuration (deepspeed.config_path).",
    ),
]
ResumeFromCheckpoint: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--resume_from_checkpoint",
        metavar="auto|PATH",
        help="Go on: auto takes the newest whole checkpoint of output_dir, and starts anew without one "
        "(training.resume_from_checkpoint).",
    ),
]
LabelPolicies: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--label_policies",
        metavar="A,B,...",
        help="Train under each of these policies (zeros, ones, ignore, blank_ignore), into a folder of its "
        "own, and put them side by side.",
    ),
]
SkipDataCheck: TypeAlias = Annotated[
    bool, typer.Option("--skip_data_check", help="Train without a passing analysis of the data.")
]

# Flags of the historical command lines; `--flag False` must mean false, not "present".
FLAGS = (
    "--disable_wandb",
    "--skip_data_check",
    "--compute_attention",
    "--compute_explanations",
    "--extract_all",
    "--list_defects",
    "--force",
    "--raw",
    "--auto",
    "--public",
)
_LOCAL_RANK = ("--local_rank", "--local-rank")
_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(rf"(?:{_NUMBER}h)?\s*(?:{_NUMBER}m)?\s*(?:{_NUMBER}s)?")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def read_flag_values(arguments: Sequence[str]) -> list[str]:
    """Gives the arguments with `--flag true|false` (or `--flag=...`) turned into the flag or nothing.

    The `--local_rank=1` of DeepSpeed's launcher, which comes before everything else, is left out: the same is
    in the environment.

    >>> read_flag_values(["train", "--disable_wandb", "False", "--skip_data_check=true"])
    ['train', '--skip_data_check']
    """
    words: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.partition("=")
        if name in _LOCAL_RANK:
            if not equals:
                waiting = waiting[1:]
            continue
        if name not in FLAGS:
            words.append(word)
            continue
        if not equals and waiting and waiting[0].lower() in _TRUE + _FALSE:
            value = waiting.pop(0)
        if value.lower() in _FALSE:
            continue
        words.append(name if value.lower() in ("", *_TRUE) else word)
    return words


def read_hours(text: str | None) -> float | None:
    """Gives the hours of a text such as `2h`, `90m`, `1h30m` or `45s`; None for None.

    Raises:
        SettingsError: it is none.

    >>> read_hours("1h30m"), read_hours("90m"), read_hours("0.5h")
    (1.5, 1.5, 0.5)
    """
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        mistake = f"--budget: found {text!r}, expected a time such as 2h, 90m or 1h30m"
        raise SettingsError("command line", [mistake])
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours + minutes / 60 + seconds / 3600


def collect_overrides(
    options: Mapping[str, object | None], assignments: Sequence[str] | None = None
) -> dict[str, object]:
    """Gives dotted overrides from named options (None = not given) and `--set KEY=VALUE` texts.

    Raises:
        SettingsError: an assignment without `=`, or one key given two different values.
    """
    overrides = {key: value for key, value in options.items() if value is not None}
    mistakes = []
    for assignment in assignments or ():
        key, equals, value = assignment.partition("=")
        key = key.strip()
        if not equals or not key:
            mistakes.append(f"--set {assignment}: expected KEY=VALUE, such as training.seed=7")
        elif key in overrides and str(overrides[key]) != value:
            mistakes.append(f"{key}: given twice, as {overrides[key]} and as {value}")
        else:
            overrides.setdefault(key, value)
    if mistakes:
        raise SettingsError("command line", mistakes)
    return overrides


def data_options(
    mimic_cxr_path: Path | None, mimic_qa_path: Path | None, workspace: Path | None
) -> list[str]:
    """Gives the words of a command line that name these data; None is left out."""
    named = {"--mimic_cxr_path": mimic_cxr_path, "--mimic_qa_path": mimic_qa_path, "--workspace": workspace}
    return [word for name, path in named.items() if path is not None for word in (name, str(path))]


def data_overrides(
    mimic_cxr_path: Path | None, mimic_qa_path: Path | None, workspace: Path | None = None
) -> dict[str, object | None]:
    """Gives the settings that the data options stand for."""
    return {
        "data.mimic_cxr_jpg_path": mimic_cxr_path,
        "data.mimic_ext_cxr_qba_path": mimic_qa_path,
        "data.workspace": workspace,
    }


PatientTables = Annotated[
    list[Path] | None,
    typer.Option(
        "--patients",
        metavar="FILE",
        help="Table of patients for figures by sex, age and race, e.g. MIMIC-IV's patients.csv.gz; "
        "repeat for admissions.csv.gz.",
    ),
]
