"""The verbs about data: `synth`, `prepare`, `analyze`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cxrkit.cli.options import (
    Assignments,
    ConfigFile,
    CxrPath,
    QaPath,
    Workspace,
    collect_overrides,
    data_options,
    data_overrides,
)

if TYPE_CHECKING:
    from cxrkit.analysis import AnalysisReport
    from cxrkit.cli.terminal import Terminal
    from cxrkit.data.prepare import PreparedSummary


def synth(
    output: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="Folder that will hold both data sets.")
    ] = None,
    patients: Annotated[int, typer.Option("--patients", min=1, help="Number of patients.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 0,
    image_size: Annotated[
        int, typer.Option("--image_size", min=64, max=4096, help="Shorter side of the films in pixels.")
    ] = 512,
    defect: Annotated[
        str | None, typer.Option("--defect", help="Plant one defect; see --list_defects.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; by default one per core.")
    ] = None,
    list_defects: Annotated[
        bool, typer.Option("--list_defects", help="Print the defects that can be planted.")
    ] = False,
) -> None:
    """Write a synthetic data set in the layout of the real ones."""
    if output is None and not list_defects:
        raise typer.BadParameter("missing: the folder to write to", param_hint="OUT")
    from cxrkit.cli.tables import rows_table, synthetic_table
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.data.synthetic import DEFECTS, write_dataset
    from cxrkit.hardware import usable_cores

    terminal = open_terminal()
    if output is None or list_defects:
        rows = [{"name": name, "what is wrong": text} for name, text in DEFECTS.items()]
        terminal.results.print(rows_table(rows))
        return
    with terminal.bars() as bars:
        summary = write_dataset(
            output,
            patients=patients,
            seed=seed,
            image_size=image_size,
            defect=defect,
            workers=workers or usable_cores(),
            progress=bars.counter("drawing patients"),
        )
    terminal.say(f"written to {output}")
    terminal.results.print(synthetic_table(summary.counts))
    terminal.say(_analyze_next(output / "mimic-cxr-jpg", output / "mimic-ext-cxr-qba", None))


def prepare(
    config: ConfigFile = None,
    mimic_cxr_path: CxrPath = None,
    mimic_qa_path: QaPath = None,
    workspace: Workspace = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; by default one per core.")
    ] = None,
    extract_all: Annotated[
        bool, typer.Option("--extract_all", help="Accepted for old command lines; nothing is extracted.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Prepare again even when nothing has changed.")
    ] = False,
    assignments: Assignments = None,
) -> None:
    """Read both data sets once and write the workspace.

    The workspace holds the index, the images and their fingerprint. Interrupted at any moment, it goes on
    where it was when started again.
    """
    from cxrkit.cli.qba_report import report_questions_only
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.config import given_path, load_settings, require_data_paths

    terminal = open_terminal()
    overrides = collect_overrides(data_overrides(mimic_cxr_path, mimic_qa_path, workspace), assignments)
    settings = load_settings(config, None, overrides)
    if extract_all:
        terminal.note("--extract_all: nothing needs extracting, archives are read in place")
    if mimic_qa_path is not None and config is None and "data.mimic_cxr_jpg_path" not in overrides:
        report_questions_only(mimic_qa_path, terminal)
        return
    require_data_paths(settings)
    from cxrkit.data.prepare import prepare_workspace

    with terminal.bars() as bars:
        summary = prepare_workspace(
            settings.data.mimic_cxr_jpg_path,
            given_path(settings.data.mimic_ext_cxr_qba_path),
            settings.data.workspace,
            image_store_size=settings.data.image_store_size,
            image_store=settings.data.image_store,
            image_store_padding=settings.data.image_store_padding,
            workers=workers,
            force=force,
            progress=bars.report,
            announce=bars.announce,
        )
    _show_prepared(summary, terminal)
    if config is not None:
        named = data_options(mimic_cxr_path, mimic_qa_path, workspace)
        terminal.say(f"next: {shlex.join(['cxrkit', 'analyze', '--config', str(config), *named])}")
        return
    paths = (settings.data.mimic_cxr_jpg_path, given_path(settings.data.mimic_ext_cxr_qba_path))
    terminal.say(_analyze_next(*paths, settings.data.workspace))


def _show_prepared(summary: "PreparedSummary", terminal: "Terminal") -> None:
    from cxrkit.cli.tables import prepared_table, rejects_table, remarks_on

    state = "already up to date" if summary.unchanged else "prepared"
    terminal.say(f"{state}: {summary.workspace}")
    terminal.results.print(prepared_table(summary.counts))
    if summary.counts["rejects"]:
        terminal.results.print(rejects_table(summary.counts["rejects"]))
        terminal.say(f"each one is listed in {summary.workspace / 'index' / 'rejects.csv'}")
    else:
        terminal.say("nothing was skipped: 0 rejects")
    for line in remarks_on(summary.counts):
        terminal.say(line)


def analyze(
    config: ConfigFile = None,
    mimic_cxr_path: CxrPath = None,
    mimic_qa_path: QaPath = None,
    workspace: Workspace = None,
    output_dir: Annotated[
        Path | None, typer.Option("--output_dir", help="Folder of the report (data.analysis_dir).")
    ] = None,
    task: Annotated[
        Literal["vqa", "classify"] | None,
        typer.Option(
            "--task",
            help="What the data is to be ready for; by default what the settings file, else the data says.",
        ),
    ] = None,
    skip_images: Annotated[
        bool,
        typer.Option(
            "--skip_images",
            help="Do not read the films: exposure and films that are there twice stay unknown.",
        ),
    ] = False,
    visualize_samples: Annotated[
        int,
        typer.Option(
            "--visualize_samples",
            min=0,
            max=1000,
            help="Write so many films with boxes, questions and answers as PNG files below samples/ in the "
            "folder of the report. They show patients.",
        ),
    ] = 0,
    assignments: Assignments = None,
) -> None:
    """Say whether the data is ready, what is in it and what is biased.

    What is not prepared yet is prepared first.
    """
    from cxrkit.cli.tables import prepared_table
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.cli.workspace import open_workspace
    from cxrkit.config import load_settings
    from cxrkit.errors import SettingsError

    terminal = open_terminal()
    # Before anything is prepared, which may take hours.
    if skip_images and visualize_samples:
        raise SettingsError("command line", ["--visualize_samples: needs films, which --skip_images skips"])
    named = {**data_overrides(mimic_cxr_path, mimic_qa_path, workspace), "data.analysis_dir": output_dir}
    settings = load_settings(config, task, collect_overrides(named, assignments))
    with terminal.bars() as bars:
        index = open_workspace(settings, bars)
        from cxrkit.analysis import analyze as run_analysis
        from cxrkit.data.films.opener import films_of

        report = run_analysis(
            index,
            settings.data.analysis_dir,
            quality_grade=settings.data.quality_grade,
            view_filter=settings.data.view_filter,
            # Nobody having said, what the data itself offers: an index without questions is no mistake.
            task=settings.task if config is not None or task is not None else None,
            films=None if skip_images else films_of(index),
            samples=visualize_samples,
            progress=bars.report,
        )
    terminal.results.print(prepared_table(index.counts))
    _show_verdict(report, terminal)
    if visualize_samples:
        terminal.say(f"samples: {report.path.parent / 'samples'} ({len(report.data['samples'])} films)")
    if not report.ready:
        raise typer.Exit(1)


def _show_verdict(report: "AnalysisReport", terminal: "Terminal") -> None:
    for warning in report.warnings:
        terminal.say(f"warning: {warning}")
    for reason in report.reasons:
        terminal.say(f"not ready: {reason}")
    terminal.say(f"ready for training: {'yes' if report.ready else 'no'}")
    terminal.say(f"report: {report.path}; to read: {report.path.with_name('report.html')}")


def _analyze_next(mimic_cxr_path: Path, mimic_qa_path: Path | None, workspace: Path | None) -> str:
    words = ["cxrkit", "analyze", *data_options(mimic_cxr_path, mimic_qa_path, workspace)]
    return f"next: {shlex.join(words)}"
