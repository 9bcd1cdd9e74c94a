"""`cxrkit plan vqa` and `cxrkit plan classify`: what a training would take, by some real updates."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cxrkit.cli import options
from cxrkit.cli.options import collect_overrides, data_overrides, read_hours

if TYPE_CHECKING:
    from cxrkit.config import Settings, Task
    from cxrkit.hardware import Hardware
    from cxrkit.training.job import Job
    from cxrkit.training.planning import Forecast

Assume: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--assume",
        metavar="MACHINE",
        help='Another machine in words: "4x L4 24GB", "A100 80GB, 16 cores", "cpu"; batch and accumulation '
        "are those that `cxrkit hardware` gives for it.",
    ),
]
Updates: TypeAlias = Annotated[int, typer.Option("--updates", min=1, help="Real updates that are timed.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="As one JSON object.")]
app = typer.Typer(
    help="Tell what a training would take: updates, hours, memory, disk.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def vqa(
    config: options.ConfigFile = None,
    workspace: options.Workspace = None,
    output_dir: options.OutputDir = None,
    batch_size: options.BatchSize = None,
    epochs: options.Epochs = None,
    budget: options.Budget = None,
    max_samples: options.MaxSamples = None,
    assume: Assume = None,
    updates: Updates = 6,
    as_json: AsJson = False,
    assignments: options.Assignments = None,
) -> None:
    """Plan a training of the question answering model on a prepared workspace."""
    named = _named(workspace, output_dir, batch_size, epochs, budget, max_samples)
    _plan("vqa", config, collect_overrides(named, assignments), assume, updates, as_json)


@app.command()
def classify(
    config: options.ConfigFile = None,
    workspace: options.Workspace = None,
    output_dir: options.OutputDir = None,
    batch_size: options.BatchSize = None,
    epochs: options.Epochs = None,
    budget: options.Budget = None,
    max_samples: options.MaxSamples = None,
    assume: Assume = None,
    updates: Updates = 6,
    as_json: AsJson = False,
    assignments: options.Assignments = None,
) -> None:
    """Plan a training of the classifier on a prepared workspace."""
    named = _named(workspace, output_dir, batch_size, epochs, budget, max_samples)
    _plan("classify", config, collect_overrides(named, assignments), assume, updates, as_json)


def _named(
    workspace: Path | None,
    output_dir: Path | None,
    batch_size: int | None,
    epochs: int | None,
    budget: str | None,
    max_samples: int | None,
) -> dict[str, object | None]:
    return {
        **data_overrides(None, None, workspace),
        "training.output_dir": output_dir,
        "training.batch_size_per_gpu": batch_size,
        "training.num_epochs": epochs,
        "training.budget_hours": read_hours(budget),
        "data.max_samples": max_samples,
    }


def _plan(
    task: "Task",
    config: Path | None,
    overrides: dict[str, object],
    assume: str | None,
    updates: int,
    as_json: bool,
) -> None:
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.config import load_settings
    from cxrkit.errors import SettingsError
    from cxrkit.hardware import assumed_hardware, detect_hardware, planned_settings

    terminal, hardware = open_terminal(), None
    if assume is not None:
        here = detect_hardware()
        hardware = assumed_hardware(assume, cores=here.cores, memory_bytes=here.memory_bytes)
        overrides = {key: choice.value for key, choice in planned_settings(hardware).items()} | overrides
    elif len(detect_hardware().gpus) > 1:
        # As many as the launch script would start here.
        os.environ.setdefault("WORLD_SIZE", str(len(detect_hardware().gpus)))
    settings = load_settings(config, task, overrides)
    if hardware is not None and settings.training.budget_hours is not None:
        mistake = "--budget with --assume: how many updates fit can only be measured on that machine"
        raise SettingsError("command line", [mistake])
    terminal.note(f"trying a few real updates of the {task} training; nothing is kept")
    forecast = _forecast(settings, hardware, updates)
    if as_json:
        rows = {name: choice._asdict() for name, choice in forecast.rows.items()}
        typer.echo(
            json.dumps({"plan": rows, "hours": forecast.hours, "warnings": forecast.warnings}, indent=1)
        )
        return
    _show(forecast)
    for warning in forecast.warnings:
        terminal.note(warning)


def _forecast(settings: "Settings", hardware: "Hardware | None", updates: int) -> "Forecast":
    from cxrkit.training.arguments import processes
    from cxrkit.training.job import training_batches
    from cxrkit.training.planning import budgeted, find_room, make_forecast, sizes_of, try_updates

    job = _job(settings)
    loader = training_batches(job)
    count = processes() if hardware is None else max(1, len(hardware.gpus))
    trial = try_updates(job, loader, updates)
    if hardware is None:
        job = budgeted(job, loader, trial)
    sizes = sizes_of(job, loader, count)
    room = find_room(settings.training.output_dir, hardware)
    return make_forecast(job.settings, sizes, trial, room, hardware)


def _job(settings: "Settings") -> "Job":
    from transformers import set_seed

    from cxrkit.config import VQASettings

    set_seed(settings.training.seed)
    if isinstance(settings, VQASettings):
        from cxrkit.training.vqa import vqa_job

        return vqa_job(settings)
    from cxrkit.training.classify import classifier_job

    return classifier_job(settings)


def _show(forecast: "Forecast") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("plan", "value", "why", box=None, header_style="bold", pad_edge=False)
    for name, choice in forecast.rows.items():
        value = f"{choice.value:,}" if isinstance(choice.value, int) else choice.value
        table.add_row(name.replace("_", " "), value, choice.reason)
    Console(highlight=False).print(table)
