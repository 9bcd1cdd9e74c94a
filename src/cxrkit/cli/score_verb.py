"""`cxrkit score`: the report of an evaluation again, from its predictions alone."""

from pathlib import Path
from typing import Annotated

import typer

from cxrkit.cli.options import PatientTables


def score(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="predictions.parquet, or the folder it is in.")
    ],
    output_dir: Annotated[
        Path | None, typer.Option("--output_dir", help="Folder of the report; by default the file's own.")
    ] = None,
    resamples: Annotated[
        int, typer.Option("--resamples", min=100, max=100_000, help="Resamples of patients for intervals.")
    ] = 1000,
    patients: PatientTables = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the report of other predictions.")
    ] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Write the page as report.pdf too, for A4 paper.")
    ] = False,
) -> None:
    """Compute report and page again from predictions alone.

    Neither model nor films nor GPU are needed. The same predictions give the same report, byte by byte,
    whatever machine wrote the file.
    """
    from cxrkit.cli.evaluate_verb import show_evaluation
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.evaluation.content_hash import content_hash
    from cxrkit.evaluation.ownership import require_free
    from cxrkit.evaluation.predictions import PREDICTIONS_FILE, read_predictions
    from cxrkit.evaluation.publish import publish_scores

    terminal = open_terminal()
    path = predictions / PREDICTIONS_FILE if predictions.is_dir() else predictions
    target = output_dir or path.parent
    own = {"predictions_sha256": content_hash(read_predictions(path))}
    require_free(target, own, overwrite=overwrite)
    terminal.say(f"scoring {path} with {resamples:,} resamples of patients")
    result = publish_scores(path, target, n_resamples=resamples, patient_tables=patients or (), pdf=pdf)
    show_evaluation(result, terminal)
