"""`cxrkit compare`: prediction files on the same questions, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cxrkit.cli.terminal import Terminal
    from cxrkit.evaluation.comparison import ComparisonResult


def compare(
    predictions: Annotated[
        list[Path],
        typer.Argument(
            metavar="A B [C ...]", help="predictions.parquet files or their folders; A is compared with."
        ),
    ],
    names: Annotated[
        str | None, typer.Option("--names", help="Comma-separated; by default the folders' names.")
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option("--output_dir", help="Write comparison.html, .csv, .tex and .json there.")
    ] = None,
    resamples: Annotated[
        int, typer.Option("--resamples", min=100, max=100_000, help="Resamples of patients.")
    ] = 1000,
) -> None:
    """Compare two or more evaluations of the same questions.

    Differences are paired and their intervals resample patients; p values are adjusted for the number of
    differences. What cannot be told apart is said to be so.
    """
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.evaluation.comparison import compare_predictions

    chosen = None if names is None else names.split(",")
    result = compare_predictions(predictions, chosen, output_dir, n_resamples=resamples)
    show_comparison(result, open_terminal())


def show_comparison(result: "ComparisonResult", terminal: "Terminal") -> None:
    """Prints the table of a comparison, what it says in words, and where its files are."""
    from cxrkit.cli.tables import comparison_table

    terminal.results.print(comparison_table(result.rows))
    for line in (*result.words, *result.notes):
        terminal.say(line)
    for path in result.paths:
        terminal.say(str(path))
