"""`cxrkit ablate`: what each part of the model contributes."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cxrkit.cli import options
from cxrkit.cli.options import collect_overrides, data_overrides, read_hours

if TYPE_CHECKING:
    from cxrkit.cli.ablations import Failed
    from cxrkit.cli.terminal import Terminal

# Cheap ones that show whether a model looks at the film at all.
PROTOCOLS = "blank_image,question_only,majority"


def ablate(
    config: Annotated[
        list[Path],
        typer.Option("--config", help="Settings files, e.g. configs/ablations/*.yaml; more may follow it."),
    ],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE ...]", help="Further settings files.")
    ] = None,
    mimic_cxr_path: options.CxrPath = None,
    mimic_qa_path: options.QaPath = None,
    workspace: options.Workspace = None,
    output_dir: Annotated[
        Path, typer.Option("--output_dir", help="Runs, results and the table; one folder per file.")
    ] = Path("ablations"),
    split: Annotated[
        Literal["train", "validate", "test"], typer.Option("--split", help="Split to compare on.")
    ] = "test",
    protocols: Annotated[
        str, typer.Option("--protocols", help="Of VQA models, as for evaluate.")
    ] = PROTOCOLS,
    batch_size: options.BatchSize = None,
    epochs: options.Epochs = None,
    budget: options.Budget = None,
    max_samples: options.MaxSamples = None,
    disable_wandb: options.DisableWandb = False,
    skip_data_check: options.SkipDataCheck = False,
    assignments: options.Assignments = None,
) -> None:
    """Train and evaluate several settings, then compare them.

    The file named full, or else the first, is what the others are compared with. The same command again goes
    on where it stopped: finished runs and their results are kept. An ablation that fails is named at the end,
    and the others are compared all the same.
    """
    named = {
        **data_overrides(mimic_cxr_path, mimic_qa_path, workspace),
        "training.batch_size_per_gpu": batch_size,
        "training.num_epochs": epochs,
        "training.budget_hours": read_hours(budget),
        "data.max_samples": max_samples,
        "wandb.enabled": False if disable_wandb else None,
    }
    from cxrkit.cli.ablations import evaluate_all, read_ablations, train_all
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.cli.train_verbs import open_checked
    from cxrkit.training.run_folder import is_first_process

    overrides = collect_overrides(named, assignments)
    ablations = read_ablations([*config, *(more or [])], output_dir, overrides)
    terminal = open_terminal()
    first = ablations[0].settings
    index = open_checked(first, config[0], overrides, skip_data_check, terminal)
    done = train_all(ablations, index, terminal)
    if not is_first_process():
        return
    done = evaluate_all(done, index, split, [name.strip() for name in protocols.split(",")], terminal)
    if len(done.evaluated) > 1:
        _compare([(ablation.name, ablation.results) for ablation in done.evaluated], output_dir, terminal)
    if done.failed:
        _tell_failed(done.failed, terminal)
        raise typer.Exit(2)


def _compare(results: list[tuple[str, Path]], output_dir: Path, terminal: "Terminal") -> None:
    from cxrkit.cli.ablations import COMPARISON
    from cxrkit.cli.compare_verb import show_comparison
    from cxrkit.evaluation.comparison import compare_predictions

    names, paths = [name for name, _ in results], [path for _, path in results]
    show_comparison(compare_predictions(paths, names, output_dir, stem=COMPARISON), terminal)


def _tell_failed(failed: "list[Failed]", terminal: "Terminal") -> None:
    for entry in failed:
        terminal.say(f"failed: {entry.name}, in {entry.stage}: {entry.error}")
    names = shlex.join(entry.name for entry in failed)
    terminal.say(f"next: mend {names} and run the same command again; what is finished is kept")
