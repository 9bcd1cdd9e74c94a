"""`cxrkit ablate`: what each part of the model contributes."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cxrkit.cli import options
from cxrkit.cli.options import collect_overrides, data_overrides, read_hours
from cxrkit.errors import CxrkitError

if TYPE_CHECKING:
    from cxrkit.cli.ablation_settings import Ablation
    from cxrkit.cli.ablations import Failed
    from cxrkit.cli.terminal import Terminal
    from cxrkit.data.index import Index

COMPARISON = "ablation"
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
    from cxrkit.cli.ablation_settings import read_ablations
    from cxrkit.cli.ablations import evaluate_all, require_protocols, train_all
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.training.run_folder import is_first_process

    overrides = collect_overrides(named, assignments)
    ablations = read_ablations([*config, *(more or [])], output_dir, overrides)
    asked = [name.strip() for name in protocols.split(",")]
    require_protocols(asked)
    terminal = open_terminal()
    index = _open_data(ablations, overrides, skip_data_check, terminal)
    trained = train_all(ablations, index, terminal)
    if not is_first_process():
        return
    evaluated = evaluate_all(trained.whole, index, split, asked, terminal)
    failed = [*trained.failed, *evaluated.failed]
    try:
        _compare(evaluated.whole, ablations[0].name, output_dir, terminal)
    finally:
        _tell_failed(failed, terminal)
    if failed:
        raise typer.Exit(CxrkitError.exit_code)


def _open_data(
    ablations: "list[Ablation]", overrides: dict[str, object], skip_data_check: bool, terminal: "Terminal"
) -> "Index":
    from cxrkit.cli.train_verbs import open_checked
    from cxrkit.cli.workspace import require_pixels

    first = ablations[0]
    index = open_checked(first.settings, first.path, overrides, skip_data_check, terminal)
    for ablation in ablations[1:]:
        require_pixels(index, ablation.settings.data.image_size, f"data.image_size of {ablation.name}")
    return index


def _compare(ablations: "list[Ablation]", reference: str, output_dir: Path, terminal: "Terminal") -> None:
    from cxrkit.cli.compare_verb import show_comparison
    from cxrkit.evaluation.comparison import compare_predictions

    for path in output_dir.glob(f"{COMPARISON}.*"):
        # A table of an earlier call must not pass for this one's.
        path.unlink()
    if len(ablations) < 2:
        terminal.say(f"no comparison: results of {len(ablations)} ablation(s), two or more are needed")
        return
    if reference not in [each.name for each in ablations]:
        terminal.say(f"no comparison: {reference}, which the others are compared with, has no results")
        return
    names, paths = [each.name for each in ablations], [each.results for each in ablations]
    show_comparison(compare_predictions(paths, names, output_dir, stem=COMPARISON), terminal)


def _tell_failed(failed: "list[Failed]", terminal: "Terminal") -> None:
    if not failed:
        return
    for entry in failed:
        terminal.say(f"failed: {entry.name}, in {entry.stage}: {entry.error}")
    names = shlex.join(entry.name for entry in failed)
    terminal.say(f"next: mend {names} and run the same command again; what is finished is kept")
