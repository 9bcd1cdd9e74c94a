"""`cxrkit demo`: the whole pipeline on synthetic or given films."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder with mimic-cxr-jpg and mimic-ext-cxr-qba; default: synthetic."),
    ] = None,
    output_dir: Annotated[
        Path, typer.Option("--output_dir", help="Everything the demo writes goes here.")
    ] = Path("demo_output"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of data and training.")] = 0,
) -> None:
    """Show the whole pipeline with two small models.

    Writes data, prepares and analyzes it, trains both models, evaluates them and writes the report.
    """
    from cxrkit.cli.tables import headline_table, seconds_table
    from cxrkit.cli.terminal import open_terminal

    terminal = open_terminal()
    with terminal.bars() as bars:
        from cxrkit.demo import run_demo

        result = run_demo(output_dir, data, seed, progress=bars.report)
    terminal.results.print(seconds_table(result.seconds))
    terminal.results.print(headline_table(result.table))
    terminal.say(f"report: {result.report_path}")
